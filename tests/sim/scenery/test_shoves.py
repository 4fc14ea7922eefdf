"""Element kind `shoves`: what a force does to a body, when, and what the element says of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hil.config import validate
from hil.errors import BadInput
from sim.scenery.bodies import BodySpec, Thing
from sim.scenery.element import Stage
from sim.scenery.kinds import furnish
from sim.scenery.shoves import Shoves, ShovesSpec, build
from sim.world import World

STEP_HZ = 1000
MASS = 0.5


@pytest.fixture
def world() -> Iterator[World]:
    world = World(STEP_HZ)
    world.rebuild()
    world.bullet.setGravity(0, 0, 0, physicsClientId=world.client)
    yield world
    world.close()


class Scene:
    """A block of 0.5 kg that floats, and what shoves it."""

    def __init__(self, world: World, *shoves: dict[str, object]) -> None:
        self.world, self.steps = world, 0
        stage = Stage(world, [], lambda: self.steps / STEP_HZ)
        block = {
            "name": "block",
            "parts": [{"shape": "box", "size": [0.1, 0.1, 0.1]}],
            "mass": MASS,
            "at": [0, 0, 1],
        }
        self.block = Thing(stage, validate(block, BodySpec, "test"))
        table = {"name": "bumps", "on": "block", "shoves": shoves}
        self.shoves: Shoves = build(stage, validate(table, ShovesSpec, "test"))

    def run(self, seconds: float) -> dict[str, float]:
        for _ in range(round(seconds * STEP_HZ)):
            self.shoves.before_step()
            self.world.step()
            self.steps += 1
        return {**self.block.witness(), **self.shoves.witness()}


def test_a_shove_gives_its_impulse_and_no_more(world: World) -> None:
    scene = Scene(world, {"start_s": 0.1, "lasts_s": 0.05, "force": [0.0, 2.0, 0.0]})
    assert scene.run(0.1)["block.speed"] == 0.0
    assert scene.run(0.02)["bumps.n"] == 2.0
    seen = scene.run(0.18)
    assert (seen["bumps.n"], seen["bumps.done"]) == (0.0, 1.0)
    assert seen["block.speed"] == pytest.approx(2.0 * 0.05 / MASS, rel=0.001)
    assert seen["block.x"] == pytest.approx(0.0, abs=1e-9)
    assert seen["block.y"] > 0.0
    assert seen["block.spin"] == pytest.approx(0.0, abs=1e-9)


def test_a_shove_beside_the_middle_turns_it(world: World) -> None:
    """At x = 0.05 m a force along y turns the block about z with I = m a²/6."""
    scene = Scene(
        world, {"start_s": 0.0, "lasts_s": 0.02, "force": [0, 1.0, 0], "at": [0.05, 0, 0]}
    )
    seen = scene.run(0.02)
    inertia = MASS * 0.1**2 / 6
    assert seen["block.spin"] == pytest.approx(0.05 * 0.02 / inertia, rel=0.01)
    assert seen["block.speed"] == pytest.approx(0.02 / MASS, rel=0.001)


def test_shoves_at_a_time_add_up(world: World) -> None:
    shove = {"start_s": 0.0, "lasts_s": 0.05, "force": [3.0, 0.0, 4.0]}
    scene = Scene(world, shove, {**shove, "lasts_s": 0.03})
    assert scene.run(0.01)["bumps.n"] == 10.0
    seen = scene.run(0.03)
    assert (seen["bumps.n"], seen["bumps.done"]) == (5.0, 1.0)
    assert scene.run(0.02)["block.speed"] == pytest.approx(5.0 * 0.08 / MASS, rel=0.001)


def test_what_is_not_there_cannot_be_shoved(world: World) -> None:
    stage = Stage(world, [], lambda: 0.0)
    table = {"kind": "shoves", "name": "bumps", "on": "ghost", "shoves": []}
    with pytest.raises(BadInput, match="refers to 'ghost', which is not there"):
        furnish(stage, {"elements": [table]})


@pytest.mark.parametrize("key", ["start_s", "lasts_s"])
def test_times_that_cannot_be_are_refused(world: World, key: str) -> None:
    shove = {"start_s": 0.0, "lasts_s": 0.05, "force": [1.0, 0.0, 0.0], key: -1.0}
    table = {"kind": "shoves", "name": "bumps", "on": "ghost", "shoves": [shove]}
    with pytest.raises(BadInput, match=key):
        furnish(Stage(world, [], lambda: 0.0), {"elements": [table]})
