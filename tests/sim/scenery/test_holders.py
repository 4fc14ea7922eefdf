"""Element kind `holders`: which of two robots holds a bar, and how they pull at each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from hil.config import validate
from hil.errors import BadInput
from sim.robots.urdf import Body, Box, Inertial, Link, Part
from sim.scenery.bodies import BodySpec, Thing
from sim.scenery.element import Stage
from sim.scenery.holders import Holders, HoldersSpec, build
from sim.world import Placed, World

MASS = 0.5
HALF = 0.05  # m, of every cube


@pytest.fixture
def world() -> Iterator[World]:
    world = World(1000)
    world.rebuild()
    world.bullet.setGravity(0, 0, 0, physicsClientId=world.client)
    yield world
    world.close()


class Scene:
    """A cube between two others that stand for robots, one on each side along x."""

    def __init__(self, world: World, gap: float = 0.0) -> None:
        self.world = world
        self.sides = [self._side(-2 * HALF - gap), self._side(2 * HALF + gap)]
        stage = Stage(world, self.sides, lambda: 0.0)
        part = {"shape": "box", "size": [2 * HALF] * 3}
        bar = {"name": "bar", "parts": [part], "mass": MASS, "at": [0.0, 0.0, 1.0]}
        Thing(stage, validate(bar, BodySpec, "test"))
        table = {"name": "held", "on": "bar", "robots": ["left", "right"]}
        self.held: Holders = build(stage, validate(table, HoldersSpec, "test"))

    def pushed(self, left: float, right: float, seconds: float = 0.5) -> dict[str, float]:
        """The sides press along +x and -x with these forces, N."""
        bullet, client = self.world.bullet, self.world.client
        for _ in range(round(seconds / self.world.step_s)):
            for side, force in zip(self.sides, (left, -right), strict=True):
                bullet.applyExternalForce(
                    side.uid,
                    -1,
                    (force, 0, 0),
                    (0, 0, 0),
                    bullet.LINK_FRAME,
                    physicsClientId=client,
                )
            self.world.step()
            self.held.after_step()
        return dict(self.held.witness())

    def _side(self, x: float) -> Placed:
        box = Box((2 * HALF, 2 * HALF, 2 * HALF))
        body = Body("side", [Link("side", Inertial.of(box, 1.0), (Part(box),))])
        return self.world.put(body, (x, 0.0, 1.0), fixed=False)


def test_it_says_who_touches_and_which_way_each_pushes(world: World) -> None:
    seen = Scene(world).pushed(20.0, 20.0)
    for robot, sign in (("left", 1.0), ("right", -1.0)):
        assert seen[f"held.{robot}_n"] == pytest.approx(20.0, rel=0.02)
        assert seen[f"held.{robot}_pull_n"] == pytest.approx(sign * 20.0, rel=0.02)
    assert seen["held.tension_peak_n"] == pytest.approx(20.0, rel=0.1)


def test_who_is_beside_it_does_not_hold_it(world: World) -> None:
    seen = Scene(world, gap=0.01).pushed(0.0, 0.0)
    assert set(seen.values()) == {0.0}


def test_one_alone_that_pushes_it_along_makes_no_tension(world: World) -> None:
    """1.5 kg are pushed by 3 N, so that the bar of 0.5 kg gets 1 N; nobody holds against it."""
    scene = Scene(world)
    world.bullet.resetBasePositionAndOrientation(
        scene.sides[1].uid, (1.0, 0, 1), (0, 0, 0, 1), physicsClientId=world.client
    )
    seen = scene.pushed(3.0, 0.0)
    assert seen["held.left_pull_n"] == pytest.approx(1.0, rel=0.05)
    assert seen["held.right_n"] == 0.0
    assert seen["held.tension_peak_n"] == 0.0


def test_the_peak_is_that_since_the_last_row(world: World) -> None:
    scene = Scene(world)
    scene.pushed(20.0, 20.0)
    assert scene.pushed(5.0, 5.0, 0.3)["held.tension_peak_n"] < 20.0
    assert scene.pushed(5.0, 5.0, 0.1)["held.tension_peak_n"] == pytest.approx(5.0, rel=0.1)


def test_what_cannot_be_is_refused(world: World) -> None:
    stage = Stage(world, [], lambda: 0.0)
    spec = HoldersSpec(name="held", on="bar", robots=("left", "right"))
    with pytest.raises(BadInput, match="names 2 robots, and there are 0"):
        build(stage, spec)
    with pytest.raises(BadInput, match="'bar', which is not there"):
        build(Stage(world, [Placed(0, {})] * 2, lambda: 0.0), spec)
    with pytest.raises(ValidationError, match="no direction"):
        HoldersSpec(name="held", on="bar", robots=("left",), way=(0.0, 0.0, 0.0))
