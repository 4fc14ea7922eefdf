"""A vessel weighs what its parts do, knows its inside, and lets nothing through."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sim.scenery.bodies import inertial_of
from sim.scenery.cavity import Cavity, Inside
from sim.scenery.element import Stage
from sim.scenery.vessel import VesselSpec, build
from sim.world import World

TURNED = (0.0, math.sin(0.5), 0.0, math.cos(0.5))
"""1 rad about y."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    world = World(500)
    world.rebuild()
    yield Stage(world, (), lambda: 0.0)
    world.close()


def spec(**more: object) -> VesselSpec:
    return VesselSpec.model_validate(
        {"name": "cup", "apothem": 0.03, "height": 0.1, "mass": 0.2, "at": [0.1, 0.2, 0.3], **more}
    )


@pytest.mark.parametrize("sides", [4, 6, 8, 13])
def test_mass_centre_and_inertia_are_those_of_floor_and_walls(sides: int) -> None:
    """By hand: a disc, and n boxes at a distance d, whose moments about their own bearing's axes
    are the same for all and average across."""
    asked = spec(sides=sides)
    inner, thick, floor, high = 0.03, asked.wall, asked.floor, 0.1 - asked.floor
    width, out = 2 * inner * math.tan(math.pi / sides), inner + thick / 2
    round_ = max(inner / math.cos(math.pi / sides), inner + thick)
    disc, walls = math.pi * round_**2 * floor, sides * thick * width * high
    of_disc, of_walls = (0.2 * part / (disc + walls) for part in (disc, walls))
    middle = (of_disc * floor / 2 + of_walls * (floor + high / 2)) / 0.2
    about = of_disc * round_**2 / 2 + of_walls * ((width**2 + thick**2) / 12 + out**2)
    across = of_disc * ((3 * round_**2 + floor**2) / 12 + (middle - floor / 2) ** 2)
    across += of_walls * (
        (width**2 + thick**2 + 2 * high**2) / 24 + out**2 / 2 + (floor + high / 2 - middle) ** 2
    )
    found = inertial_of(asked.whole.parts, asked.mass)
    assert found.mass == 0.2
    np.testing.assert_allclose(found.centre, (0, 0, middle), atol=1e-12)
    np.testing.assert_allclose(found.tensor, (across, across, about, 0, 0, 0), atol=1e-12)


@pytest.mark.parametrize("sides", [4, 8, 13])
def test_walls_touch_along_their_inner_edges_and_nowhere_else(sides: int) -> None:
    """Their corners on the inside are those of the polygon, one after the other."""
    walls = [part for part in spec(sides=sides).whole.parts if part.shape == "box"]
    corners = []
    for part in walls:
        bearing = part.rpy[2]
        along = np.array([-math.sin(bearing), math.cos(bearing)])
        face = np.array(part.at[:2]) * (0.03 / np.linalg.norm(part.at[:2]))
        corners.append((face - along * part.size[1] / 2, face + along * part.size[1] / 2))
    for (_, end), (start, _) in pairwise([*corners, corners[0]]):
        np.testing.assert_allclose(end, start, atol=1e-12)


def test_a_mark_is_only_seen() -> None:
    plain, marked = spec(), spec(mark=0.04)
    assert inertial_of(plain.whole.parts, 0.2) == inertial_of(marked.whole.parts, 0.2)
    extra = [part for part in marked.whole.parts if not part.solid]
    assert len(extra) == 8
    assert all(part.at[2] + part.size[2] / 2 == pytest.approx(0.04) for part in extra if part.size)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"floor": 0.05, "height": 0.05}, "is not over floor"),
        ({"mark": 0.12}, r"is not within \[0\.004, 0\.1\] m"),
        ({"sides": 3}, "greater than or equal to 4"),
    ],
)
def test_what_is_no_vessel_is_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**more)


CUP = Cavity(8, 0.03, 0.004, 0.1)


@pytest.mark.parametrize(
    ("point", "held"),
    [
        ((0.0, 0.0, 0.05), True),
        ((0.0, 0.0, 0.003), False),  # in the floor
        ((0.0, 0.0, 0.101), False),  # over the rim
        ((0.0299, 0.0, 0.05), True),
        ((0.0301, 0.0, 0.05), False),  # in a wall
        ((0.0324 * math.cos(math.pi / 8), 0.0324 * math.sin(math.pi / 8), 0.05), True),  # a corner
        ((0.0, -0.0301, 0.05), False),
    ],
)
def test_what_is_inside_is_told_from_what_is_not(
    point: tuple[float, float, float], held: bool
) -> None:
    assert CUP.holds(np.array([point])).tolist() == [held]


def test_its_area_is_that_of_the_points_it_holds() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform([-0.04, -0.04, 0.05], [0.04, 0.04, 0.05], (40_000, 3))
    assert CUP.holds(points).mean() * 0.08**2 == pytest.approx(CUP.area, rel=0.02)


@given(st.integers(4, 12), st.integers(1, 150), st.floats(0.002, 0.02), st.floats(0.01, 0.06))
def test_balls_start_inside_and_apart(
    sides: int, count: int, radius: float, apothem: float
) -> None:
    cavity = Cavity(sides, apothem, 0.004, 0.12)
    places = cavity.places(count, radius)
    if places is None:
        # even one a layer would not go in
        assert radius > apothem / 1.05 or count * (2 * radius) ** 3 > 0.3 * cavity.area * 0.116
        return
    assert places.shape == (count, 3)
    shrunk = Cavity(sides, apothem - radius, 0.004 + radius, 0.12 - radius)
    assert shrunk.holds(places).all()
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(count)
    assert gaps.min() > 2 * radius


def test_places_of_the_world_and_of_the_vessel_are_told_apart() -> None:
    inside = Inside(CUP, lambda: ((0.1, 0.2, 0.3), TURNED))
    top = inside.world(np.array([[0.0, 0.0, 0.1]]))[0]
    np.testing.assert_allclose(
        top, [0.1 + 0.1 * math.sin(1.0), 0.2, 0.3 + 0.1 * math.cos(1.0)], atol=1e-12
    )
    points = np.random.default_rng(2).normal(size=(5, 3))
    np.testing.assert_allclose(inside.local(inside.world(points)), points, atol=1e-12)


def test_it_is_a_body_whose_inside_moves_with_it(stage: Stage) -> None:
    cup = build(stage, spec(turn=TURNED))
    np.testing.assert_allclose(cup.poses()["cup"], [0.1, 0.2, 0.3, *TURNED], atol=1e-6)
    assert cup.witness()["cup.x"] == pytest.approx(0.1)
    inside = stage.insides["cup"]
    stage.world.bullet.resetBaseVelocity(
        stage.things["cup"].uid, (1.0, 0, 0), (0, 0, 9.0), physicsClientId=stage.world.client
    )
    stage.world.step(50)
    foot = inside.world(np.zeros((1, 3)))[0]
    np.testing.assert_allclose(foot, cup.poses()["cup"][:3], atol=1e-9)
    assert foot[0] > 0.15
