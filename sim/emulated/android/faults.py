"""What can be done to the emulated phone and its server; set by control, one table for all."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal[
    "device",
    "absent",
    "offline",
    "unauthorized",
    "authorizing",
    "connecting",
    "recovery",
    "sideload",
    "bootloader",
    "no permissions (user may not open it)",
]

Answer = tuple[int, str, str]
"""Exit code, standard output and standard error of a command."""


class Faults(BaseModel):
    """Of the link: `state` as the server lists it ("absent" is not listed); leaving "device"
    cuts every stream of the phone. `reconnect_cures`: a reconnect brings it back. `stall`: the
    server takes connections and says nothing. `vanish_after` bytes taken by the phone, in a
    push or from a forward, it is absent, once.

    Of the phone: `spoil_files` turns a bit in what is pushed, `full` refuses it; `sha256sum`
    is whether it has that tool. `agent` is what its start does: serve, fail, or run without
    ever serving. `shell` has answers in place of the phone's own, by command. `reboot_s` is how
    long it is gone, `boot_s` how long after that it says it is not up yet.

    Of its health: what `dumpsys` tells, and `mute` parts of it that tell nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: State = "device"
    reconnect_cures: bool = False
    stall: bool = False
    vanish_after: int | None = Field(default=None, ge=0)

    spoil_files: bool = False
    full: bool = False
    sha256sum: bool = True
    agent: Literal["serve", "fail", "deaf", "stays"] = "serve"
    shell: dict[str, Answer] = Field(default_factory=dict)
    reboot_s: float = Field(default=0.3, ge=0, le=60)
    boot_s: float = Field(default=0.3, ge=0, le=60)

    battery_percent: int = Field(default=80, ge=0, le=100)
    battery_c: float = Field(default=27.5, ge=-20, le=100)
    battery_present: bool = True
    charging: bool = True
    thermal_status: int = Field(default=0, ge=0, le=6)
    doze: Literal["ACTIVE", "IDLE", "IDLE_MAINTENANCE"] = "ACTIVE"
    wakefulness: Literal["Awake", "Asleep", "Dozing", "Dreaming"] = "Awake"
    mute: frozenset[Literal["battery", "thermalservice", "deviceidle", "power"]] = frozenset()
