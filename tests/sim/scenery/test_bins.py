"""Element kind `bin`: what is in it, by the thing's true place, and that it holds what falls in."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from hil.errors import BadInput
from sim.scenery.element import Stage
from sim.scenery.kinds import furnish
from sim.world import World

STEP_HZ = 500
FLOOR_M = 0.1


@pytest.fixture
def world() -> Iterator[World]:
    world = World(STEP_HZ, 150)
    world.rebuild()
    yield world
    world.close()


def _scene(world: World, at: list[float], yaw: float = 0.0, **more: object) -> list[object]:
    box = {
        "kind": "body",
        "name": "box",
        "parts": [{"shape": "box", "size": [0.04, 0.04, 0.04]}],
        "mass": 0.1,
        "at": at,
    }
    tub = {
        "kind": "bin",
        "name": "tub",
        "at": [0.5, 0.1, FLOOR_M],
        "yaw": yaw,
        "size": [0.2, 0.1, 0.08],
        "counts": ["box"],
        **more,
    }
    return list(furnish(Stage(world, [], lambda: 0.0), {"elements": [box, tub]}))


@pytest.mark.parametrize(
    ("at", "yaw", "inside"),
    [
        ([0.58, 0.1, 0.14], 0.0, 1.0),
        ([0.5, 0.14, 0.14], 0.0, 1.0),
        ([0.5, 0.16, 0.14], 0.0, 0.0),
        ([0.61, 0.1, 0.14], 0.0, 0.0),
        ([0.5, 0.1, 0.17], 0.0, 1.0),
        ([0.5, 0.1, 0.19], 0.0, 0.0),
        ([0.5, 0.1, 0.09], 0.0, 0.0),
        ([0.5, 0.18, 0.14], math.pi / 2, 1.0),
        ([0.58, 0.1, 0.14], math.pi / 2, 0.0),
    ],
)
def test_it_knows_by_place_what_is_in_it(
    world: World, at: list[float], yaw: float, inside: float
) -> None:
    _, tub = _scene(world, at, yaw)
    assert tub.witness() == {"box.in_tub": inside}  # type: ignore[attr-defined]


def test_it_keeps_what_falls_in(world: World) -> None:
    box, tub = _scene(world, [0.47, 0.11, 0.25], yaw=0.4, foot=0.09)
    for _ in range(STEP_HZ):
        world.step()
    assert tub.witness()["box.in_tub"] == 1.0  # type: ignore[attr-defined]
    seen = box.witness()  # type: ignore[attr-defined]
    assert seen["box.z"] == pytest.approx(FLOOR_M + 0.02, abs=5e-4)
    assert seen["box.speed"] < 1e-3


def test_a_tracker_may_know_where_it_is(world: World) -> None:
    _, tub = _scene(world, [0.5, 0.1, 0.3], yaw=0.4)
    pose = tub.poses()["tub"]  # type: ignore[attr-defined]
    assert pose.tolist() == pytest.approx(
        [0.5, 0.1, FLOOR_M, 0.0, 0.0, math.sin(0.2), math.cos(0.2)]
    )


def test_it_counts_only_what_is_there(world: World) -> None:
    with pytest.raises(BadInput, match="refers to 'ghost', which is not there"):
        _scene(world, [0.5, 0.1, 0.3], counts=["ghost"])
