"""Microphone, inertia, tracker and camera of a simulated bench, as devices of a rig."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.clock import Deadline, VirtualClock
from hil.contracts import NEVER, BenchContext, Camera, Capability, Device, DeviceSpec, Sensor
from hil.errors import BadInput, DeadlineMissed
from sim.cameras import DepthFrame, SimCamera
from sim.devices import (
    build_arm,
    build_camera,
    build_imu,
    build_microphone,
    build_scene,
    build_tracker,
)
from sim.plant import Plant
from sim.plants import panda
from sim.robots.so101 import GRAVITY
from sim.sensing.levels import LABELS

MS = 1_000_000
EXACT: dict[str, Any] = {
    "noise_density": 0.0,
    "bias": 0.0,
    "walk": 0.0,
    "resolution": 0.0,
    "range": 500.0,
}


def _spec(driver: str, **parameters: object) -> DeviceSpec:
    return DeviceSpec(driver, driver, "", parameters, Path())


def body(name: str, at: list[float], size: list[float], **more: object) -> dict[str, object]:
    part = {"shape": "box", "size": size, "colour": [0.9, 0.1, 0.1, 1.0]}
    return {"kind": "body", "name": name, "at": at, "parts": [part], **more}


class Bench:
    """A seven-axis arm on a virtual clock, and whatever looks and listens."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.plant: Plant = panda(500)
        self.context = BenchContext(self.clock, self.plant)
        self.far = Deadline.after_s(self.clock, 1e6)
        self.arm = build_arm(_spec("sim-arm"), self.context)
        self.scene = build_scene(_spec("sim-scene"), self.context)

    def microphone(self, **parameters: object) -> Sensor:
        return build_microphone(_spec("sim-microphone", **parameters), self.context)

    def imu(self, **parameters: object) -> Sensor:
        return build_imu(_spec("sim-imu", **parameters), self.context)

    def tracker(self, **parameters: object) -> Sensor:
        return build_tracker(_spec("sim-tracker", **parameters), self.context)

    def camera(self, **model: object) -> SimCamera:
        where = {"eye": [0.5, 0.0, 1.0], "target": [0.5, 0.0, 0.0], "up": [1.0, 0.0, 0.0]}
        return build_camera(_spec("sim-camera", **where, model=model), self.context)

    def begin(self, elements: list[dict[str, object]], *devices: Device, seed: int = 1) -> None:
        for device in (self.arm, self.scene, *devices):
            device.open(self.far)
        self.arrange(elements, seed)
        self.arm.enable(self.far)

    def arrange(self, elements: list[dict[str, object]], seed: int = 1) -> None:
        self.scene.arrange({"elements": elements, "tracker": {"seed": seed}}, self.far)

    def pass_ms(self, ms: int) -> None:
        self.clock.advance(ms * MS)
        self.scene.witness(self.far)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.plant.close()


def dropped(material: str) -> dict[str, object]:
    """A block that falls 5 cm onto the table."""
    return body("thing", [0.45, 0.2, 0.07], [0.1, 0.04, 0.04], mass=0.1, material=material)


