from __future__ import annotations

import math

import numpy as np
import pytest

from hil.contracts import FloatArray, JointSample
from hil.errors import BadInput
from hil.task import View
from sim.robots import hand4
from sim.robots.kinematics import tool_pose
from sim.tasks.kit.fingers import PITCH, Fingers, joints_at
from sim.tasks.kit.script import Desk, Moves

TICK_S = 0.02
PLACES = np.array(
    [
        [0.034, 0.3, 0.040, PITCH],
        [0.050, -0.5, 0.036, PITCH],
        [0.066, 0.0, 0.075, 1.8],
        [-0.005, 0.0, 0.080, 1.4],
    ]
)


def tips(joints: FloatArray) -> FloatArray:
    """Radius, bearing and height of every fingertip, (4, 3), by forward kinematics."""
    robot = hand4.hand()
    found = []
    for finger in range(4):
        tool = robot.tools[f"f{finger}"]
        x, y, z = tool_pose(tool.chain, joints[robot.places(tool.motors)]).position
        azimuth = finger * math.pi / 2
        along = x * math.cos(azimuth) + y * math.sin(azimuth)
        aside = y * math.cos(azimuth) - x * math.sin(azimuth)
        found.append([along, aside, z - hand4.PLAN.palm_height])
    return np.array(found)


def desk() -> Desk:
    found = Desk()
    show(found, hand4.hand().home, 0)
    return found


def show(desk: Desk, target: FloatArray, tick: int) -> None:
    nothing = np.zeros(16)
    sample = JointSample(0, target, nothing, nothing, np.zeros(16, dtype=np.int64))
    desk.look(View(tick, tick * TICK_S, sample, target, {}))


def play(desk: Desk, moves: Moves) -> list[FloatArray]:
    found = []
    for tick, _ in enumerate(moves, 1):
        found.append(desk.target.copy())
        show(desk, desk.target, tick)
    return found


def test_places_are_where_forward_kinematics_has_the_tips() -> None:
    joints = np.concatenate([joints_at(place) for place in PLACES])
    radius, bearing, height, _ = PLACES.T
    wanted = np.stack([radius * np.cos(bearing), radius * np.sin(bearing), height], axis=1)
    assert tips(joints) == pytest.approx(wanted, abs=1e-9)


def test_out_of_reach_is_refused() -> None:
    with pytest.raises(BadInput, match="can be reached"):
        joints_at(np.array([-0.05, 0.0, 0.09, PITCH]))
    with pytest.raises(BadInput, match="ranges"):
        joints_at(np.array([0.050, 1.2, 0.03, PITCH]))


@pytest.mark.parametrize("way", ["go", "slide"])
def test_a_move_ends_where_it_was_sent(way: str) -> None:
    here = desk()
    fingers = Fingers(here)
    targets = play(here, getattr(fingers, way)(PLACES, 0.5))
    assert len(targets) == pytest.approx(0.5 / TICK_S, abs=1)
    assert targets[-1] == pytest.approx(np.concatenate([joints_at(place) for place in PLACES]))
    assert (fingers.places == PLACES).all()
    steps = np.abs(np.diff(targets, axis=0)).max(axis=1)
    assert steps[0] < steps.max() / 3, "starts gently"
    assert steps[-1] < steps.max() / 3, "stops gently"


def test_sliding_keeps_to_the_circle() -> None:
    here = desk()
    fingers = Fingers(here)
    places = np.tile([0.034, -0.6, 0.040, PITCH], (4, 1))
    play(here, fingers.go(places, 0.2))
    places[:, 1] = 0.6
    targets = play(here, fingers.slide(places, 0.5))
    radii = np.array([np.hypot(*tips(target)[:, :2].T) for target in targets])
    assert radii == pytest.approx(0.034, abs=1e-9)
