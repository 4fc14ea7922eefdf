from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hil.clock import Deadline, VirtualClock, WallClock
from hil.contracts import NEVER, BenchContext, DeviceSpec, Joints, Scene
from hil.errors import BadInput, DeadlineMissed, HarnessError, RigError
from sim.arm import COUNT_RAD, SimArm
from sim.devices import build_arm, build_scene
from sim.plant import Plant
from sim.plants import so101
from sim.robots.so101 import HOME
from sim.scene import SimScene
from sim.tasks.press_turn import TASK, Parameters

READ_NS, COMMAND_NS = 1_500_000, 300_000


def _spec(driver: str, **parameters: object) -> DeviceSpec:
    return DeviceSpec(driver.removeprefix("sim-"), driver, "", parameters, Path())


class Bench:
    def __init__(self, **parameters: object) -> None:
        self.clock = VirtualClock()
        self.plant: Plant = so101(1000)
        context = BenchContext(self.clock, self.plant)
        self.arm: SimArm = build_arm(_spec("sim-arm", **parameters), context)
        self.scene: SimScene = build_scene(_spec("sim-scene"), context)
        self.far = Deadline.after_s(self.clock, 1e6)

    def start(self) -> None:
        self.scene.arrange({}, self.far)
        self.arm.open(self.far)
        self.arm.enable(self.far)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.start()
    yield made
    made.arm.close()
    made.plant.close()


def test_they_keep_the_contracts(bench: Bench) -> None:
    assert isinstance(bench.arm, Joints)
    assert isinstance(bench.scene, Scene)
    assert bench.arm.names[0] == "shoulder_pan"
    assert bench.arm.identity(bench.far).detail["read_us"] == 1500
    assert all(finding.ok for finding in bench.arm.health(bench.far))


def test_bus_calls_take_their_declared_time_and_the_plant_moves_meanwhile(bench: Bench) -> None:
    bench.arm.command(HOME + 0.3, bench.far)
    for _ in range(20):
        before_ns, before = bench.clock.now_ns(), bench.plant.joints()[0]
        bench.arm.read(bench.far)
        assert bench.clock.now_ns() - before_ns == READ_NS
    assert bench.plant.joints()[0][0] > before[0]
    before_ns = bench.clock.now_ns()
    bench.arm.command(HOME, bench.far)
    assert bench.clock.now_ns() - before_ns == COMMAND_NS


def test_thinking_is_not_free(bench: Bench) -> None:
    """Two runs that differ in the time passed between command and read see another arm."""
    seen = []
    for pause_ns in (1_000_000, 60_000_000):
        bench.scene.arrange({}, bench.far)
        bench.arm.command(HOME + 0.3, bench.far)
        bench.clock.advance(pause_ns)
        seen.append(bench.arm.read(bench.far).position[0])
    assert seen[1] > seen[0] + 0.02


