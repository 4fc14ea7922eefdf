"""How much of a body is hidden from a camera by others."""

from __future__ import annotations

from itertools import product

from sim.world import World

_INSIDE = 0.8
"""Of the way from the middle of a body's bounds to their faces, where it is looked at."""


def hidden_share(world: World, uid: int, eye: tuple[float, float, float]) -> float:
    """Fraction, 0..1, of the rays from `eye` (m) to 27 places within a body's bounds that meet
    another body first; places that are in no body do not count.

    An approximation: places stand for what a tracker recognises the body by, and whether they are
    in the picture, lit, or on the side that is turned away from the camera is not asked.
    """
    bullet, client = world.bullet, world.client
    low, high = bullet.getAABB(uid, -1, physicsClientId=client)
    steps = (-_INSIDE, 0.0, _INSIDE)
    places = [
        [(a + b) / 2 + part * (b - a) / 2 for a, b, part in zip(low, high, (x, y, z), strict=True)]
        for x, y, z in product(steps, repeat=3)
    ]
    met = [
        ray[0]
        for ray in bullet.rayTestBatch([list(eye)] * len(places), places, physicsClientId=client)
    ]
    counted = [body for body in met if body >= 0]
    return sum(body != uid for body in counted) / len(counted) if counted else 0.0
