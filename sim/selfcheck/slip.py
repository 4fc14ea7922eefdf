"""The force at which friction gives way: a pull that grows until the thing has moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.robots.urdf import Vector
from sim.selfcheck.bodies import along, place, velocity
from sim.world import Placed, World


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull along `way` (length 1) that grows from `first` to `last` N in `seconds`, acting
    `beside` m from the thing's middle; it has slipped when it has moved by `slipped` m."""

    way: Vector
    first: float
    last: float
    seconds: float
    slipped: float
    beside: Vector = (0.0, 0.0, 0.0)


def slip_force(world: World, thing: Placed, mass: float, pull: Pull) -> float:
    """What holds a thing of `mass` kg while it slips, N: the pull less mass times acceleration
    at the step in which it has moved so far. NaN where it never does."""
    bullet, client = world.bullet, world.client
    began = place(world, thing)
    before = along(velocity(world, thing), pull.way)
    steps = round(pull.seconds / world.step_s)
    for step in range(steps):
        force = pull.first + (pull.last - pull.first) * step / steps
        at = place(world, thing)
        bullet.applyExternalForce(
            thing.uid,
            -1,
            tuple(force * share for share in pull.way),
            _sum(at, pull.beside),
            bullet.WORLD_FRAME,
            physicsClientId=client,
        )
        world.step()
        now = along(velocity(world, thing), pull.way)
        moved = along(place(world, thing), pull.way) - along(began, pull.way)
        if moved > pull.slipped:
            return force - mass * (now - before) / world.step_s
        before = now
    return math.nan


def _sum(one: Vector, other: Vector) -> Vector:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])
