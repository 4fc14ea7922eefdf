"""The gripper's driver against an emulated gripper on a pseudo-terminal."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from modbus_bench import CLOCK, Rigged, soon, spec

from drivers.modbus.robotiq import build
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
from hil.clock import NS_PER_MS, VirtualClock
from hil.contracts import NEVER, BenchContext, Gripper, GripperCommand, GripperSample, WireUse
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HarnessError, LinkLost
from sim.emulated.robotiq import EMULATOR

MODELS = ("2f-85", "2f-140", "hand-e")
FAST = GripperCommand(0.0, 0.15, 235.0)
WIDE = GripperCommand(0.085, 0.15, 235.0)
HALF = GripperCommand(0.0425, 0.085, 127.5)


def until_still(gripper: Gripper, wait_ms: int = 5000) -> GripperSample:
    deadline = soon(wait_ms)
    while (sample := gripper.read(deadline)).moving or math.isnan(sample.opening_m):
        assert not deadline.expired
    return sample


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


def test_activation_waits_until_it_is_complete(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 0.3})
    assert isinstance(gripper, Gripper)
    with pytest.raises(HarnessError, match="without being enabled"):
        gripper.command(HALF, soon())
    gripper.enable(soon(10_000))
    status = rigged.pump.status()
    assert (status["activation"], status["going"], status["fault"]) == (3, False, 0)
    requests = rigged.pump.status()["requests"]
    gripper.enable(soon())
    assert rigged.pump.status()["requests"] == int(requests) + 1  # active: left as it is


@pytest.mark.parametrize("read_with_command", [False, True])
def test_no_command_before_enable_nor_after_make_safe(
    rigged: Rigged, read_with_command: bool
) -> None:
    """The gripper is active all the time, and would move at once."""
    gripper = rigged.gripper(read_with_command=read_with_command)

    def refused() -> None:
        start = len(rigged.pump.received)
        gripper.ping(soon())
        alone = rigged.pump.received[start:]
        with pytest.raises(HarnessError, match="tool: commanded without being enabled") as caught:
            gripper.command(FAST, soon())
        assert "call enable" in caught.value.remedy
        gripper.ping(soon())
        assert rigged.pump.received[start:] == 2 * alone, "pings, and no command"

    refused()
    gripper.enable(soon())
    assert gripper.make_safe(soon()).safe
    refused()
    proof = gripper.make_safe(soon())
    assert (proof.safe, proof.readings["gGTO"]) == (True, 0)
    gripper.enable(soon())
    gripper.command(FAST, soon())
    gripper.close()
    gripper.open(soon())
    with pytest.raises(HarnessError, match="without being enabled"):
        gripper.command(FAST, soon())


def test_gripper_whose_activation_failed_takes_no_command(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    rigged.pump.control({"faults": {"silent": True}})
    with pytest.raises(DeadlineMissed):
        gripper.enable(soon(100))
    rigged.pump.control({"faults": {}})
    with pytest.raises(HarnessError, match="without being enabled"):
        gripper.command(FAST, soon())


def test_activation_that_is_under_way_is_waited_for(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 0.4})
    with pytest.raises(DeadlineMissed):
        gripper.enable(soon(150))
    began = rigged.pump.received.count(b"\x01\x00\x00\x00\x00\x00")
    gripper.enable(soon(10_000))
    assert rigged.pump.received.count(b"\x01\x00\x00\x00\x00\x00") == began == 1


def test_failed_activation_is_named(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 0.1})
    rigged.pump.control({"activation_fails": True})
    deadline = soon(10_000)
    with pytest.raises(DeviceFault, match="activation failed"):
        gripper.enable(deadline)
    assert not deadline.expired
    rigged.pump.control({"activation_fails": False})
    gripper.enable(soon(10_000))  # resets it first


def test_activation_keeps_its_deadline(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 20})
    deadline = soon(120)
    with pytest.raises(DeadlineMissed, match="become active"):
        gripper.enable(deadline)
    assert deadline.expired


def test_a_lost_answer_does_not_end_activation(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 1.0})
    with pytest.raises(DeadlineMissed):
        gripper.enable(soon(300))
    rigged.pump.control({"faults": {"corrupt": 3}})
    with pytest.raises(DeadlineMissed, match="damaged"):
        gripper.enable(soon())  # the first question is one, and not one of many
    gripper._poll(gripper._active, "become active", soon(10_000))
    assert rigged.pump.status()["activation"] == 3
    assert gripper.counters()["damaged_answers"] >= 2


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
    "faults",
    [{"silent": True}, {"corrupt": 9}, {"unit": 3}, {"truncate": 6}, {"delay_us": 5_000_000}],
    ids=str,
)
def test_read_without_an_answer_is_absent_with_its_age(rigged: Rigged, faults: dict) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    rigged.pump.control({"faults": faults})
    asked_ns, deadline = CLOCK.now_ns(), soon()
    sample = gripper.read(deadline)
    assert not deadline.expired
    assert math.isnan(sample.opening_m)
    assert math.isnan(sample.effort)
    assert sample.holding is None
    assert sample.age_ns > sample.stamp_ns - asked_ns  # its last answer came before
    assert gripper.counters()["lost_answers"] == 1
    with pytest.raises(DeadlineMissed):
        gripper.command(HALF, soon())


def test_age_never_before_the_first_answer(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper._known = None
    rigged.pump.control({"faults": {"silent": True}})
    assert gripper.read(soon()).age_ns == NEVER


def test_refusal_is_a_fault_of_the_device(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    rigged.pump.control({"faults": {"exception": 4}})
    for use in (lambda: gripper.read(soon()), lambda: gripper.command(HALF, soon())):
        with pytest.raises(DeviceFault, match="device failure"):
            use()
    assert gripper.counters()["exceptions.device failure"] == 2


def test_silent_gripper_is_not_opened(rigged: Rigged) -> None:
    path = rigged.line(EMULATOR.build(EMULATOR.options()))
    rigged.pump.control({"faults": {"silent": True}})
    gripper = build(spec(path), BenchContext(CLOCK))
    with pytest.raises(DeadlineMissed, match="unit 9"):
        gripper.open(soon())
    rigged.pump.control({"faults": {}})
    gripper.open(soon())  # the port was released
    gripper.close()


def test_major_fault_stops_commands_until_a_reset(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activation_s": 0.1})
    gripper.enable(soon())
    rigged.pump.control({"fault": 14})
    with pytest.raises(DeviceFault, match="overcurrent"):
        gripper.command(HALF, soon())
    found = {finding.name: finding for finding in gripper.health(soon())}
    assert not found["gripper fault"].ok
    gripper.enable(soon(10_000))
    gripper.command(HALF, soon())


def test_gripper_that_lost_its_power_is_not_activated_by_a_command(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    rigged.pump.control({"power_cycle": True})
    sample = gripper.read(soon())
    assert (sample.moving, sample.holding) == (False, None)
    with pytest.raises(DeviceFault, match="not activated"):
        gripper.command(HALF, soon())
    assert rigged.pump.status()["activation"] == 0


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


def test_identity_health_and_ping(rigged: Rigged) -> None:
    gripper = rigged.gripper({"model": "2f-140"}, model="2f-140")
    found = gripper.identity(soon())
    assert found.model == "Robotiq 2F-140"
    assert found.detail["unit"] == 9
    assert all(finding.ok for finding in gripper.health(soon()))
    gripper.ping(soon())
    rigged.pump.control({"faults": {"silent": True}})
    (answers,) = gripper.health(soon())
    assert (answers.name, answers.ok) == ("answers", False)
    with pytest.raises(DeadlineMissed):
        gripper.ping(soon())


def test_health_tells_of_a_slow_adapter(rigged: Rigged, monkeypatch: pytest.MonkeyPatch) -> None:
    gripper = rigged.gripper()
    monkeypatch.setattr("drivers.transport.latency.latency_timer_ms", lambda *_: 16)
    found = {finding.name: finding for finding in gripper.health(soon())}
    assert not found["usb latency"].ok
    assert found["usb latency"].remedy


@pytest.mark.parametrize("after", [0, 1, 5, 10])
def test_unplugged_is_a_lost_link(rigged: Rigged, after: int) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    rigged.pump.unplug(after)
    for use in (
        lambda: gripper.read(soon()),
        lambda: gripper.command(HALF, soon()),
        lambda: gripper.ping(soon()),
    ):
        with pytest.raises(LinkLost):
            use()
    proof = gripper.make_safe(soon())
    assert not proof.safe
    assert "link lost" in proof.state
    gripper.close()
    gripper.close()


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"model": "2f-86"}, "2f-85"),
        ({"boud": 1}, "parameters.boud"),
        ({"unit": 0}, "parameters.unit"),
        ({"counts": {"open": 9, "closed": 9}}, "parameters.counts"),
        ({"answer_timeout_ms": 0}, "parameters.answer_timeout_ms"),
    ],
)
def test_bad_parameters_are_named(parameters: dict, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        build(spec("/dev/null", **parameters), BenchContext(CLOCK))
    assert part in str(caught.value)


def test_gripper_needs_a_port_and_a_wall_clock() -> None:
    with pytest.raises(BadInput, match="port"):
        build(spec(""), BenchContext(CLOCK))
    with pytest.raises(BadInput):
        build(spec("/dev/ptmx"), BenchContext(VirtualClock())).open(soon())
