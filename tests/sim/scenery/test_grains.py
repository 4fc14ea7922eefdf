"""Balls in vessels: they settle, weigh, are counted where they are, and repeat bit for bit."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from hil.errors import BadInput, HarnessError
from sim.robots.so101 import GRAVITY
from sim.scenery.element import Element, Stage
from sim.scenery.grains import PACKING
from sim.scenery.kinds import furnish
from sim.world import World

COUNT, RADIUS, MASS = 40, 0.0065, 0.001
JUG = {"kind": "vessel", "name": "jug", "apothem": 0.03, "height": 0.11, "mass": 0.15}
BASIN = {"kind": "vessel", "name": "basin", "apothem": 0.07, "height": 0.10, "mass": 0.5}
OVER = [1.0, 0.0, 0.0, 0.0]
"""Upside down."""


def grains(**more: object) -> dict[str, object]:
    return {
        "kind": "grains",
        "name": "grains",
        "count": COUNT,
        "radius": RADIUS,
        "mass": MASS,
        "start": "jug",
        "vessels": ["jug"],
        "levels": ["jug"],
        **more,
    }


def jug(**more: object) -> dict[str, object]:
    return {**JUG, "at": [0, 0, 0], "fixed": True, **more}


def emptied() -> list[dict[str, object]]:
    """A jug upside down over a basin."""
    basin = {**BASIN, "at": [0, 0, 0], "fixed": True}
    over = jug(at=[0, 0, 0.25], turn=OVER)
    return [over, basin, grains(vessels=["jug", "basin"], levels=["basin"], restitution=0.3)]


@contextmanager
def stood(elements: list[dict[str, object]]) -> Iterator[tuple[World, list[Element]]]:
    world = World(500, 150)
    world.rebuild()
    try:
        stage = Stage(world, (), lambda: 0.0)
        yield world, furnish(stage, {"elements": elements})
    finally:
        world.close()


def seen(elements: list[Element]) -> dict[str, float]:
    return dict(elements[-1].witness())


def poured_digest() -> str:
    """Of all poses after half a second of falling."""
    with stood(emptied()) as (world, elements):
        world.step(250)
        count = world.bullet.getNumBodies(physicsClientId=world.client)
        poses = [
            world.bullet.getBasePositionAndOrientation(uid, physicsClientId=world.client)
            for uid in range(count)
        ]
        assert seen(elements)["grains.in_jug"] < COUNT
    return hashlib.sha256(repr(poses).encode()).hexdigest()


def test_they_start_apart_and_settle_where_they_are() -> None:
    with stood([jug(), grains()]) as (world, elements):
        world.step()
        assert seen(elements)["grains.speed_max"] == pytest.approx(GRAVITY / 500, rel=1e-3)
        world.step(500)
        found = seen(elements)
    assert found["grains.in_jug"] == COUNT
    assert found["grains.spilled"] == 0
    assert found["grains.speed_max"] < 0.05


def test_a_free_jug_weighs_what_is_in_it_and_the_level_is_near_the_top() -> None:
    top = {"kind": "body", "name": "top", "fixed": True, "at": [0, 0, -0.01]}
    top["parts"] = [{"shape": "box", "size": [0.3, 0.3, 0.02]}]
    with stood([top, jug(fixed=False), grains()]) as (world, elements):
        world.step(1000)
        forces = []
        for _ in range(50):
            world.step()
            points = world.bullet.getContactPoints(0, 1, physicsClientId=world.client)
            forces.append(sum(point[9] for point in points))
        heights = [
            world.bullet.getBasePositionAndOrientation(uid, physicsClientId=world.client)[0][2]
            for uid in range(2, 2 + COUNT)
        ]
        level = elements[-1].poses()["jug-level"]
    assert np.mean(forces) == pytest.approx((0.15 + COUNT * MASS) * GRAVITY, rel=0.02)
    assert level[2] == pytest.approx(2 * (np.mean(heights) - 0.004) + 0.004, abs=RADIUS)


def test_what_falls_out_of_one_vessel_is_counted_in_the_other() -> None:
    with stood(emptied()) as (world, elements):
        assert seen(elements)["grains.in_jug"] == COUNT
        world.step(750)
        found = seen(elements)
        levels = elements[-1].poses()
    assert found["grains.in_jug"] == 0
    assert found["grains.in_basin"] + found["grains.spilled"] == COUNT
    assert found["grains.in_basin"] > 0.9 * COUNT
    wanted = COUNT * 4 / 3 * math.pi * RADIUS**3 / PACKING / (8 * 0.07**2 * math.tan(math.pi / 8))
    if not found["grains.spilled"]:
        np.testing.assert_allclose(levels["basin-level"], [0, 0, 0.004 + wanted], atol=1e-6)


def test_what_is_in_no_vessel_is_spilled() -> None:
    with stood([jug(turn=OVER, at=[0, 0, 0.3]), grains()]) as (world, elements):
        world.step(250)
        found = seen(elements)
    assert found["grains.in_jug"] == 0
    assert found["grains.spilled"] == COUNT


def test_two_processes_give_the_same_bits() -> None:
    program = "from test_grains import poured_digest; print(poured_digest())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=__file__.rsplit("/", 1)[0],
    )
    assert done.stdout.strip() == poured_digest() == poured_digest()


def test_a_level_rises_by_the_bulk_of_a_ball() -> None:
    with stood([jug(), grains()]) as (_, elements):
        level = elements[-1].poses()["jug-level"][2]
    area = 8 * 0.03**2 * math.tan(math.pi / 8)
    assert level == pytest.approx(0.004 + COUNT * 4 / 3 * math.pi * RADIUS**3 / PACKING / area)


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ([grains()], "refers to 'jug', which is no vessel before it"),
        ([jug(), grains(vessels=["jug", "cup"])], "refers to 'cup'"),
        ([jug(), grains(count=200)], "200 balls of 6.5 mm radius do not fit into 'jug'"),
        ([jug(), grains(radius=0.04)], "do not fit"),
    ],
)
def test_a_scene_that_cannot_be_built_is_refused(
    elements: list[dict[str, object]], said: str
) -> None:
    with pytest.raises(BadInput, match=said), stood(elements):
        pass


def test_physics_that_has_blown_up_is_no_result() -> None:
    with stood([jug(), grains()]) as (world, elements):
        world.bullet.resetBaseVelocity(1, (0, 0, 100.0), physicsClientId=world.client)
        with pytest.raises(HarnessError, match="blown up"):
            elements[-1].witness()
