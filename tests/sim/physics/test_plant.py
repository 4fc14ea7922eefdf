from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hil.errors import BadInput, HarnessError, RigError
from sim.plant import Plant
from sim.plants import so101 as build
from sim.robots import so101
from sim.robots.kinematics import holding_torque, tool_pose

ALL = np.ones(6, dtype=np.bool_)
NONE = np.zeros(6, dtype=np.bool_)
STRONG = np.full(6, so101.STALL_TORQUE)

POSE = [0.32, 0.02, 0.16, 0.1]
SCENE: dict[str, Any] = {
    "elements": [
        {
            "kind": "wall-switch",
            "at": POSE[:3],
            "yaw": POSE[3],
            "neighbour_side": 1,
            "trip_force_n": 3.5,
        }
    ],
    "tracker": {"noise_m": 0.001, "noise_rad": 0.01, "seed": 3},
}

TRAJECTORY = """
import hashlib, numpy as np
from sim.plants import so101 as build
from sim.robots.so101 import HOME
from sim.robots.so101 import STALL_TORQUE
from tests_scene import SCENE
plant, digest = build(1000), hashlib.sha256()
for repeat in range(2):
    plant.arrange(SCENE, HOME)
    pushed = 0.0
    reach = np.array([-0.0686, -0.39, 0.918, -0.528, 0.0, 0.0])
    for step in range(900):
        part = min(1.0, step / 500)
        plant.drive(HOME + part * (reach - HOME), np.full(6, STALL_TORQUE), np.ones(6, dtype=bool))
        plant.step()
        digest.update(np.concatenate(plant.joints()).tobytes())
        seen = plant.witness()
        pushed = max(pushed, seen["force_peak_n"])
        digest.update(repr(sorted(seen.items())).encode())
    print(repeat, digest.hexdigest(), pushed > 0.5)
    digest = hashlib.sha256()
plant.close()
"""


@pytest.fixture
def plant() -> Iterator[Plant]:
    made = build(1000)
    yield made
    made.close()


def _run(plant: Plant, seconds: float) -> None:
    for _ in range(round(seconds / plant.step_s)):
        plant.step()


def test_two_processes_give_the_same_bits(tmp_path: object) -> None:
    program = TRAJECTORY.replace("from tests_scene import SCENE", f"SCENE = {SCENE!r}")
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
        ).stdout.splitlines()
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    first, second = (line.split() for line in runs[0])
    assert first[1] == second[1]  # a rebuilt world repeats itself too
    assert len(first[1]) == hashlib.sha256().digest_size * 2
    assert first[2] == "True"  # the way led into contact


def test_a_driven_arm_holds_its_place_and_sags_as_its_stiffness_says(plant: Plant) -> None:
    plant.arrange({}, so101.HOME)
    plant.drive(so101.HOME, STRONG, ALL)
    _run(plant, 1.0)
    position, velocity, torque = plant.joints()
    links = tool_pose(so101.tip_chain(), position[: so101.ARM_JOINTS]).links
    weight = holding_torque(links, so101.carried_weights())
    np.testing.assert_allclose(torque[: so101.ARM_JOINTS], weight, atol=2e-3)
    np.testing.assert_allclose((so101.HOME - position) * so101.SERVO_STIFFNESS, torque, atol=5e-3)
    assert np.abs(velocity).max() < 1e-3


def test_an_arm_without_torque_comes_down(plant: Plant) -> None:
    plant.arrange({}, np.zeros(6))
    plant.drive(np.zeros(6), STRONG, NONE)
    height = so101.tip_chain().tool_point(np.zeros(5))[2]
    _run(plant, 1.0)
    position, _, torque = plant.joints()
    assert so101.tip_chain().tool_point(position[:5])[2] < height - 0.05
    assert np.abs(torque).max() <= so101.GEARBOX_FRICTION * 1.001
    assert not plant.driven().any()


def test_the_torque_limit_is_kept(plant: Plant) -> None:
    plant.arrange({}, np.zeros(6))
    plant.drive(np.array([0.0, -1.0, 0.0, 0.0, 0.0, 0.0]), np.full(6, 0.2), ALL)
    _run(plant, 0.3)
    assert plant.joints()[0][1] > 0  # 0.2 N·m cannot lift the stretched arm


