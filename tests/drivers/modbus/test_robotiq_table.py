"""A gripper's registers, in metres and newtons and back, and what its status says."""

from __future__ import annotations

import pytest
from modbus_bench import HALF

from drivers.modbus.robotiq_status import (
    Action,
    Status,
    action_of,
    findings,
    registers_of,
    registers_to,
    status_of,
)
from drivers.modbus.robotiq_table import Counts, load_gripper
from hil.contracts import GripperCommand

MODELS = ("2f-85", "2f-140", "hand-e")


@pytest.mark.parametrize("model", MODELS)
def test_table_maps_ends_and_middle(model: str) -> None:
    table = load_gripper(model)
    low, high = table.counts.open, table.counts.closed
    assert table.to_opening(low) == pytest.approx(table.stroke_m)
    assert table.to_opening(high) == pytest.approx(0)
    assert table.to_opening(255) == 0
    assert (table.to_count(table.stroke_m), table.to_count(0.0)) == (0, 255)
    middle = table.to_count(table.stroke_m / 2)
    assert middle == pytest.approx((low + high) / 2, abs=1)
    assert table.to_opening(middle) == pytest.approx(table.stroke_m / 2, abs=table.stroke_m / 200)
    for ends in (table.speed_m_s, table.force_n):
        assert ends[0] < ends[1]
    assert table.to_registers(GripperCommand(9.0, 9.0, 9000.0)) == (0, 255, 255)
    assert table.to_registers(GripperCommand(-1.0, 0.0, 0.0)) == (255, 0, 0)
    back = table.to_command(*table.to_registers(HALF))
    assert table.to_command(*table.to_registers(back)) == back


def test_own_counts_of_a_gripper() -> None:
    table = load_gripper("2f-85").with_counts(Counts(open=10, closed=210))
    assert table.to_opening(110) == pytest.approx(0.0425)
    assert table.to_count(0.0425) == 110


@pytest.mark.parametrize(
    ("registers", "status"),
    [
        ((0x1100, 0, 0), Status(True, False, 1, 0, 0, 0, 0, 0, 0)),
        ((0xB900, 0x00FF, 0xBD00), Status(True, True, 3, 2, 0, 0, 0xFF, 0xBD, 0)),
        ((0x3900, 0x00FF, 0xBB10), Status(True, True, 3, 0, 0, 0, 0xFF, 0xBB, 0x10)),
        ((0xF900, 0x0000, 0x0D00), Status(True, True, 3, 3, 0, 0, 0, 0x0D, 0)),
        ((0x0000, 0xCE00, 0x0300), Status(False, False, 0, 0, 14, 12, 0, 3, 0)),
    ],
)
def test_status_both_ways(registers: tuple[int, int, int], status: Status) -> None:
    assert status_of(registers) == status
    assert registers_of(status) == registers


def test_actions_are_the_manuals_frames() -> None:
    assert registers_to(Action(True, True, 0xFF, 0xFF, 0xFF)) == (0x0900, 0x00FF, 0xFFFF)
    assert registers_to(Action(True, False)) == (0x0100, 0, 0)
    action = Action(True, True, 1, 2, 3)
    assert action_of(registers_to(action)) == action


@pytest.mark.parametrize(
    ("fault", "controller", "bad", "said"),
    [
        (0, 0, set(), "none"),
        (5, 0, set(), "delayed"),
        (9, 0, set(), "heard nothing"),
        (8, 0, {"gripper fault"}, "85"),
        (13, 0, {"gripper fault"}, "activation failed"),
        (1, 0, {"gripper fault"}, "0x01"),
        (14, 12, {"gripper fault", "controller fault"}, "overcurrent"),
    ],
)
def test_fault_byte_becomes_findings(fault: int, controller: int, bad: set[str], said: str) -> None:
    found = findings(Status(True, False, 3, 0, fault, controller, 0, 0, 0))
    assert {finding.name for finding in found if not finding.ok} == bad
    assert all(finding.remedy for finding in found if not finding.ok)
    assert any(said in finding.detail for finding in found)
