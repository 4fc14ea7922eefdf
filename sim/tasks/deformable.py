"""Archetype deformable: lay a cable that lies beside a board round its peg and into its clips.

One end of the cable is fixed at the board's anchor. The clips are channels that are open at the
top and a little wider than the cable.

Done is: the cable lies in every clip, within `tolerance_m` of the channel's middle line over
its whole length; it passes the peg on the outer side, with no more than `slack_m` of it too much
between anchor and last clip; at rest and let go for `hold_s`; and never was the pull at the
anchor over `tension_limit_n` or the force on peg or clips over `force_limit_n`, in any step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from hil.task import Condition, Draw
from sim.robots import panda
from sim.tasks.deformable_lay import Lay
from sim.tasks.deformable_script import script
from sim.tasks.deformable_things import Parameters, scene
from sim.tasks.kit.job import Job
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time

REST_M_S, REST_M = 0.005, 0.001
"""Of the fastest node, and how far any may be in all of `hold_s` from where it ends."""
ASTRAY_RAD = math.pi / 2
"""Half a turn or more is the wrong side of the peg; bends in the cable are much less."""


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    lay = Lay.of(seen, draw)
    away, slack, astray = (lay.away, lay.slack, lay.astray) if lay else (None, None, None)
    there = all_of(
        seen.below(away, asked.tolerance_m),
        seen.below(slack, asked.slack_m),
        seen.below(astray, ASTRAY_RAD),
        seen.below(lay.speed(seen.elapsed_s) if lay else None, REST_M_S),
        seen.below(seen.column("cable.robot_n"), 0.0),
    )
    moved = lay.moved(seen.elapsed_s, asked.hold_s) if lay else None
    return (
        at_most("farthest from a clip's middle", seen.end(away), asked.tolerance_m, "m"),
        at_most("slack of the cable", seen.end(slack), asked.slack_m, "m"),
        at_most("turn round the peg off by", seen.end(astray), ASTRAY_RAD, "rad"),
        at_most("peak tension", seen.peak("cable.tension_peak_n"), asked.tension_limit_n, "N"),
        at_most("peak force on the peg", seen.peak("peg.force_peak_n"), asked.force_limit_n, "N"),
        at_most(
            "peak force on the clips", seen.peak("clips.force_peak_n"), asked.force_limit_n, "N"
        ),
        at_most("moved at the end", moved, REST_M, "m"),
        at_least("laid, at rest and released at the end", seen.held_s(there), asked.hold_s, "s"),
        in_time("laid within", seen, there, asked.cycle_limit_s),
    )


def _measures(seen: Seen, _draw: Draw, _asked: Parameters) -> Mapping[str, float | None]:
    return {
        "peak tension, N": seen.peak("cable.tension_peak_n"),
        "peak force on the peg, N": seen.peak("peg.force_peak_n"),
        "peak force on the clips, N": seen.peak("clips.force_peak_n"),
    }


JOB = Job(
    name="deformable",
    Parameters=Parameters,
    make_robot=panda.robot,
    scene=scene,
    conditions=_conditions,
    script=script,
    measures=_measures,
)
