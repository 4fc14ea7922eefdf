"""What a device offers decides how it is looked at, not which calls its class happens to have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from hil.clock import Deadline, VirtualClock
from hil.conformance.looks import looking, pinging
from hil.contracts import Capability, Reading
from hil.errors import DeadlineMissed

CLOCK = VirtualClock()


def soon() -> Deadline:
    return Deadline.after_s(CLOCK, 1)


@dataclass
class Box:
    """Has the calls of a meter and of switches; `capabilities` says what it offers."""

    capabilities: frozenset[Capability]
    names: tuple[str, ...] = ("lamp", "fan")
    silent: bool = False
    pings: list[Deadline] = field(default_factory=list)

    def read(self, deadline: Deadline) -> Reading:
        return Reading(7, 21.5, "degC")

    def states(self, deadline: Deadline) -> dict[str, bool]:
        return {"fan": True, "lamp": False}

    def ping(self, deadline: Deadline) -> None:
        if self.silent:
            raise DeadlineMissed("no answer")
        self.pings.append(deadline)


def box(*offered: Capability) -> Any:
    return Box(frozenset(offered))


@pytest.mark.parametrize(
    ("offered", "values", "unit", "stamp_ns"),
    [
        ([Capability.METER], [21.5], "degC", 7),
        ([Capability.SWITCHES], [0.0, 1.0], "on", None),
        ([Capability.SWITCHES, Capability.METER], [21.5], "degC", 7),
    ],
)
def test_a_box_is_looked_at_as_what_it_offers(
    offered: list[Capability], values: list[float], unit: str, stamp_ns: int | None
) -> None:
    look = looking(box(*offered))
    assert look is not None
    seen = look(soon())
    assert (seen.values.tolist(), seen.unit, seen.stamp_ns) == (values, unit, stamp_ns)


def test_a_device_with_nothing_to_read_is_pinged() -> None:
    device = box(Capability.INFERENCE)
    assert looking(device) is None
    look = pinging(device)
    assert not look(soon()).absent
    assert len(device.pings) == 1
    device.silent = True
    with pytest.raises(DeadlineMissed):
        look(soon())
