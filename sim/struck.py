"""What strikes and rubs in the world, step by step, as taps for a microphone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hil.clock import NS_PER_S
from sim.scenery.material import Made, declared
from sim.sensing.audio import Impact, impulse_of_step
from sim.sensing.friction import Scrape, tap_impulse, tap_times
from sim.sensing.streams import stream
from sim.world import World

_Pair = tuple[int, int, int, int]
_Vector = tuple[float, float, float]

LEAST_N_S = 2e-5
"""Impulse of a step below which a contact is silent: forces of a body at rest tremble by less."""

_LEAST_N = 0.02
"""Force below which two bodies that touch do not rub."""


@dataclass(frozen=True, slots=True)
class Unsaid:
    """What is made of what, where the scene does not say: `robots`, and all `others`, which are
    the table and what is fixed to it. None is silent, and hard where it strikes."""

    robots: str | None
    others: Made | None


@dataclass(slots=True)
class _Touch:
    """Two bodies that touch in one step: N, N (a vector in the world), place in m."""

    normal: float
    friction: _Vector
    at: _Vector


class Struck:
    """Taps of all bodies of a world whose material is known; one instance a scene.

    Of two bodies that touch, each that has a material sounds, struck by the other's. How hard a
    blow is follows from how much the contact force has grown in a step; what a body that slides
    does, `sim.sensing.friction` says. Rolling is silent.
    """

    def __init__(
        self, world: World, robots: frozenset[int], unsaid: Unsaid, scrape: Scrape, seed: int
    ) -> None:
        self._world, self._robots, self._unsaid, self._scrape = world, robots, unsaid, scrape
        self._rng = stream(seed, "scrape")
        self._made: dict[int, Made | None] = {}
        self._before: Mapping[_Pair, float] = {}

    def taps(self, stamp_ns: int) -> Iterator[Impact]:
        """Those of the step that ended at `stamp_ns`; to be asked once a step."""
        touches = self._touches()
        before, self._before = self._before, {pair: one.normal for pair, one in touches.items()}
        start_ns = stamp_ns - round(self._world.step_s * NS_PER_S)
        for pair, touch in touches.items():
            impulse = impulse_of_step(before.get(pair, 0.0), touch.normal, self._world.step_s)
            times = self._bumps(pair, touch)
            for uid, other in ((pair[0], pair[2]), (pair[2], pair[0])):
                made = self._of(uid)
                if made is None:
                    continue
                if impulse > LEAST_N_S:
                    striker = self._striker(other)
                    yield Impact(stamp_ns, impulse, made.material, made.size_m, striker)
                force = math.hypot(*touch.friction)
                for time_s in times:
                    bump = tap_impulse(self._scrape, force, made.mass_kg)
                    at_ns = start_ns + round(time_s * NS_PER_S)
                    yield Impact(at_ns, bump, made.material, made.size_m)

    def _touches(self) -> dict[_Pair, _Touch]:
        found: dict[_Pair, _Touch] = {}
        for point in self._world.bullet.getContactPoints(physicsClientId=self._world.client):
            if point[9] <= 0 or (self._of(point[1]) is None and self._of(point[2]) is None):
                continue
            pair = (point[1], point[3], point[2], point[4])
            friction = tuple(
                point[10] * a + point[12] * b for a, b in zip(point[11], point[13], strict=True)
            )
            known = found.get(pair)
            if known is None:
                found[pair] = _Touch(point[9], _vector(friction), point[6])
            else:
                known.normal += point[9]
                known.friction = _vector(
                    a + b for a, b in zip(known.friction, friction, strict=True)
                )
        return found

    def _bumps(self, pair: _Pair, touch: _Touch) -> list[float]:
        if touch.normal < _LEAST_N:
            return []
        first = self._speed(pair[0], pair[1], touch.at)
        second = self._speed(pair[2], pair[3], touch.at)
        sliding = math.dist(first, second)
        times = tap_times(self._scrape, sliding, self._world.step_s, self._rng)
        return [float(time_s) for time_s in times]

    def _speed(self, uid: int, link: int, at: _Vector) -> _Vector:
        """Of the body's point at `at`, m/s in the world."""
        bullet, client = self._world.bullet, self._world.client
        if link < 0:
            centre = bullet.getBasePositionAndOrientation(uid, physicsClientId=client)[0]
            linear, turning = bullet.getBaseVelocity(uid, physicsClientId=client)
        else:
            state = bullet.getLinkState(uid, link, computeLinkVelocity=1, physicsClientId=client)
            centre, linear, turning = state[0], state[6], state[7]
        x, y, z = (a - b for a, b in zip(at, centre, strict=True))
        return (
            linear[0] + turning[1] * z - turning[2] * y,
            linear[1] + turning[2] * x - turning[0] * z,
            linear[2] + turning[0] * y - turning[1] * x,
        )

    def _of(self, uid: int) -> Made | None:
        """What sounds where a body is struck; a robot does not."""
        if uid not in self._made:
            said = None if uid in self._robots else declared(self._world, uid)
            silent = uid in self._robots
            self._made[uid] = None if silent else said or self._unsaid.others
        return self._made[uid]

    def _striker(self, uid: int) -> str:
        if uid in self._robots:
            return self._unsaid.robots or ""
        made = self._of(uid)
        return "" if made is None else made.material


def _vector(values: Any) -> _Vector:
    x, y, z = values
    return float(x), float(y), float(z)
