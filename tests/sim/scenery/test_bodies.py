"""Rigid things of a scene: where they are, what they weigh, what touches them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hil.errors import BadInput, HarnessError
from hil.kinematics import rotation
from sim.scenery.bodies import BodySpec, PartSpec, build, inertial_of
from sim.scenery.element import Stage
from sim.scenery.kinds import furnish
from sim.world import World

BOX = {"shape": "box", "size": [0.04, 0.06, 0.08]}
OFF = {"shape": "cylinder", "radius": 0.01, "length": 0.05, "at": [0.05, 0.01, 0.02]}


@pytest.fixture
def stage() -> Iterator[Stage]:
    world = World(1000)
    world.rebuild()
    yield Stage(world, (), lambda: 0.0)
    world.close()


def spec(**more: object) -> BodySpec:
    return BodySpec.model_validate(
        {"name": "thing", "parts": [BOX], "at": [0.1, 0.2, 0.3], "mass": 0.5, **more}
    )


@pytest.mark.parametrize("parts", [[BOX], [BOX, OFF], [OFF, {**BOX, "rpy": [0.3, 0.2, 0.1]}]])
def test_it_is_where_it_was_put_whatever_its_centre_of_mass(
    stage: Stage, parts: list[dict[str, object]]
) -> None:
    turn = [0.0, 0.0, math.sin(0.4), math.cos(0.4)]
    thing = build(stage, spec(parts=parts, turn=turn))
    np.testing.assert_allclose(thing.poses()["thing"], [0.1, 0.2, 0.3, *turn], atol=1e-6)
    seen = thing.witness()
    assert seen["thing.x"] == pytest.approx(0.1)
    assert seen["thing.speed"] == 0.0
    assert seen["thing.robot_n"] == 0.0


def test_it_falls_as_a_body_does(stage: Stage) -> None:
    thing = build(stage, spec())
    stage.world.step(100)
    seen = thing.witness()
    assert seen["thing.speed"] == pytest.approx(9.80665 * 0.1, rel=1e-6)
    assert 0.3 - seen["thing.z"] == pytest.approx(9.80665 * 0.1**2 / 2, rel=0.02)


def test_a_fixed_one_has_no_pose_to_track(stage: Stage) -> None:
    thing = build(stage, spec(fixed=True))
    stage.world.step(10)
    assert thing.poses() == {}
    assert thing.witness() == {"thing.robot_n": 0.0}


def test_physics_that_blows_up_is_the_harness_fault(stage: Stage) -> None:
    thing = build(stage, spec())
    (placed,) = thing.solids
    stage.world.bullet.resetBaseVelocity(
        placed.uid, (0.0, 0.0, 99.0), physicsClientId=stage.world.client
    )
    with pytest.raises(HarnessError, match=r"blown up.*thing"):
        thing.witness()


@given(
    st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=3),
    st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3),
)
def test_inertia_of_a_body_cut_in_two_is_that_of_the_whole(
    at: list[float], rpy: list[float]
) -> None:
    """A cuboid, and the same one made of its halves, turned and moved anyhow."""
    turn = rotation((rpy[0], rpy[1], rpy[2]))
    halves = [
        PartSpec(
            shape="box",
            size=(0.04, 0.06, 0.04),
            at=tuple(np.array(at) + turn @ np.array([0.0, 0.0, side * 0.02])),
            rpy=(rpy[0], rpy[1], rpy[2]),
        )
        for side in (-1, 1)
    ]
    whole = PartSpec(shape="box", size=(0.04, 0.06, 0.08), at=tuple(at), rpy=tuple(rpy))
    one, two = inertial_of([whole], 0.7), inertial_of(halves, 0.7)
    np.testing.assert_allclose(two.centre, one.centre, atol=1e-12)
    np.testing.assert_allclose(two.tensor, one.tensor, atol=1e-12)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"shape": "box", "radius": 0.1}, "a box has size only"),
        ({"shape": "sphere", "radius": 0.1, "length": 1.0}, "a sphere has radius only"),
        ({"shape": "box", "size": [0.0, 1.0, 1.0]}, "greater than 0"),
    ],
)
def test_a_part_has_the_measures_of_its_shape(part: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PartSpec.model_validate(part)


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ([{"kind": "trampoline"}], r"element 0.*trampoline"),
        ([{"kind": "body", "name": "a"}], r"element 0 of the scene, body"),
        ("cube", "list of tables"),
    ],
)
def test_a_scene_that_cannot_be_built_is_named(stage: Stage, elements: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        furnish(stage, {"elements": elements})


def test_names_are_given_once(stage: Stage) -> None:
    build(stage, spec())
    with pytest.raises(BadInput, match="two elements"):
        build(stage, spec())