def test_a_read_is_quantised_aged_and_stamped(bench: Bench) -> None:
    bench.arm.command(HOME + 0.3, bench.far)
    bench.clock.advance(40_000_000)
    sample = bench.arm.read(bench.far)
    counts = sample.position / COUNT_RAD
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    assert sample.stamp_ns == bench.clock.now_ns()
    np.testing.assert_array_equal(sample.age_ns, np.full(6, READ_NS - READ_NS // 2))
    assert sample.present.all()
    assert np.abs(sample.effort).max() <= 1.0


def test_commands_are_limited_and_quantised(bench: Bench) -> None:
    applied = bench.arm.command(np.full(6, 9.0), bench.far)
    np.testing.assert_allclose(applied, bench.arm.limits.upper, atol=COUNT_RAD / 2)
    applied = bench.arm.command(HOME + 0.0001, bench.far)
    np.testing.assert_allclose(applied / COUNT_RAD, np.round(applied / COUNT_RAD), atol=1e-9)


@pytest.mark.parametrize("target", [np.zeros(5), np.array([0, 0, math.nan, 0, 0, 0])])
def test_a_target_that_is_none_is_refused(bench: Bench, target: np.ndarray) -> None:
    with pytest.raises(BadInput, match="no joint target"):
        bench.arm.command(target, bench.far)


def test_targets_are_reached_and_held(bench: Bench) -> None:
    target = HOME + np.array([0.3, 0.2, -0.2, -0.3, 0.3, 0.3])
    applied = bench.arm.command(target, bench.far)
    bench.clock.advance(1_000_000_000)
    np.testing.assert_allclose(bench.arm.read(bench.far).position, applied, atol=0.012)


def test_servo_limits_are_kept() -> None:
    bench = Bench(speed_rad_s=1.0, acceleration_rad_s2=10.0)
    try:
        bench.start()
        bench.arm.command(HOME + np.array([1.0, 0, 0, 0, 0, 0]), bench.far)
        fastest = 0.0
        for _ in range(200):
            bench.clock.advance(5_000_000)
            fastest = max(fastest, bench.arm.read(bench.far).velocity[0])
        assert 0.9 < fastest < 1.1
        assert bench.arm.read(bench.far).position[0] == pytest.approx(1.0, abs=0.005)
    finally:
        bench.plant.close()


def test_no_time_no_answer(bench: Bench) -> None:
    now_ns = bench.clock.now_ns()
    sample = bench.arm.read(Deadline.after(bench.clock, READ_NS - 1))
    assert not sample.present.any()
    assert bench.clock.now_ns() == now_ns + READ_NS - 1
    np.testing.assert_array_equal(sample.age_ns, np.full(6, NEVER))
    assert bench.arm.counters() == {"lost_answers": 6}
    bench.arm.read(bench.far)
    late = bench.arm.read(Deadline.after(bench.clock, 1000))
    np.testing.assert_array_equal(late.age_ns, np.full(6, READ_NS - READ_NS // 2 + 1000))
    with pytest.raises(DeadlineMissed, match="command"):
        bench.arm.command(HOME, Deadline.after(bench.clock, COMMAND_NS - 1))
    with pytest.raises(DeadlineMissed, match="ping"):
        bench.arm.ping(Deadline.after(bench.clock, 1))


def test_without_enable_nothing_pulls_and_no_command_is_taken() -> None:
    bench = Bench()
    try:
        bench.scene.arrange({}, bench.far)
        bench.arm.open(bench.far)
        before_ns = bench.clock.now_ns()
        with pytest.raises(HarnessError, match="arm: commanded without being enabled") as caught:
            bench.arm.command(HOME + 0.3, bench.far)
        assert "call enable" in caught.value.remedy
        assert bench.clock.now_ns() == before_ns, "nothing was sent, which takes no time"
        bench.clock.advance(300_000_000)
        assert abs(bench.arm.read(bench.far).position[0]) < 0.01
    finally:
        bench.plant.close()


def test_made_safe_the_arm_is_without_torque(bench: Bench) -> None:
    proof = bench.arm.make_safe(bench.far)
    assert proof.safe
    assert proof.state == "torque off"
    assert set(proof.readings.values()) == {0}
    assert len(proof.readings) == 6
    with pytest.raises(HarnessError, match="without being enabled"):
        bench.arm.command(HOME + 0.3, bench.far)
    bench.clock.advance(500_000_000)
    assert abs(bench.arm.read(bench.far).position[0]) < 0.05
    assert bench.arm.make_safe(bench.far).safe
    assert bench.scene.make_safe(bench.far).state == "passive"


def test_opened_anew_the_arm_is_without_torque(bench: Bench) -> None:
    bench.arm.command(HOME + 0.3, bench.far)
    bench.arm.close()
    bench.arm.open(bench.far)
    assert not bench.plant.driven().any()
    with pytest.raises(HarnessError, match="without being enabled"):
        bench.arm.command(HOME, bench.far)
    bench.arm.enable(bench.far)
    bench.arm.command(HOME, bench.far)
    assert bench.plant.driven().all()


def test_arranging_places_the_arm_and_keeps_the_clock(bench: Bench) -> None:
    draw = TASK.draw(Parameters(), np.random.default_rng(1))
    bench.clock.advance(123_456_789)
    bench.scene.arrange(draw, bench.far)
    np.testing.assert_allclose(bench.plant.joints()[0], TASK.start_pose(draw))
    bench.clock.advance(100_000_000)
    np.testing.assert_allclose(
        bench.arm.read(bench.far).position, TASK.start_pose(draw), atol=0.012
    )
    assert set(bench.scene.track(bench.far)) == {"switch"}
    assert bench.scene.witness(bench.far)["switch_on"] == 0.0
    picture = bench.scene.picture(bench.far)
    assert picture is not None
    assert picture.shape == (240, 320, 3)


def test_equal_histories_give_equal_samples() -> None:
    samples = []
    for _ in range(2):
        bench = Bench()
        bench.start()
        for tick in range(30):
            bench.arm.command(HOME + 0.01 * tick, bench.far)
            bench.clock.advance(17_000_000)
            samples.append(bench.arm.read(bench.far).position)
        bench.plant.close()
    np.testing.assert_array_equal(samples[:30], samples[30:])


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"raed_us": 1500}, "raed_us: unknown key; did you mean .read_us"),
        ({"read_us": -1}, "read_us"),
        ({"acceleration_rad_s2": 0.0}, "acceleration_rad_s2"),
        ({"command_us": "soon"}, "command_us"),
    ],
)
def test_parameters_that_cannot_be_are_named(parameters: dict[str, object], named: str) -> None:
    plant = so101(1000)
    try:
        with pytest.raises(BadInput, match=named):
            build_arm(_spec("sim-arm", **parameters), BenchContext(VirtualClock(), plant))
        with pytest.raises(BadInput, match="sim-scene"):
            build_scene(_spec("sim-scene", x=1), BenchContext(VirtualClock(), plant))
    finally:
        plant.close()


def test_the_bench_must_be_a_simulated_one() -> None:
    with pytest.raises(BadInput, match="plant"):
        build_arm(_spec("sim-arm"), BenchContext(VirtualClock()))
    plant = so101(1000)
    try:
        with pytest.raises(RigError, match="virtual clock"):
            build_scene(_spec("sim-scene"), BenchContext(WallClock(), plant))
    finally:
        plant.close()
