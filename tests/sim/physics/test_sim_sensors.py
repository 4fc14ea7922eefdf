"""Simulated sensors say what is true at the robot, late and with their own errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.clock import Deadline, VirtualClock
from hil.contracts import NEVER, BenchContext, Capability, DeviceSpec, Sensor
from hil.errors import BadInput, DeadlineMissed
from sim.devices import build_arm, build_scene, build_touch, build_wrench
from sim.plant import Plant
from sim.plants import panda, so101
from sim.robots.gripper import GRIP, angle_for
from sim.robots.kinematics import tool_pose
from sim.robots.so101 import GRAVITY

ERRORS = "noise_n noise_nm bias_n bias_nm walk_n walk_nm gain_error crosstalk"
EXACT_WRENCH = dict.fromkeys([*ERRORS.split(), "resolution_n", "resolution_nm"], 0.0)
EXACT_PAD: dict[str, Any] = {
    "noise_n": 0.0,
    "walk_n": 0.0,
    "threshold_n": 0.0,
    "saturation_n": 100.0,
    "size_m": (0.021, 0.023),
}
EDGE = 0.04


def _spec(driver: str, **parameters: object) -> DeviceSpec:
    return DeviceSpec(driver, driver, "", parameters, Path())


class Bench:
    """A simulated seven-axis arm with sensors, holding still."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.plant: Plant = panda(1000)
        self.context = BenchContext(self.clock, self.plant)
        self.far = Deadline.after_s(self.clock, 1e6)
        self.arm = build_arm(_spec("sim-arm"), self.context)
        self.scene = build_scene(_spec("sim-scene"), self.context)

    def wrench(self, **model: Any) -> Sensor:
        return build_wrench(_spec("sim-wrench", model=model), self.context)

    def touch(self, tip: str, **model: Any) -> Sensor:
        return build_touch(_spec("sim-touch", tip=tip, model=model), self.context)

    def begin(self, scene: dict[str, object], *sensors: Sensor) -> None:
        for device in (self.arm, self.scene, *sensors):
            device.open(self.far)
        self.scene.arrange(scene, self.far)
        self.arm.enable(self.far)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.plant.close()


def test_the_wrist_feels_the_weight_behind_it(bench: Bench) -> None:
    sensor = bench.wrench(**EXACT_WRENCH)
    bench.begin({"start": bench.plant.home.tolist()}, sensor)
    bench.clock.advance(1_000_000_000)
    sample = sensor.sample(bench.far)
    robot = bench.plant.robots[0]
    behind = ("link7", "hand", "left_finger", "right_finger")
    mass = sum(link.inertial.mass for link in robot.body.links if link.name in behind)
    assert np.linalg.norm(sample.value[:3]) == pytest.approx(mass * GRAVITY, rel=0.01)
    # the flange points down at home, and so does the weight: along z of the link behind it
    assert sample.value[2] == pytest.approx(mass * GRAVITY, rel=0.01)
    assert isinstance(sensor, Sensor)
    assert sensor.facts.kind is Capability.FORCE_TORQUE


def test_both_pads_feel_the_grip_on_a_block(bench: Bench) -> None:
    pads = [bench.touch(tip, **EXACT_PAD) for tip in ("left", "right")]
    home = bench.plant.home.copy()
    home[7] = angle_for(EDGE + 0.01)
    tool = bench.plant.robots[0].tools["grip"]
    at = tool_pose(tool.chain, home[:7]).position
    block = {
        "kind": "body",
        "name": "block",
        "parts": [{"shape": "box", "size": [EDGE, EDGE, EDGE]}],
        "mass": 0.05,
        "friction": 0.9,
        "at": at.tolist(),
    }
    stand = {
        "kind": "body",
        "name": "stand",
        "fixed": True,
        "parts": [{"shape": "box", "size": [0.015, 0.015, at[2] - EDGE / 2]}],
        "at": [at[0], at[1], (at[2] - EDGE / 2) / 2],
    }
    bench.begin({"elements": [stand, block], "start": home.tolist()}, *pads)
    before = pads[0].sample(bench.far)
    closed = home.copy()
    closed[7] = angle_for(EDGE - 0.01)
    bench.arm.command(closed, bench.far)
    bench.clock.advance(1_500_000_000)
    for pad in pads:
        normal = pad.sample(bench.far).value[: len(pad.facts.labels) // 3]
        assert normal.sum() == pytest.approx(GRIP, rel=0.05)
    assert not np.nansum(before.value)


def test_nothing_is_seen_before_its_delay_and_a_new_scene_begins_anew(bench: Bench) -> None:
    sensor = bench.wrench(delay_s=0.05, jitter_s=0.0)
    bench.begin({"tracker": {"seed": 5}}, sensor)
    first = sensor.sample(bench.far)
    assert np.isnan(first.value).all()
    assert (first.age_ns == NEVER).all()
    bench.clock.advance(100_000_000)
    seen = sensor.sample(bench.far)
    assert (seen.age_ns >= 50_000_000).all()
    again = []
    for seed in (5, 5, 6):
        bench.scene.arrange({"tracker": {"seed": seed}}, bench.far)
        bench.clock.advance(200_000_000)
        again.append(sensor.sample(bench.far).value)
    np.testing.assert_array_equal(again[0], again[1])
    assert (again[0] != again[2]).any()


def test_a_read_takes_its_time_or_misses_its_deadline(bench: Bench) -> None:
    sensor = bench.wrench()
    bench.begin({}, sensor)
    with pytest.raises(DeadlineMissed):
        sensor.sample(Deadline.after(bench.clock, 50_000))
    before_ns = bench.clock.now_ns()
    sensor.sample(bench.far)
    assert bench.clock.now_ns() - before_ns == 100_000


def test_what_a_robot_does_not_have_is_named(bench: Bench) -> None:
    with pytest.raises(BadInput, match=r"thumb.*\n.*left"):
        bench.touch("thumb")
    with pytest.raises(BadInput, match="rate_hz"):
        bench.wrench(rate_hz=-1)
    plant = so101(1000)
    try:
        with pytest.raises(BadInput, match="wrist"):
            build_wrench(_spec("sim-wrench"), BenchContext(VirtualClock(), plant))
    finally:
        plant.close()
