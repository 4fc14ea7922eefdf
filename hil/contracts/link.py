"""The line to a device as the harness meets it: faults put into it, and its capture.

A driver opens its line and owns it. What the harness may do with it besides goes through the
`LinkControl` of the device's `DeviceSpec`, where the line is registered when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class OpenLink(Protocol):
    """A line that a driver has opened. Called between ticks only, from the driver's thread."""

    def plant_faults(
        self, faults: Sequence[Mapping[str, object]], seed: int, origin_ns: int
    ) -> None:
        """Put these faults into the line until they are lifted.

        `faults` are plain data as `rigs.link.Fault` has them. Their times count from
        `origin_ns` on the run's clock, their chances come of `seed`. Errors: BadInput.
        """
        ...

    def lift_faults(self) -> Mapping[str, int]:
        """Take the planted ones out again; returns what they did, by name.

        What they still held back is dropped, and counted.
        """
        ...

    def fault_counts(self) -> Mapping[str, int]:
        """What the faults of the rig file have done since the line was opened, by name."""
        ...

    def calm(self) -> None:
        """Take out every fault, those of the rig file too, until the line is closed: nothing
        artificial stands between a device and its safe state."""
        ...

    def take_wire(self) -> bytes:
        """What was captured since the last call; b"" where nothing is captured for the run.

        The pieces in order are one capture. Takes its time: never called in a tick. Errors:
        HostError.
        """
        ...

    def begin_wire(self) -> None:
        """Forget what was captured so far; the next piece begins a capture of its own."""
        ...


@runtime_checkable
class LineFacts(Protocol):
    """What an open line says of itself; read only, no I/O."""

    @property
    def description(self) -> str:
        """Place and settings, for messages."""
        ...

    @property
    def low_latency(self) -> bool:
        """Whether low latency mode was asked for and confirmed by a read-back."""
        ...

    @property
    def untimed(self) -> str:
        """Why no claim on time can be certified over it; empty where one can."""
        ...


@dataclass(slots=True)
class LinkControl:
    """Where a driver's line is found; one a device.

    `link` is the line opened last, None before the first and for a driver that opens none of
    this kind. With `plain`, lines opened from now on have neither capture nor faults.
    """

    link: OpenLink | None = None
    plain: bool = False
