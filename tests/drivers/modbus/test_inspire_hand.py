"""The hand's driver against an emulated hand, by both protocols."""

from __future__ import annotations

import math

import numpy as np
import pytest
from modbus_bench import CLOCK, Rigged, soon, spec

from drivers.modbus.hand_table import load_hand
from drivers.modbus.inspire import build
from drivers.modbus.inspire_health import HandState, findings
from hil.contracts import NEVER, BenchContext, Joints, JointSample, Rescue, WireUse
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HarnessError, LinkLost
from sim.emulated.inspire import EMULATOR

TABLE = load_hand("rh56dfx")
NAMES = ("little", "ring", "middle", "index", "thumb_bend", "thumb_rotation")
OPEN = np.zeros(6)
HALF = TABLE.limits.upper / 2
BENT = TABLE.limits.upper
STEP = (TABLE.limits.upper - TABLE.limits.lower) / 1000

both = pytest.mark.parametrize("protocol", ["modbus", "eb90"])


def until_still(hand: Joints, wait_ms: int = 6000) -> JointSample:
    """Until the fingers have been seen on their way, and two readings apart agree."""
    deadline = soon(wait_ms)
    until_moving(hand)
    while True:
        sample = hand.read(deadline)
        if (np.abs(sample.velocity) < 1e-9).all():
            return sample
        assert not deadline.expired


def until_moving(hand: Joints) -> None:
    """Until the hand has shown that its fingers have left their places."""
    deadline = soon()
    while (hand.read(deadline).position < STEP).any():
        assert not deadline.expired


def test_counts_are_angles_and_back() -> None:
    counts = np.array([0, 250, 500, 750, 1000, 1])
    angles = TABLE.to_radians(counts)
    assert (TABLE.to_counts(angles) == counts).all()
    assert angles[0] == pytest.approx(math.radians(157.7), abs=1e-4)
    assert angles[4] == pytest.approx(0)
    assert (TABLE.to_counts(np.full(6, 99.0)) == 0).all()
    assert (TABLE.to_counts(np.full(6, -99.0)) == 1000).all()


def test_names_of_errors() -> None:
    assert TABLE.error_names(0b101) == ["stalled", "overcurrent"]
    assert TABLE.error_names(0b100000) == ["unknown error 0x20"]
    assert not TABLE.blocked(0b00010)
    assert TABLE.blocked(0b00001)


@both
def test_it_is_joints_and_moves(rigged: Rigged, protocol: str) -> None:
    hand = rigged.hand(protocol=protocol)
    assert isinstance(hand, Joints)
    assert hand.names == NAMES
    hand.enable(soon())
    assert rigged.pump.status()["torque_on"] == 0
    applied = hand.command(HALF, soon())
    assert applied == pytest.approx(HALF, abs=float(STEP.max() / 2) + 1e-9)
    sample = until_still(hand)
    assert sample.present.all()
    assert sample.position == pytest.approx(applied, abs=1e-9)
    assert sample.effort == pytest.approx(np.zeros(6))
    assert (sample.age_ns >= 0).all()


@both
def test_velocity_comes_from_positions_and_is_absent_at_first(
    rigged: Rigged, protocol: str
) -> None:
    hand = rigged.hand({"refresh_ms": 1}, protocol=protocol, speed=0.5)
    hand.enable(soon())
    assert np.isnan(hand.read(soon()).velocity).all()
    hand.command(BENT, soon())
    deadline, seen = soon(), []
    while len(seen) < 20:
        velocity = hand.read(deadline).velocity
        if not np.isnan(velocity).any():
            seen.append(velocity)
        assert not deadline.expired
    assert np.median(seen, axis=0) == pytest.approx(hand.limits.velocity, rel=0.25)


@both
def test_command_is_clipped(rigged: Rigged, protocol: str) -> None:
    hand = rigged.hand(protocol=protocol)
    hand.enable(soon())
    assert hand.command(np.full(6, 9.0), soon()) == pytest.approx(hand.limits.upper)
    assert hand.command(np.full(6, -9.0), soon()) == pytest.approx(hand.limits.lower)


