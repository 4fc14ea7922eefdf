"""An emulated gripper that opens, closes and holds, over a pseudo-terminal."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from modbus_bench import FAST, HALF, WIDE, Rigged, soon

from drivers.modbus.robotiq_table import load_gripper
from hil.clock import NS_PER_MS
from hil.contracts import Gripper, GripperCommand, GripperSample, WireUse
from hil.errors import HarnessError


def until_still(gripper: Gripper, wait_ms: int = 5000) -> GripperSample:
    deadline = soon(wait_ms)
    while (sample := gripper.read(deadline)).moving or math.isnan(sample.opening_m):
        assert not deadline.expired
    return sample


def test_command_is_quantised_and_carried_out(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    applied = gripper.command(HALF, soon())
    table = load_gripper("2f-85")
    assert applied == table.to_command(*table.to_registers(HALF))
    assert applied.opening_m == pytest.approx(HALF.opening_m, abs=0.0004)
    sample = until_still(gripper)
    assert sample.opening_m == pytest.approx(applied.opening_m, abs=1e-6)
    assert (sample.holding, sample.moving) == (False, False)
    assert sample.effort == 0


def test_limits_bound_a_command(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    applied = gripper.command(GripperCommand(1.0, 99.0, 0.0), soon())
    limits = gripper.limits
    assert applied == GripperCommand(limits.opening_m, limits.speed_m_s[1], limits.force_n[0])


def test_moving_fingers_show_effort_and_do_not_say_whether_they_hold(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    gripper.command(GripperCommand(0.0, 0.02, 20.0), soon())
    sample = gripper.read(soon())
    assert (sample.moving, sample.holding) == (True, None)
    assert 0 < sample.effort < 1


def test_object_stops_the_fingers_and_shows(rigged: Rigged) -> None:
    gripper = rigged.gripper({"object_m": 0.03})
    gripper.enable(soon())
    gripper.command(FAST, soon())
    sample = until_still(gripper)
    assert sample.holding is True
    assert sample.opening_m == pytest.approx(0.03, abs=0.0004)
    rigged.pump.control({"object_m": None})  # dropped
    sample = until_still(gripper)
    assert (sample.holding, sample.opening_m) == (False, 0.0)


def test_inner_grip_shows_too(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    gripper.command(FAST, soon())
    until_still(gripper)
    rigged.pump.control({"ring_m": 0.05})
    gripper.command(WIDE, soon())
    sample = until_still(gripper)
    assert sample.holding is True
    assert sample.opening_m == pytest.approx(0.05, abs=0.0004)


def test_command_and_status_in_one_trip(rigged: Rigged) -> None:
    gripper = rigged.gripper(status_max_age_ms=100)
    gripper.enable(soon())
    requests = int(rigged.pump.status()["requests"])
    gripper.command(HALF, soon())
    sample = gripper.read(soon())
    assert rigged.pump.status()["requests"] == requests + 1
    assert 0 <= sample.age_ns <= 100 * NS_PER_MS
    assert sample.moving
    gripper.read(soon())
    assert rigged.pump.status()["requests"] == requests + 2  # used up


def test_status_of_a_command_is_not_reused_unless_asked_for(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    requests = int(rigged.pump.status()["requests"])
    gripper.command(HALF, soon())
    gripper.read(soon())
    assert rigged.pump.status()["requests"] == requests + 2


@pytest.mark.parametrize("combined", [True, False])
def test_wire_uses_are_the_bytes_on_the_wire(rigged: Rigged, combined: bool) -> None:
    gripper = rigged.gripper(read_with_command=combined)
    gripper.enable(soon())
    uses = gripper.wire_uses()
    assert uses == {
        "read": WireUse(19, 115_200, 10),
        "command": WireUse(30 if combined else 23, 115_200, 10),
    }
    before = len(rigged.pump.received)
    gripper.command(HALF, soon())
    assert len(rigged.pump.received) - before == (19 if combined else 15)


def test_reads_take_turns_so_that_a_late_one_is_not_taken_for_fresh(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    for _ in range(4):
        gripper.read(soon())
    functions = [rigged.pump.received[place + 1] for place in range(0, 5 * 8, 8)]
    assert set(functions) == {3, 4}
    assert all(a != b for a, b in pairwise(functions))


@pytest.mark.parametrize(
    "command", [GripperCommand(math.nan, 0.1, 50), GripperCommand(0, 1e9 * 0 + math.inf, 1)]
)
def test_target_that_is_none_is_refused(rigged: Rigged, command: GripperCommand) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    before = len(rigged.pump.received)
    with pytest.raises(HarnessError, match="target"):
        gripper.command(command, soon())
    assert len(rigged.pump.received) == before
