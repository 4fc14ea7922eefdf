"""Making a gripper safe, in every state that it can be in."""

from __future__ import annotations

import pytest
from modbus_bench import CLOCK, Rigged, soon, spec

from drivers.modbus.robotiq import build
from hil.contracts import BenchContext, GripperCommand, Rescue
from sim.emulated.robotiq import EMULATOR

CLOSE = GripperCommand(0.0, 0.02, 100.0)


def test_moving_fingers_stop_where_they_are(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    gripper.command(CLOSE, soon())
    before = rigged.pump.status()
    assert before["torque_on"] == 1
    proof = gripper.make_safe(soon())
    assert proof.safe
    assert proof.readings["gGTO"] == 0
    assert proof.readings["gACT"] == 1
    status = rigged.pump.status()
    assert status["torque_on"] == 0
    assert proof.started_ns <= int(status["torque_off_ns"]) <= proof.proved_ns
    assert 0.0 < float(status["opening_m"]) < 0.085
    assert gripper.make_safe(soon()).safe  # as often as you like


def test_what_is_held_stays_held(rigged: Rigged) -> None:
    gripper = rigged.gripper({"object_m": 0.08})
    gripper.enable(soon())
    gripper.command(CLOSE, soon())
    deadline = soon()
    while gripper.read(deadline).holding is not True:
        assert not deadline.expired
    opening = rigged.pump.status()["opening_m"]
    assert gripper.make_safe(soon()).safe
    assert rigged.pump.status()["opening_m"] == opening
    gripper.enable(soon())
    assert rigged.pump.status()["opening_m"] == opening
    gripper.command(CLOSE, soon())  # and it takes commands again, without a stroke


def test_gripper_that_is_not_activated_is_left_alone(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False})
    proof = gripper.make_safe(soon())
    assert proof.safe
    assert rigged.pump.status()["activation"] == 0
    assert b"\x09\x10" not in rigged.pump.received
    assert b"\x09\x17" not in rigged.pump.received


def test_activation_under_way_is_broken_off(rigged: Rigged) -> None:
    gripper = rigged.gripper({"activated": False, "activation_s": 20})
    with pytest.raises(Exception, match="become active"):
        gripper.enable(soon(100))
    assert rigged.pump.status()["activation"] == 1
    proof = gripper.make_safe(soon())
    assert proof.safe
    assert rigged.pump.status()["torque_on"] == 0


def test_automatic_release_is_no_rest(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    rigged.pump.control({"fault": 11})
    assert gripper.read(soon()).moving
    proof = gripper.make_safe(soon())
    assert not proof.safe
    assert proof.readings["gFLT"] == 11
    rigged.pump.control({"fault": 15})  # it is over
    assert gripper.make_safe(soon()).safe


@pytest.mark.parametrize("faults", [{"corrupt": 2}, {"duplicate": True}, {"delay_us": 20_000}])
def test_bad_line_is_got_over(rigged: Rigged, faults: dict) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    gripper.command(CLOSE, soon())
    rigged.pump.control({"faults": faults})
    assert gripper.make_safe(soon()).safe
    assert rigged.pump.status()["torque_on"] == 0


def test_silent_gripper_is_stopped_though_it_cannot_be_proved(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    gripper.command(CLOSE, soon())
    rigged.pump.control({"faults": {"silent": True}})
    deadline = soon()
    proof = gripper.make_safe(deadline)
    assert not deadline.expired
    assert not proof.safe
    assert proof.readings == {"status": "no answer"}
    assert rigged.pump.status()["torque_on"] == 0


def test_flooded_line_does_not_hold_back_the_stop(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    gripper.command(CLOSE, soon())
    rigged.pump.control({"faults": {"flood_bytes_s": 100_000}})
    deadline = soon()
    gripper.make_safe(deadline)
    assert not deadline.expired
    assert rigged.pump.status()["torque_on"] == 0


def test_stop_leaves_even_after_the_deadline(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    gripper.command(CLOSE, soon())
    gripper.make_safe(soon(0))
    gripper.ping(soon())  # the gripper obeys in order
    assert rigged.pump.status()["torque_on"] == 0


def test_rescue_by_somebody_who_never_opened_it(rigged: Rigged) -> None:
    gripper = rigged.gripper()
    gripper.enable(soon())
    gripper.command(CLOSE, soon())
    gripper.close()
    other = build(spec(rigged.pump.path), BenchContext(CLOCK))
    assert isinstance(other, Rescue)
    assert other.rescue(soon()).safe
    assert rigged.pump.status()["torque_on"] == 0
    assert not other.make_safe(soon()).safe  # it is not open
    gripper.open(soon())  # the port was released


def test_rescue_never_starts_an_activation(rigged: Rigged) -> None:
    path = rigged.line(EMULATOR.build(EMULATOR.options()))
    rigged.pump.control({"faults": {"silent": True}})
    proof = build(spec(path), BenchContext(CLOCK)).rescue(soon())
    assert not proof.safe
    assert rigged.pump.status()["activation"] == 0