@pytest.mark.parametrize("target", [np.zeros(5), np.array([0, 0, np.nan, 0, 0, 0])])
def test_target_that_is_none_is_refused(rigged: Rigged, target: np.ndarray) -> None:
    hand = rigged.hand()
    hand.enable(soon())
    before = len(rigged.pump.received)
    with pytest.raises(HarnessError, match="targets"):
        hand.command(target, soon())
    assert len(rigged.pump.received) == before


@both
def test_finger_stops_at_its_force_and_tells_it(rigged: Rigged, protocol: str) -> None:
    hand = rigged.hand(protocol=protocol, force_n={"index": 4.9})
    hand.enable(soon())
    rigged.pump.control({"objects": {"index": 600, "middle": 600}})
    hand.command(BENT, soon())
    sample = until_still(hand)
    assert sample.effort[3] == pytest.approx(0.5, abs=0.02)
    assert sample.effort[2] == pytest.approx(1.0, abs=0.02)
    assert sample.position[3] < sample.position[0]
    newtons = hand.forces(soon()).newtons
    assert newtons[3] == pytest.approx(4.9, abs=0.15)
    assert newtons[0] == 0


def test_speed_and_force_are_set_when_it_is_opened(rigged: Rigged) -> None:
    rigged.hand(speed=0.25, force_n=2.0)
    sent = bytes(rigged.pump.received)
    assert (1522).to_bytes(2, "big") + b"\0\6\14" + (250).to_bytes(2, "big") * 6 in sent
    assert (1498).to_bytes(2, "big") + b"\0\6\14" + (204).to_bytes(2, "big") * 6 in sent
    assert (1486).to_bytes(2, "big") not in sent


def test_calibration_of_one_hand(rigged: Rigged) -> None:
    hand = rigged.hand(calibration={"index": {"rad_at_0": -1.0, "rad_at_full": 0.5}})
    assert (hand.limits.lower[3], hand.limits.upper[3]) == (-1.0, 0.5)
    assert hand.read(soon()).position[3] == pytest.approx(0.5)


@both
@pytest.mark.parametrize("faults", [{"silent": True}, {"corrupt": 9}, {"unit": 9}, {"truncate": 7}])
def test_read_without_an_answer_is_absent_with_its_age(
    rigged: Rigged, faults: dict, protocol: str
) -> None:
    hand = rigged.hand(protocol=protocol)
    hand.enable(soon())
    rigged.pump.control({"faults": faults})
    asked_ns, deadline = CLOCK.now_ns(), soon()
    sample = hand.read(deadline)
    assert not deadline.expired
    assert not sample.present.any()
    assert np.isnan(sample.velocity).all()
    assert (sample.age_ns > sample.stamp_ns - asked_ns).all()
    with pytest.raises(DeadlineMissed):
        hand.command(HALF, soon())


def test_lost_forces_leave_the_positions(rigged: Rigged, monkeypatch: pytest.MonkeyPatch) -> None:
    hand = rigged.hand()
    ask = hand._forces

    def lose_them(link: object, deadline: object) -> object:
        rigged.pump.control({"faults": {"corrupt": 1}})
        return ask(link, deadline)  # type: ignore[arg-type]

    monkeypatch.setattr(hand, "_forces", lose_them)
    sample = hand.read(soon())
    assert sample.present.all()
    assert np.isnan(sample.effort).all()
    assert hand.counters()["damaged_answers"] == 1


def test_age_never_before_the_first_answer(rigged: Rigged) -> None:
    hand = rigged.hand()
    hand._seen.clear()
    rigged.pump.control({"faults": {"silent": True}})
    assert (hand.read(soon()).age_ns == NEVER).all()


def test_refusal_is_a_fault_of_the_device(rigged: Rigged) -> None:
    hand = rigged.hand()
    rigged.pump.control({"faults": {"exception": 4}})
    with pytest.raises(DeviceFault, match="device failure"):
        hand.read(soon())


