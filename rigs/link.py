"""Schema of a device's `[devices.link]` table and of the faults that can be put into a link.

The same faults stand in a rig file, where their times count from the opening of the link, and
in a scenario's `[[faults]]`, where they name a role and count from the start of the loop.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

Direction = Literal["to-device", "from-device", "both"]

_NETWORK = "leads over a network or through a server, whose delays are not the device's"
_UNTIMED = {
    "rfc2217": _NETWORK,
    "socket": _NETWORK,
    "loop": "is an echo; there is no device behind it",
    "replay": "replays a captured session; there is no device behind it",
}


def untimed(url: str) -> str:
    """Why no claim on time can be certified over a port with this address; empty where one can."""
    why = _UNTIMED.get(urlsplit(url).scheme, "")
    return f"{url} {why}" if why else ""


class _Fault(BaseModel):
    """When a fault may act: from `at_s` on, for `for_s` (without end unless given), and not
    before `after_bytes` bytes have passed in its direction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9_-]*$", description="the device; in a scenario file only"
    )
    direction: Direction = "from-device"
    at_s: float = Field(0.0, ge=0, le=86_400)
    for_s: float | None = Field(None, gt=0, le=86_400)
    after_bytes: int = Field(0, ge=0)


class _Chunked(_Fault):
    """A fault of single chunks: one write of the driver, or what one read brought.

    It strikes every `every`-th chunk, and of those a share of `probability`.
    """

    every: int = Field(1, ge=1)
    probability: float = Field(1.0, gt=0, le=1)


class Delay(_Chunked):
    """The chunk is `delay_ms` late; what comes after it waits behind it."""

    kind: Literal["delay"] = "delay"
    delay_ms: float = Field(gt=0, le=60_000)


class Jitter(_Chunked):
    """The chunk is late by anything up to `up_to_ms`; the order is kept."""

    kind: Literal["jitter"] = "jitter"
    up_to_ms: float = Field(gt=0, le=60_000)


class Drop(_Chunked):
    """The chunk never arrives."""

    kind: Literal["drop"] = "drop"


class Corrupt(_Chunked):
    """`bits` different bits of the chunk are flipped (all of them where it has fewer)."""

    kind: Literal["corrupt"] = "corrupt"
    bits: int = Field(1, ge=1, le=64)


class Duplicate(_Chunked):
    """The chunk arrives twice."""

    kind: Literal["duplicate"] = "duplicate"


class Truncate(_Chunked):
    """Only the first `keep_bytes` bytes of the chunk arrive."""

    kind: Literal["truncate"] = "truncate"
    keep_bytes: int = Field(ge=0)


class Stall(_Fault):
    """Nothing passes; it arrives in order when the fault's time is over."""

    kind: Literal["stall"] = "stall"


class Unplug(_Fault):
    """The link is lost, both ways, from the instant or the byte on; with `for_s` it comes back."""

    kind: Literal["unplug"] = "unplug"


Fault = Annotated[
    Delay | Jitter | Drop | Corrupt | Duplicate | Truncate | Stall | Unplug,
    Field(discriminator="kind"),
]


class LinkTable(BaseModel):
    """What is asked of the link of one device besides moving bytes.

    `capture` keeps every byte both ways (docs/wire-capture.md): true for the run folder, or
    the name of a file, relative to the rig file. `capture_mb` is the memory it may fill between
    two moments at which it is put on disk. `seed` is that of the faults' chances.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    capture: bool | Annotated[str, Field(min_length=1)] = False
    capture_mb: int = Field(8, ge=1, le=1024)
    faults: list[Fault] = Field(default_factory=list)
    seed: int = Field(0, ge=0, lt=2**64)

    @model_validator(mode="after")
    def _faults_of_this_device(self) -> LinkTable:
        if any(fault.role is not None for fault in self.faults):
            raise ValueError("a fault of a rig file belongs to its device and names no role")
        return self
