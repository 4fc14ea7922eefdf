"""Closed forms of the hands' fingers against their chains."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import BadInput
from sim.robots import hand3, hand4
from sim.robots.hand3 import FingersPlan
from sim.robots.hand4 import HandPlan
from sim.robots.model import Robot

FOUR, THREE = hand4.hand(), hand3.hand()


def tip(made: Robot, finger: int, joints: np.ndarray) -> np.ndarray:
    return made.tools[f"f{finger}"].chain.frames(joints)[-1]


@given(st.floats(0.015, 0.075), st.floats(0.02, 0.09), st.floats(-0.8, 0.8), st.floats(1.0, 2.4))
def test_a_finger_of_four_comes_where_its_closed_form_says(
    radial: float, height: float, abduction: float, pitch: float
) -> None:
    plan = hand4.PLAN
    try:
        joints = hand4.finger_joints(radial, height, abduction, pitch)
    except BadInput:
        return  # what is refused is tested below
    lower, upper = np.array(hand4.RANGES).T
    assert (lower <= joints).all()
    assert (joints <= upper).all()
    frame = tip(FOUR, 0, joints)
    # finger 0 stands at +x and looks to the middle: its own y is the palm's -y
    side = (height - plan.height) * math.tan(abduction)
    expected = (radial, side, plan.palm_height + height)
    np.testing.assert_allclose(frame[:3, 3], expected, atol=1e-9)
    pointing = (-math.sin(pitch), math.cos(pitch) * math.sin(abduction))
    np.testing.assert_allclose(frame[:2, 2], pointing, atol=1e-9)


@given(st.floats(0.0, 0.2), st.floats(0.02, 0.25), st.floats(-0.9, 0.9))
def test_a_finger_of_three_comes_where_its_closed_form_says(
    radial: float, height: float, swing: float
) -> None:
    try:
        joints = hand3.finger_joints(radial, height, swing)
    except BadInput:
        return
    lower, upper = np.array(hand3.RANGES).T
    assert (lower <= joints).all()
    assert (joints <= upper).all()
    place = tip(THREE, 0, joints)[:3, 3]
    side = (hand3.PLAN.height - height) * math.tan(swing)
    np.testing.assert_allclose(place[[0, 2]], (radial, height), atol=1e-9)
    assert abs(place[1]) == pytest.approx(abs(side), abs=1e-9)


@pytest.mark.parametrize(
    ("radial", "height"), [(0.03, 0.03), (0.034, 0.025), (0.028, 0.045), (0.05, 0.035)]
)
@pytest.mark.parametrize("abduction", [-0.6, 0.0, 0.6])
def test_the_places_of_an_in_hand_turn_can_be_reached(
    radial: float, height: float, abduction: float
) -> None:
    assert hand4.finger_joints(radial, height, abduction).shape == (4,)


@pytest.mark.parametrize(("radial", "height"), [(0.02, 0.06), (0.06, 0.02), (0.12, 0.12)])
def test_the_places_of_a_grasp_on_the_table_can_be_reached(radial: float, height: float) -> None:
    assert hand3.finger_joints(radial, height, 0.2).shape == (3,)


@pytest.mark.parametrize(
    ("finger", "place"),
    [
        (hand4.finger_joints, (0.0, 0.20, 0.0)),
        (hand4.finger_joints, (0.05, 0.05, 1.2)),
        (hand3.finger_joints, (0.40, 0.10, 0.0)),
        (hand3.finger_joints, (0.05, 0.10, 1.2)),
    ],
)
def test_what_a_finger_cannot_do_is_refused(finger, place: tuple[float, float, float]) -> None:
    with pytest.raises(BadInput, match=r"fingertip at radius"):
        finger(*place)


@pytest.mark.parametrize(("made", "fingers"), [(FOUR, 4), (THREE, 3)], ids=["four", "three"])
def test_fingers_are_alike_around_the_middle(made: Robot, fingers: int) -> None:
    joints = made.home[: len(made.home) // fingers]
    first = tip(made, 0, joints)[:3, 3]
    for finger in range(fingers):
        angle = 2 * math.pi * finger / fingers
        turned = np.array(
            [
                first[0] * math.cos(angle) - first[1] * math.sin(angle),
                first[0] * math.sin(angle) + first[1] * math.cos(angle),
                first[2],
            ]
        )
        np.testing.assert_allclose(tip(made, finger, joints)[:3, 3], turned, atol=1e-12)


def test_hands_of_other_sizes_are_plans() -> None:
    five = hand4.hand(HandPlan(fingers=5, radius=0.09, palm_radius=0.095))
    assert len(five.motors) == 20
    assert five.home.shape == (20,)
    plan = FingersPlan(fingers=4, radius=0.10)
    near = hand3.finger_joints(0.05, 0.06, 0.0, plan)
    found = hand3.hand(plan).tools["f0"].chain.tool_point(near)
    np.testing.assert_allclose(found, (0.05, 0.0, 0.06), atol=1e-9)