@both
def test_stuck_finger_is_named_and_can_be_cleared(rigged: Rigged, protocol: str) -> None:
    hand = rigged.hand(protocol=protocol)
    rigged.pump.control({"errors": {"ring": 1, "index": 4}})
    with pytest.raises(DeviceFault, match=r"ring stalled; index overcurrent"):
        hand.enable(soon())
    found = {finding.name: finding for finding in hand.health(soon())}
    assert not found["errors"].ok
    assert "ring stalled" in found["errors"].detail
    hand.close()
    again = build(
        spec(rigged.pump.path, "inspire-hand", protocol=protocol, clear_errors=True),
        BenchContext(CLOCK),
    )
    again.open(soon())
    again.enable(soon())
    again.close()


@both
def test_health_tells_forces_currents_heat_and_states(rigged: Rigged, protocol: str) -> None:
    hand = rigged.hand(protocol=protocol)
    found = {finding.name: finding for finding in hand.health(soon())}
    assert set(found) == {"answers", "errors", "temperature", "force", "current", "motion"}
    assert all(finding.ok for finding in found.values())
    rigged.pump.control({"temperature_c": {"thumb_bend": 71}})
    hot = {finding.name: finding for finding in hand.health(soon())}["temperature"]
    assert not hot.ok
    assert "thumb_bend 71" in hot.detail
    rigged.pump.control({"faults": {"silent": True}})
    assert [finding.ok for finding in hand.health(soon())] == [False]


def test_finger_that_stopped_by_itself_is_told() -> None:
    zeros = [0] * 6
    state = HandState(zeros, zeros, zeros, zeros, [2, 2, 2, 6, 2, 9], [30] * 6)
    motion = next(found for found in findings(TABLE, state) if found.name == "motion")
    assert not motion.ok
    assert motion.detail == "index stopped, stalled, thumb_rotation in state 9"


@pytest.mark.parametrize(
    ("protocol", "effort", "read", "command"),
    [("modbus", True, 50, 29), ("modbus", False, 25, 29), ("eb90", True, 58, 29)],
)
def test_wire_uses(rigged: Rigged, protocol: str, effort: bool, read: int, command: int) -> None:
    hand = rigged.hand(protocol=protocol, read_effort=effort)
    assert hand.wire_uses() == {
        "read": WireUse(read, 115_200, 10),
        "command": WireUse(command, 115_200, 10),
    }


def test_identity_and_ping(rigged: Rigged) -> None:
    hand = rigged.hand()
    assert hand.identity(soon()).model == "Inspire RH56DFX"
    hand.ping(soon())
    rigged.pump.control({"faults": {"silent": True}})
    with pytest.raises(DeadlineMissed):
        hand.ping(soon())


@both
def test_moving_fingers_are_held_where_they_are(rigged: Rigged, protocol: str) -> None:
    hand = rigged.hand(protocol=protocol, speed=0.2)
    hand.enable(soon())
    hand.command(BENT, soon())
    until_moving(hand)
    assert rigged.pump.status()["torque_on"] == 6
    proof = hand.make_safe(soon())
    assert proof.safe
    status = rigged.pump.status()
    assert status["torque_on"] == 0
    assert proof.started_ns <= int(status["torque_off_ns"]) <= proof.proved_ns
    assert proof.readings["target.index"] == pytest.approx(status["count.index"], abs=6)
    assert 0 < float(status["count.index"]) < 1000
    assert hand.make_safe(soon()).safe


@both
def test_no_command_before_enable_nor_after_make_safe(rigged: Rigged, protocol: str) -> None:
    """The drives are energised all the time, and a target would set the fingers moving."""
    hand = rigged.hand(protocol=protocol)

    def refused() -> None:
        start = len(rigged.pump.received)
        hand.ping(soon())
        alone = rigged.pump.received[start:]
        with pytest.raises(HarnessError, match="tool: commanded without being enabled") as caught:
            hand.command(BENT, soon())
        assert "call enable" in caught.value.remedy
        hand.ping(soon())
        assert rigged.pump.received[start:] == 2 * alone, "pings, and no command"

    refused()
    hand.enable(soon())
    assert hand.make_safe(soon()).safe
    refused()
    assert rigged.pump.status()["torque_on"] == 0
    assert hand.make_safe(soon()).safe
    hand.enable(soon())
    hand.command(HALF, soon())
    hand.close()
    hand.open(soon())
    with pytest.raises(HarnessError, match="without being enabled"):
        hand.command(BENT, soon())


