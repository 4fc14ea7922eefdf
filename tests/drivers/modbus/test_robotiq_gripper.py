"""The gripper's driver as a device: opening, silence, refusals, health."""

from __future__ import annotations

import math

import pytest
from modbus_bench import CLOCK, HALF, Rigged, soon, spec

from drivers.modbus.robotiq import build
from hil.clock import VirtualClock
from hil.contracts import NEVER, BenchContext
from hil.errors import BadInput, DeadlineMissed, DeviceFault, LinkLost
from sim.emulated.robotiq import EMULATOR


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