def loudest(bench: Bench, ear: Sensor, ms: int) -> np.ndarray:
    """The highest level of each octave in a while, dB."""
    rows = []
    for _ in range(ms // 20):
        bench.pass_ms(20)
        rows.append(ear.sample(bench.far).value)
    return np.asarray(np.nanmax(rows, axis=0))


def test_a_fall_is_heard_when_it_happens_and_by_its_material(bench: Bench) -> None:
    ear = bench.microphone(gives="levels", others=None, model={"snr_db": 40.0})
    assert ear.facts.kind is Capability.MICROPHONE
    assert ear.facts.labels == LABELS
    bench.begin([dropped("glass")], ear)
    before = loudest(bench, ear, 80)  # it falls for 101 ms
    assert before[0] == 0  # no onset as yet
    glass = loudest(bench, ear, 200)
    assert glass[0] >= 1
    bench.arrange([dropped("rubber")])
    rubber = loudest(bench, ear, 280)
    bands = slice(LABELS.index("level_1000_hz"), None)
    assert glass[bands].max() > before[bands].max() + 20
    assert glass[bands].max() > rubber[bands].max() + 20


def test_what_slides_is_heard_and_what_rests_is_not(bench: Bench) -> None:
    ear = bench.microphone(gives="levels", others=None, model={"snr_db": 40.0})
    tilted = {"turn": [0.0, np.sin(0.3), 0.0, np.cos(0.3)]}

    def sounds(friction: float) -> float:
        plane = body("plane", [0.45, 0.25, 0.15], [0.4, 0.2, 0.01], fixed=True, **tilted)
        off = [0.45 + np.sin(0.6) * 0.0251, 0.25, 0.15 + np.cos(0.6) * 0.0251]
        more = {"mass": 0.2, "friction": friction, "material": "glass", **tilted}
        bench.arrange([plane, body("thing", off, [0.04, 0.04, 0.04], **more)])
        bench.pass_ms(180)  # it has landed, and that has rung out
        return float(loudest(bench, ear, 40)[LABELS.index("level_4000_hz")])

    bench.begin([], ear)
    assert sounds(0.2) > sounds(2.0) + 10


def test_sound_comes_in_blocks_and_an_unknown_material_is_named(bench: Bench) -> None:
    ear = bench.microphone(model={"delay_s": 0.0, "jitter_s": 0.0})
    bench.begin([dropped("steel")], ear)
    bench.pass_ms(10)
    assert not ear.sample(bench.far).present.any()
    bench.pass_ms(300)
    heard = ear.sample(bench.far)
    assert len(heard.value) == 320
    assert heard.present.all()
    with pytest.raises(BadInput, match=r"cheese[^\0]*glass"):
        bench.microphone(robots="cheese")
    with pytest.raises(BadInput, match=r"cheese[^\0]*glass"):
        bench.arrange([dropped("cheese")])
    with pytest.raises(BadInput, match="spacing_m"):
        bench.microphone(scrape={"spacing_m": 0.0})


def test_the_same_scene_sounds_the_same(bench: Bench) -> None:
    ear = bench.microphone()
    bench.begin([], ear)
    blocks = []
    for seed in (3, 3, 4):
        bench.arrange([dropped("glass")], seed)
        bench.pass_ms(200)
        blocks.append(ear.sample(bench.far).value)
    np.testing.assert_array_equal(blocks[0], blocks[1])
    assert (blocks[0] != blocks[2]).any()


def test_inertia_of_a_hand_at_rest_is_gravity_and_of_one_that_turns_its_rate(
    bench: Bench,
) -> None:
    exact = {"accelerometer": EXACT, "gyroscope": EXACT, "delay_s": 0.0, "jitter_s": 0.0}
    hand = bench.imu(model=exact)
    turned = bench.imu(link="link1", rpy=[np.pi / 2, 0.0, 0.0], model=exact)
    assert hand.facts.kind is Capability.IMU
    bench.begin([], hand, turned)
    bench.pass_ms(200)
    # the hand's z points down
    np.testing.assert_allclose(hand.sample(bench.far).value[:3], [0, 0, -GRAVITY], atol=0.05)
    np.testing.assert_allclose(turned.sample(bench.far).value[:3], [0, GRAVITY, 0], atol=0.05)
    goal = bench.plant.home.copy()
    goal[0] += 0.5
    bench.arm.command(goal, bench.far)
    rates = []
    for _ in range(20):
        bench.pass_ms(10)
        rates.append(turned.sample(bench.far).value[3:])
    told, sent = np.array(rates), bench.plant.joints()[0][0]
    assert np.trapezoid(told[:, 1], dx=0.01) == pytest.approx(sent, rel=0.1)
    assert np.abs(told[:, [0, 2]]).max() < 0.02
    with pytest.raises(BadInput, match=r"elbow[^\0]*link1"):
        bench.imu(link="elbow")


def test_a_tracker_is_less_sure_of_what_is_half_hidden_and_loses_what_is_hidden(
    bench: Bench,
) -> None:
    exact = {"noise_m": 0.0, "noise_rad": 0.0, "delay_s": 0.0, "jitter_s": 0.0}
    seen = bench.tracker(thing="cube", eye=[0.5, 0.2, 1.0], model=exact)
    cube = body("cube", [0.5, 0.2, 0.02], [0.04, 0.04, 0.04])

    def told(*others: dict[str, object]) -> np.ndarray:
        bench.arrange([cube, *others])
        bench.pass_ms(50)
        return seen.sample(bench.far).value

    def lid(x: float) -> dict[str, object]:
        return body("lid", [x, 0.2, 0.2], [0.1, 0.1, 0.01], fixed=True)

    bench.begin([cube], seen)
    free, half, lost = told(), told(lid(0.556)), told(lid(0.5))
    np.testing.assert_allclose(free[:3], [0.5, 0.2, 0.02], atol=2e-3)
    assert free[7] == 1.0
    assert 0.3 < half[7] < 0.9
    assert np.isnan(lost[:7]).all()
    assert lost[7] == 0.0
    bench.arrange([])
    bench.pass_ms(50)
    gone = seen.sample(bench.far).value
    assert np.isnan(gone[:7]).all()
    assert gone[7] == 0.0


def test_a_camera_sees_colour_and_depth_and_is_waited_for(bench: Bench) -> None:
    eye = bench.camera(noise=0.0, depth_noise_m=0.0, depth_step_m=0.0, delay_s=0.02, jitter_s=0.0)
    assert isinstance(eye, Camera)
    assert isinstance(eye, Sensor)
    home = bench.plant.home.copy()
    bench.begin([body("block", [0.5, 0.0, 0.05], [0.1, 0.1, 0.1], fixed=True)], eye)
    away = home.copy()
    away[0] = 1.5
    bench.arm.command(away, bench.far)
    bench.pass_ms(1500)
    began_ns = bench.clock.now_ns()
    frame = eye.newest(bench.far)
    assert isinstance(frame, DepthFrame)
    assert frame.image.shape == (48, 64, 3)
    assert frame.stamp_ns > began_ns
    assert frame.stamp_ns - frame.device_stamp_ns >= 20 * MS
    middle = frame.image[20:28, 28:36].reshape(-1, 3).mean(axis=0)
    assert middle[0] > 2 * middle[1]  # red
    assert frame.depth_m[24, 32] == pytest.approx(0.9, abs=0.005)
    assert frame.depth_m[2, 2] == pytest.approx(1.0, abs=0.03)
    with pytest.raises(DeadlineMissed, match="next frame"):
        eye.newest(Deadline.after(bench.clock, MS))


def test_frames_are_drawn_only_for_who_needs_them(bench: Bench) -> None:
    eye = bench.camera(rate_hz=20.0, width=16, height=12, delay_s=0.03, jitter_s=0.0)
    bench.begin([], eye)
    bench.pass_ms(500)
    assert eye.counters()["drawn"] == 0
    first = eye.sample(bench.far)
    assert (first.age_ns == NEVER).all()
    assert len(first.value) == 16 * 12 * 4
    bench.pass_ms(200)
    later = eye.sample(bench.far)
    assert 3 <= eye.counters()["drawn"] <= 5
    colours = later.value.reshape(12, 16, 4)[:, :, :3]
    assert ((colours >= 0) & (colours <= 1)).all()
    assert 30 * MS <= later.age_ns.max() <= 90 * MS