def test_no_joint_turns_faster_than_its_motor(plant: Plant) -> None:
    plant.arrange({}, so101.HOME)
    target = so101.HOME + np.array([1.5, 0, 0, 0, 0, 0])
    plant.drive(target, STRONG, ALL)
    fastest = 0.0
    for _ in range(600):
        plant.step()
        fastest = max(fastest, plant.joints()[1][0])
    assert 2.0 < fastest <= so101.NO_LOAD_SPEED * 1.01
    assert abs(plant.joints()[0][0] - 1.5) < 0.01


def test_arranging_without_a_position_keeps_the_joints(plant: Plant) -> None:
    plant.drive(so101.HOME + 0.2, STRONG, ALL)
    _run(plant, 0.4)
    before = plant.joints()[0]
    plant.arrange(SCENE, None)
    position, velocity, _ = plant.joints()
    np.testing.assert_array_equal(position, before)
    np.testing.assert_array_equal(velocity, np.zeros(6))
    _run(plant, 0.2)
    np.testing.assert_allclose(plant.joints()[0], before, atol=0.02)  # the set-point stayed


def test_plants_do_not_share_a_world(plant: Plant) -> None:
    other = build(500)
    try:
        other.arrange(SCENE, so101.HOME)
        plant.drive(so101.HOME + 0.3, STRONG, ALL)
        still = other.joints()[0]
        _run(plant, 0.2)
        np.testing.assert_array_equal(other.joints()[0], still)
        assert other.step_s == 2 * plant.step_s
        assert plant.witness() == {}
    finally:
        other.close()


def test_tracker_noise_is_drawn_once_and_from_the_scene(plant: Plant) -> None:
    plant.arrange(SCENE, so101.HOME)
    first = plant.track()["switch"]
    np.testing.assert_array_equal(plant.track()["switch"], first)
    assert 0 < np.abs(first - POSE).max() < 0.05
    plant.arrange({**SCENE, "tracker": {**SCENE["tracker"], "seed": 4}}, so101.HOME)
    assert (plant.track()["switch"] != first).all()
    plant.arrange({**SCENE, "tracker": {}}, so101.HOME)
    np.testing.assert_array_equal(plant.track()["switch"], POSE)


def test_physics_that_blows_up_is_the_harness_fault(plant: Plant) -> None:
    plant.drive(np.full(6, np.nan), STRONG, ALL)
    with pytest.raises(HarnessError, match="blown up"):
        _run(plant, 0.01)


def test_an_unknown_element_is_refused(plant: Plant) -> None:
    with pytest.raises(BadInput, match=r"trampoline.*\n.*wall-switch"):
        plant.arrange({"elements": [{"kind": "trampoline"}]}, None)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"at": [0.3]}, "at"),
        ({"trip_force_n": 0.5}, "trip_force_n"),
        ({"neighbour_side": 0}, "neighbour_side"),
        ({"at": [0.3, float("nan"), 0.1]}, "at.1"),
    ],
)
def test_a_scene_that_cannot_be_is_named(
    plant: Plant, changed: dict[str, object], named: str
) -> None:
    with pytest.raises(BadInput, match=named):
        plant.arrange({"elements": [{**SCENE["elements"][0], **changed}]}, None)


def test_a_step_too_long_is_refused() -> None:
    with pytest.raises(BadInput, match="240 Hz"):
        build(240)


def test_an_arm_in_the_way_is_named(plant: Plant) -> None:
    reaching = np.array([0.0, 0.1, 0.6, -0.7, 0.0, 0.0])
    with pytest.raises(RigError, match="in the scene"):
        plant.arrange(SCENE, reaching)


def test_the_picture_shows_the_arm_move(plant: Plant) -> None:
    plant.arrange(SCENE, so101.HOME)
    first = plant.picture()
    assert first.shape == (240, 320, 3)
    assert first.dtype == np.uint8
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 20
    plant.arrange(SCENE, so101.HOME + np.array([0.4, 0, 0, 0, 0, 0]))
    assert (plant.picture() != first).mean() > 0.005


def test_a_closed_plant_says_so(plant: Plant) -> None:
    plant.close()
    plant.close()
    with pytest.raises(HarnessError, match="closed"):
        plant.step()


def test_only_whole_steps_that_are_due_are_done(plant: Plant) -> None:
    calls: list[int] = []
    plant.attach(lambda: calls.append(1))
    plant.start_at(5_000_000)
    plant.advance_to(5_999_999)
    assert not calls
    plant.advance_to(8_000_000)
    assert len(calls) == 3
    plant.advance_to(8_000_000)
    assert len(calls) == 3
