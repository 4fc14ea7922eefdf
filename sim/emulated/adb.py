"""Emulator `adb-server`: an adb server with one phone at it, in a process of its own.

It announces `socket://127.0.0.1:PORT` and speaks the adb server's protocol there: the `host:`
services a testbed needs, `shell` (v1 and v2), `sync:` and forwards. The phone's agent is the
real one of this project; a command of the phone's shell starts it.

Two services of its own, in the same framing, do to the phone what a person or a fault would:

| service | what it does, and the string it answers |
|---|---|
| `emulator:control:JSON` | changes the faults named in a JSON table; all of them as JSON |
| `emulator:status` | what was counted, and what is there, as JSON |

The faults are the fields of `sim.emulated.android.faults.Faults`.
"""

from __future__ import annotations

import sys

from pydantic import BaseModel, ConfigDict, Field

from sim.twin.emulator import Program


class AdbOptions(BaseModel):
    """Options of emulator `adb-server`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    serial: str = Field(default="EMULATED0001", pattern=r"^[\w.:-]+$")
    manufacturer: str = "Testbed"
    model: str = "Emulated Phone"
    soc: str = "EMU-1"
    android: str = "14"
    sdk: int = Field(default=34, ge=21, le=99, description="below 24 there is no shell_v2")
    agent_socket: str = Field(
        default="localabstract:hil-agent", pattern=r"^(localabstract|localfilesystem|tcp):[^;\s]+$"
    )
    agent_package: str = Field(default="org.hil.agent", pattern=r"^[\w.]+$")
    agent_delay_ms: float = Field(
        default=0.0, ge=0, le=10_000, description="sleep inside each inference"
    )


def _command(options: AdbOptions) -> list[str]:
    return [sys.executable, "-P", "-m", "sim.emulated.android.server", options.model_dump_json()]


EMULATOR = Program(
    AdbOptions,
    _command,
    untimed="leads through an adb server, whose delays are not the phone's",
)
"""Entry point `adb-server` of group `hil.emulators`."""