@both
def test_what_is_held_stays_held(rigged: Rigged, protocol: str) -> None:
    hand = rigged.hand(protocol=protocol)
    hand.enable(soon())
    rigged.pump.control({"objects": {"index": 600, "thumb_bend": 500}})
    hand.command(BENT, soon())
    until_still(hand)
    before = rigged.pump.status()["force.index"]
    assert hand.make_safe(soon()).safe
    assert rigged.pump.status()["force.index"] == pytest.approx(before, abs=13)


@pytest.mark.parametrize("faults", [{"corrupt": 2}, {"duplicate": True}, {"delay_us": 20_000}])
def test_safe_over_a_bad_line(rigged: Rigged, faults: dict) -> None:
    hand = rigged.hand(speed=0.1)
    hand.enable(soon())
    hand.command(BENT, soon())
    hand.read(soon())
    rigged.pump.control({"faults": faults})
    assert hand.make_safe(soon(4000)).safe


def test_silent_hand_is_told_to_stay_where_it_was_last_seen(rigged: Rigged) -> None:
    hand = rigged.hand(speed=0.1, answer_timeout_ms=60)
    hand.enable(soon())
    hand.command(BENT, soon())
    hand.read(soon())
    rigged.pump.control({"faults": {"silent": True}})
    deadline = soon(20_000)
    proof = hand.make_safe(deadline)
    assert not deadline.expired
    assert not proof.safe
    assert proof.readings["position.index"] == "no answer"
    status = rigged.pump.status()
    assert float(status["target.index"]) == pytest.approx(float(status["count.index"]), abs=60)


def test_rescue_by_somebody_who_never_opened_it(rigged: Rigged) -> None:
    hand = rigged.hand(speed=0.1)
    hand.enable(soon())
    hand.command(BENT, soon())
    hand.close()
    other = build(spec(rigged.pump.path, "inspire-hand"), BenchContext(CLOCK))
    assert isinstance(other, Rescue)
    assert other.rescue(soon()).safe
    assert rigged.pump.status()["torque_on"] == 0
    assert not other.make_safe(soon()).safe


@both
@pytest.mark.parametrize("after", [0, 1, 8, 16])
def test_unplugged_is_a_lost_link(rigged: Rigged, after: int, protocol: str) -> None:
    hand = rigged.hand(protocol=protocol)
    hand.enable(soon())
    rigged.pump.unplug(after)
    for use in (lambda: hand.read(soon()), lambda: hand.command(HALF, soon())):
        with pytest.raises(LinkLost):
            use()
    proof = hand.make_safe(soon())
    assert not proof.safe
    assert "link lost" in proof.state


def test_silent_hand_is_not_opened(rigged: Rigged) -> None:
    path = rigged.line(EMULATOR.build(EMULATOR.options(protocol="eb90")))
    hand = build(spec(path, "inspire-hand"), BenchContext(CLOCK))  # the wrong protocol
    with pytest.raises(DeadlineMissed, match="kept silent"):
        hand.open(soon())


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"model": "rh57"}, "rh56dfx"),
        ({"protocol": "canbus"}, "parameters.protocol"),
        ({"force_n": {"pinky": 1.0}}, "little"),
        ({"calibration": {"pinky": {"rad_at_0": 1.0}}}, "little"),
        ({"speed": 0}, "parameters.speed"),
    ],
)
def test_bad_parameters_are_named(parameters: dict, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        build(spec("/dev/null", "inspire-hand", **parameters), BenchContext(CLOCK))
    assert part in str(caught.value)


def test_hand_needs_a_port() -> None:
    with pytest.raises(BadInput, match="port"):
        build(spec("", "inspire-hand"), BenchContext(CLOCK))
