"""What the twin needs of an emulated device. Pure: no descriptor, no clock, no thread.

Entry points of group `hil.emulators` name `Hosted` and `Program` objects. The hosted ones live
in one process, each behind a pseudo-terminal of its own, with the plant between them where
their joints are the plant's; a program is a process of its own that announces where it serves.
A package of one's own registers in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from sim.twin.pacing import Transmission

Scalar = str | int | float | bool


class Emulator(Protocol):
    """One device, or one bus of them, on one line.

    All stamps are ns of the host's monotonic clock, handed in by the twin.
    """

    @property
    def baud(self) -> int:
        """Rate of the line until a client sets its own, bit/s."""
        ...

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """Bytes that the client wrote, with its port at `line_baud`; the answers, each with
        the instant at which its first byte leaves."""
        ...

    def due_ns(self) -> int | None:
        """When `wake` shall be called next; None where only input makes it do anything."""
        ...

    def wake(self, now_ns: int) -> list[Transmission]:
        """Do what is due by itself: a stream's next packet, a watchdog that trips."""
        ...

    def status(self) -> Mapping[str, Scalar]:
        """The truth about the device, for tests and benches: what it counts, what it drives.

        A device that energises something tells `torque_on` (how many are) and
        `torque_off_ns` (when the last of them went off).
        """
        ...

    def control(self, args: Mapping[str, object]) -> None:
        """Do to the device what a person or a fault would: press it, silence it, spoil answers.

        Errors: BadInput for what it does not know, naming what it does.
        """
        ...


@dataclass(frozen=True, slots=True)
class Body:
    """State of a joint as the plant has it: rad, rad/s, N m of the motor."""

    position: float
    velocity: float
    torque: float


@dataclass(frozen=True, slots=True)
class Drive:
    """What the plant shall do: set-point in rad, torque limit in N m, motor powered or not."""

    target: float
    torque_limit: float
    enabled: bool


@runtime_checkable
class JointEmulator(Emulator, Protocol):
    """An emulator whose servos move joints of the plant."""

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the plant's joints that it drives, in the order of `step`."""
        ...

    def step(self, dt: float, bodies: Sequence[Body]) -> Sequence[Drive]:
        """Advance by `dt` s from where the joints are; called once a step of the plant."""
        ...


@runtime_checkable
class PlantSensor(Emulator, Protocol):
    """An emulator that measures what is true in the plant."""

    def fit(self, plant: object) -> None:
        """Measure in this plant from now on. Errors: BadInput for one it cannot measure in."""
        ...


@dataclass(frozen=True, slots=True)
class Hosted:
    """Entry point of an emulator inside the twin's process.

    `options` is the schema of the rig file's table; `build` makes the device.
    """

    options: type[BaseModel]
    build: Callable[[Any], Emulator]


@dataclass(frozen=True, slots=True)
class Program:
    """Entry point of an emulator that is a process of its own.

    `command` gives the program and its arguments. It prints one line of JSON with its address
    under `port` once it serves, and ends when its standard input does. `untimed` says why
    nothing can be said of time through that address; empty where something can.
    """

    options: type[BaseModel]
    command: Callable[[Any], Sequence[str]]
    untimed: str = ""
