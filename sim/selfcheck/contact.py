"""Contact of a thing with a table: friction, weight, rebound."""

from __future__ import annotations

import math

from sim.robots.so101 import GRAVITY
from sim.robots.urdf import Box
from sim.selfcheck.bodies import ball, free, place, settle, table
from sim.selfcheck.model import Reading
from sim.selfcheck.slip import Pull, slip_force
from sim.world import Placed, Surface, World

_BLOCK, _MASS = Box((0.06, 0.06, 0.04)), 0.5  # m, kg
_FRICTION = 0.5
_SETTLED_S = 0.2

_WAY = (math.cos(0.3), math.sin(0.3), 0.0)
"""Off the axes of the contact, along which a friction pyramid is as good as a cone."""

_RADIUS, _BALL = 0.02, 0.1  # m, kg
_RESTITUTION = 0.8
_DROPS = 12
_APART = 0.1  # m
_LOWEST, _HIGHER = 0.30, 0.003  # m: how high the lowest ball hangs, and each next one more


def slide(world: World) -> Reading:
    """Force in N at which a block slips on a table."""
    block = _rests(world)
    expected = _FRICTION * _MASS * GRAVITY
    # pushed in the plane of contact, so that it does not tilt
    beside = (0.0, 0.0, -_BLOCK.size[2] / 2)
    pull = Pull(_WAY, 0.6 * expected, 1.2 * expected, 1.0, 1e-4, beside)
    return Reading(slip_force(world, block, _MASS, pull), expected)


def weight(world: World) -> Reading:
    """Weight in N of a block, by the contact forces under it."""
    block = _rests(world)
    points = world.bullet.getContactPoints(bodyA=block.uid, physicsClientId=world.client)
    return Reading(sum(point[9] * point[7][2] for point in points), _MASS * GRAVITY)


def restitution(world: World) -> Reading:
    """Coefficient of restitution of a ball on a table: root of the height of the rebound over
    that of the drop, mean of twelve drops whose heights differ by 3 mm each, since the place of
    the last step before the touch matters."""
    world.rebuild()
    table(world, Surface(restitution=1.0))
    heights = [_LOWEST + _HIGHER * number for number in range(_DROPS)]
    surface = Surface(restitution=_RESTITUTION)
    balls = [
        ball(world, _RADIUS, _BALL, (_APART * number, 0.0, _RADIUS + height), surface)
        for number, height in enumerate(heights)
    ]
    tops = _rebounds(world, balls, max(heights))
    found = [math.sqrt(top / height) for top, height in zip(tops, heights, strict=True)]
    return Reading(sum(found) / len(found), _RESTITUTION)


def _rests(world: World) -> Placed:
    world.rebuild()
    table(world, Surface(1.0))
    at = (0.0, 0.0, _BLOCK.size[2] / 2)
    block = free(world, _BLOCK, _MASS, at, Surface(_FRICTION))
    settle(world, _SETTLED_S)
    return block


def _rebounds(world: World, balls: list[Placed], highest: float) -> list[float]:
    """How high each ball rises after its first touch, m; later rebounds are lower."""
    tops, before = [0.0] * len(balls), [math.inf] * len(balls)
    for _ in range(round(2.0 * math.sqrt(2 * highest / GRAVITY) / world.step_s)):
        world.step()
        for number, thing in enumerate(balls):
            height = place(world, thing)[2] - _RADIUS
            if height > before[number]:
                tops[number] = max(tops[number], height)
            before[number] = height
    return tops
