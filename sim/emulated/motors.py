"""What emulated buses of motors share: counted faults, power cycles, the account of torque."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from hil.errors import BadInput


class Powered(Protocol):
    """A motor that can be switched off and on."""

    @property
    def id(self) -> int: ...

    def power_cycle(self) -> None: ...


def power_cycle(motors: Iterable[Powered], ids: Collection[int]) -> None:
    """Switch the motors with these ids off and on. Errors: BadInput for an id nobody has."""
    there = {motor.id: motor for motor in motors}
    unknown = sorted(set(ids) - set(there))
    if unknown:
        raise BadInput(
            f"no motor has id {', '.join(map(str, unknown))}",
            f"there are {', '.join(map(str, sorted(there)))}",
        )
    for motor in sorted(ids):
        there[motor].power_cycle()


def take_one(left: dict[int, int], motor: int) -> bool:
    """Use up one of a motor's faults, counted by id in `left`; False where none is left."""
    count = left.get(motor, 0)
    if count:
        left[motor] = count - 1
    return count > 0


@dataclass(slots=True)
class TorqueAccount:
    """How many motors are energised, and when the last of them went off (host's clock, ns)."""

    torque_on: int = 0
    torque_off_ns: int = 0

    def note(self, on: int, now_ns: int) -> None:
        """`on` motors are energised at `now_ns`."""
        if self.torque_on and not on:
            self.torque_off_ns = now_ns
        self.torque_on = on
