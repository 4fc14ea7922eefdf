"""Element kind `belt`: what lies on it, falls on it and leaves it moves as mechanics has it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from hil.config import validate
from hil.errors import BadInput
from sim.scenery.belt import Belt, BeltSpec, build
from sim.scenery.bodies import BodySpec, Thing
from sim.scenery.element import Stage
from sim.scenery.kinds import furnish
from sim.world import World

STEP_HZ = 500
GRAVITY = 9.80665
TOP_M = 0.10
FRICTION = 0.4
HALF_M = 0.02
"""Half of the height of the thing."""


@pytest.fixture
def world() -> Iterator[World]:
    world = World(STEP_HZ, 150)
    world.rebuild()
    yield world
    world.close()


class Scene:
    """A box of 200 g over or on a belt along y, 2 m long, as `carried` starts at its speed."""

    def __init__(
        self,
        world: World,
        speed: float,
        *,
        carried: bool = True,
        drop: float = 0.0,
        y: float = 0.0,
        friction: float = 1.0,
    ) -> None:
        self.world, self.steps = world, 0
        stage = Stage(world, [], lambda: self.steps / STEP_HZ)
        box = {
            "name": "box",
            "parts": [{"shape": "box", "size": [0.06, 0.05, 2 * HALF_M]}],
            "mass": 0.2,
            "friction": FRICTION,
            "at": [0.5, y, TOP_M + HALF_M + drop],
        }
        self.box = Thing(stage, validate(box, BodySpec, "test"))
        table = {
            "name": "belt",
            "at": [0.5, 0.0, TOP_M],
            "yaw": math.pi / 2,
            "length": 2.0,
            "width": 0.2,
            "speed": speed,
            "friction": friction,
            "carries": ["box"] if carried else [],
        }
        self.belt: Belt = build(stage, validate(table, BeltSpec, "test"))

    def run(self, seconds: float) -> dict[str, float]:
        for _ in range(round(seconds * STEP_HZ)):
            self.belt.before_step()
            self.world.step()
            self.steps += 1
        return self.seen()

    def seen(self) -> dict[str, float]:
        return {**self.box.witness(), **self.belt.witness()}


@pytest.mark.parametrize("speed", [0.1, 0.3, 0.5])
def test_what_lies_on_it_goes_with_its_speed(world: World, speed: float) -> None:
    scene = Scene(world, speed, y=-0.9)
    seen = scene.run(1.0)
    assert seen["belt.speed"] == pytest.approx(speed, rel=1e-6)
    assert seen["box.speed"] == pytest.approx(speed, rel=0.01)
    assert seen["box.y"] == pytest.approx(-0.9 + speed, abs=0.01 * speed)
    assert seen["box.x"] == pytest.approx(0.5, abs=1e-4)
    assert seen["box.on_belt"] == 1.0


@pytest.mark.parametrize("belt_friction", [1.0, 0.5])
def test_what_is_put_on_it_at_rest_is_accelerated_by_friction(
    world: World, belt_friction: float
) -> None:
    """mu g until it is as fast as the belt; on the way it has slipped v²/(2 mu g)."""
    speed, pull = 0.5, FRICTION * belt_friction * GRAVITY
    scene = Scene(world, speed, carried=False, friction=belt_friction)
    half_s = round(0.5 * speed / pull * STEP_HZ) / STEP_HZ
    assert scene.run(half_s)["box.speed"] == pytest.approx(pull * half_s, rel=0.01)
    seen = scene.run(0.8)
    assert seen["box.speed"] == pytest.approx(speed, rel=0.01)
    slipped = speed * (half_s + 0.8) - seen["box.y"]
    assert slipped == pytest.approx(speed**2 / (2 * pull), rel=0.03)


def test_what_is_dropped_on_it_is_taken_along(world: World) -> None:
    """It lands with 1 m/s, and the blow drags it at once by mu times that; then mu g goes on."""
    drop = 0.05
    scene = Scene(world, 0.5, carried=False, drop=drop)
    fall_s = math.sqrt(2 * drop / GRAVITY)
    assert scene.run(fall_s - 0.01)["box.y"] == pytest.approx(0.0, abs=1e-9)
    landed = scene.run(0.02)["box.speed"]
    blow = FRICTION * math.sqrt(2 * GRAVITY * drop)
    assert landed == pytest.approx(blow + FRICTION * GRAVITY * 0.01, rel=0.03)
    assert scene.run(0.5)["box.speed"] == pytest.approx(0.5, rel=0.01)


def test_a_belt_that_stands_drags_nothing(world: World) -> None:
    seen = Scene(world, 0.0, y=0.3).run(2.0)
    assert seen["belt.speed"] == pytest.approx(0.0, abs=1e-9)
    assert seen["box.y"] == pytest.approx(0.3, abs=1e-6)
    assert seen["box.speed"] == pytest.approx(0.0, abs=1e-6)


def test_it_ends_and_things_fall_off(world: World) -> None:
    scene = Scene(world, 0.5, y=0.8)
    assert scene.run(0.2)["box.on_belt"] == 1.0
    seen = scene.run(0.5)
    assert seen["box.on_belt"] == 0.0
    assert seen["box.z"] < TOP_M


def test_what_presses_on_it_does_not_slow_it(world: World) -> None:
    """Held back with 50 N, and pressed with as much, in every step."""
    scene = Scene(world, 0.3)
    for _ in range(100):
        world.bullet.applyExternalForce(
            scene.belt.solids[0].uid,
            scene.belt.solids[0].joints["run"],
            (0.0, -50.0, -50.0),
            (0.5, 0.0, TOP_M),
            world.bullet.WORLD_FRAME,
            physicsClientId=world.client,
        )
        seen = scene.run(1 / STEP_HZ)
    assert seen["belt.speed"] == pytest.approx(0.3, rel=1e-6)
    assert seen["box.speed"] == pytest.approx(0.3, rel=0.01)


def test_it_carries_only_what_is_there(world: World) -> None:
    table = {
        "kind": "belt",
        "name": "belt",
        "at": [0, 0, TOP_M],
        "length": 1.0,
        "width": 0.2,
        "speed": 0.1,
        "carries": ["ghost"],
    }
    with pytest.raises(BadInput, match="refers to 'ghost', which is not there"):
        furnish(Stage(world, [], lambda: 0.0), {"elements": [table]})


@pytest.mark.parametrize(("key", "value"), [("speed", -0.1), ("length", 0.0), ("width", 3.0)])
def test_a_belt_that_cannot_be_is_refused(world: World, key: str, value: float) -> None:
    table = {
        "kind": "belt",
        "name": "belt",
        "at": [0, 0, TOP_M],
        "length": 1.0,
        "width": 0.2,
        "speed": 0.1,
        key: value,
    }
    with pytest.raises(BadInput, match=key):
        furnish(Stage(world, [], lambda: 0.0), {"elements": [table]})
