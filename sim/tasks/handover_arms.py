"""Archetype handover-arms: one arm brings a bar, another takes it from its gripper.

The left arm fetches the bar from the table and holds one end out; the right one grips the other
end, pulls, and carries it on to a place in the air. Done is: the left one let go after the right
one had it and pulled with `pull_n`, within `release_s` of that; at the end the right one alone
holds the bar at its goal, at rest, for `hold_s`; from the lifting on the bar never leaned over
`tilt_limit_rad`, and the arms never pulled against each other with more than `tension_limit_n`.

On a real rig wrist sensors, the grippers' currents and a tracker tell the columns
(`sim.scenery.holders`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from hil.task import Condition, Draw
from sim.robots import two_panda
from sim.robots.model import Robot
from sim.tasks.handover_arms_script import script
from sim.tasks.handover_seen import finite, leaned, passed_on, pulled_for
from sim.tasks.kit.draws import goal_of
from sim.tasks.kit.job import Job
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, about_z, uniform, within
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time
from sim.tasks.kit.things import body, box_part, mark

HEIGHT_M = 0.030
"""Of the bar: lower, and the fingers that hold it in its middle would touch the table."""
REST_M_S = 0.005
_RED = (0.85, 0.30, 0.12, 1.0)


class Parameters(TaskTable):
    """The bar lies on the table in the left arm's reach, base frame of that arm; the goal is on
    the right one's side."""

    width_m: Range = within(0.012, 0.035, "m", 0.016, 0.024)
    length_m: Range = within(0.20, 0.32, "m", 0.22, 0.28)
    mass_kg: Range = within(0.05, 0.5, "kg", 0.10, 0.25)
    friction: Range = within(0.4, 1.2, "", 0.5, 0.9)
    x_m: Range = within(0.38, 0.52, "m", 0.42, 0.50)
    y_m: Range = within(-0.25, 0.25, "m", -0.18, 0.18)
    yaw_rad: Range = within(-0.6, 0.6, "rad", -0.4, 0.4)
    goal_x_m: Range = within(0.60, 0.75, "m", 0.62, 0.70)
    goal_y_m: Range = within(-0.20, 0.20, "m", -0.15, 0.15)
    goal_z_m: Range = within(0.15, 0.45, "m", 0.20, 0.40)
    pull_n: float = Field(
        default=15.0, ge=5, le=20, description="more than two grippers strain when both close"
    )
    release_s: float = Field(default=0.2, gt=0, le=1)
    tolerance_m: float = Field(default=0.010, ge=0.002, le=0.05)
    tilt_limit_rad: float = Field(default=0.262, ge=0.02, le=1.0)
    tension_limit_n: float = Field(default=60.0, gt=0, le=300)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=7.0, gt=0, le=60)
    tracker: Tracker = Tracker()


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    width, length = uniform(rng, asked.width_m), uniform(rng, asked.length_m)
    mass, friction = uniform(rng, asked.mass_kg), uniform(rng, asked.friction)
    at = [uniform(rng, asked.x_m), uniform(rng, asked.y_m), HEIGHT_M / 2]
    turn = about_z(uniform(rng, asked.yaw_rad))
    goal = [uniform(rng, span) for span in (asked.goal_x_m, asked.goal_y_m, asked.goal_z_m)]
    size = [length, width, HEIGHT_M]
    under = [*goal[:2], goal[2] - HEIGHT_M / 2 - 0.01]
    off = rng.uniform(-0.03, 0.03, len(robot.home))
    off[[name.endswith("gripper") for name in robot.names]] = 0.0
    return {
        "width_m": width,
        "length_m": length,
        "pull_n": asked.pull_n,
        "poses": {"bar": [*at, *turn]},
        "goals": {"bar": [*goal, 0.0, 0.0, 0.0, 1.0]},
        "elements": [
            body(
                "bar",
                [box_part(size, colour=_RED)],
                at,
                turn,
                mass=mass,
                friction=friction,
                anchored=True,
            ),
            mark("goal", [length, width, 0.002], under),
            {"kind": "holders", "name": "held", "on": "bar", "robots": ["left", "right"]},
        ],
        "tracker": asked.tracker.drawn(rng),
        "start": (robot.home + off).tolist(),
    }


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    at, goal = seen.columns("bar"), goal_of(draw, "bar")
    error = None if at is None else np.linalg.norm(at - goal[:3], axis=1)
    after = pulled_for(seen, asked.pull_n)
    there = all_of(
        passed_on(seen),
        seen.below(error, asked.tolerance_m),
        seen.below(seen.column("bar.speed"), REST_M_S),
    )
    tension = seen.peak("held.tension_peak_n")
    return (
        at_least("let go after the other pulled", after, 0.0, "s"),
        at_most("let go within, of the pull", after, asked.release_s, "s"),
        at_most("place error", seen.end(error), asked.tolerance_m, "m"),
        at_least("at its place in the right hand alone", seen.held_s(there), asked.hold_s, "s"),
        at_most("leaned", leaned(seen, "bar"), asked.tilt_limit_rad, "rad"),
        at_most("tension between the arms", tension, asked.tension_limit_n, "N"),
        in_time("brought within", seen, there, asked.cycle_limit_s),
    )


def _measures(seen: Seen, _draw: Draw, asked: Parameters) -> Mapping[str, float | None]:
    return finite(
        pull_to_release_s=pulled_for(seen, asked.pull_n),
        peak_tension_n=seen.peak("held.tension_peak_n"),
    )


JOB = Job(
    name="handover-arms",
    Parameters=Parameters,
    make_robot=two_panda.pair,
    scene=_scene,
    conditions=_conditions,
    script=script,
    measures=_measures,
)
