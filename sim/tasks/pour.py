"""Archetype pour: take a jug from the table, pour from it into a cup up to a mark, put it back.

What is poured are balls of some 13 mm, about 80 of them: PyBullet has no liquids. They stand for
equal parts of a liquid, so that fill error and spill are shares of a count. The error is no
better resolved than one ball, about 2.5 % of what is asked; a scenario whose tolerance is less
than two balls is refused. Balls leave the lip in lumps rather than in a stream, form a slope and
neither wet, drip, splash nor foam, so that stopping in time is harder than with a liquid and
keeping the table dry is easier.

Success is what is so at the end for `hold_s`: the count in the cup within the tolerance, the jug
upright on the table where it was taken from, at rest and released; and the cup never moved.
"""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import panda
from sim.tasks.kit.draws import number, pose_of
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import moved
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time, most
from sim.tasks.pour_script import script
from sim.tasks.pour_things import Parameters, scene

REST_M_S = 0.005
GRAINS_REST_M_S = 0.1
"""Balls in a heap tremble a little, one that still falls or rolls is faster."""
CUP_MOVED_M = 0.005
CUP_TILT_RAD = 0.05
JUG_TILT_RAD = 0.05
STANDS_M = 0.003
"""Height of the jug's underside at which it still stands on the table."""


def _tilt(seen: Seen, name: str) -> FloatArray | None:
    """Angle in rad of a thing's z from the vertical, (ticks,): cos = 1 - 2 (x² + y²)."""
    turns = seen.turns(name)
    if turns is None:
        return None
    return np.asarray(np.arccos(np.clip(1 - 2 * (turns[:, 0] ** 2 + turns[:, 1] ** 2), -1, 1)))


def _share(count: FloatArray | None, wanted: float, whole: float) -> FloatArray | None:
    """Of the difference from `wanted` in `whole`, (ticks,)."""
    return None if count is None else np.abs(count - wanted) / whole


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    wanted = number(draw, "asked")
    error = _share(seen.column("grains.in_cup"), wanted, wanted)
    spill = _share(seen.column("grains.spilled"), 0.0, number(draw, "grains"))
    jug, tilt = seen.columns("jug"), _tilt(seen, "jug")
    away = None if jug is None else np.linalg.norm(jug - pose_of(draw, "jug")[:3], axis=1)
    there = all_of(
        seen.below(error, asked.fill_limit),
        seen.below(spill, asked.spill_limit),
        seen.below(seen.column("grains.speed_max"), GRAINS_REST_M_S),
        seen.below(away, asked.back_limit_m),
        seen.below(seen.column("jug.z"), STANDS_M),
        seen.below(tilt, JUG_TILT_RAD),
        seen.below(seen.column("jug.speed"), REST_M_S),
        seen.below(seen.column("jug.robot_n"), 0.0),
    )
    return (
        at_most("fill error", seen.end(error), asked.fill_limit, ""),
        at_most("spilled", seen.end(spill), asked.spill_limit, ""),
        at_most("jug from its place", seen.end(away), asked.back_limit_m, "m"),
        at_most("jug tilted at the end", seen.end(tilt), JUG_TILT_RAD, "rad"),
        at_least("filled, put back and released", seen.held_s(there), asked.hold_s, "s"),
        at_most("cup moved", moved(seen, draw, "cup"), CUP_MOVED_M, "m"),
        at_most("cup tilted", most(_tilt(seen, "cup")), CUP_TILT_RAD, "rad"),
        in_time("done within", seen, there, asked.cycle_limit_s),
    )


JOB = Job(
    name="pour",
    Parameters=Parameters,
    make_robot=panda.robot,
    scene=scene,
    conditions=_conditions,
    script=script,
)
