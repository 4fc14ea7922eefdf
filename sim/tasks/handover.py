"""Archetype handover: fetch a thing, hold it out to a person, and let go when the person pulls.

The thing stands on the table. The person's hand (`sim.scenery.receiver`) waits, takes hold of
what is brought and held still, and pulls some time later; now and then it bumps first. A bump is
weaker than `pull_n`, the force from which on it is agreed to be a pull.

Done is: the thing is in the hand, out of the robot's, for `hold_s` at the end; it was let go
after the pull began and within `release_s` of its passing `pull_n`; it has never leaned over
`tilt_limit_rad` nor slipped in the receiver's fingers, and the force on the hand was never over
`hand_limit_n`. On a real rig the receiver is a dummy hand with a load cell, whose handle tells
that it has the thing, or a person who wears one; markers on thing and hand tell the rest.

Liquid is not modelled: a full cup is its weight and its tilt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from hil.task import Condition, Draw
from sim.robots import panda
from sim.robots.model import Robot
from sim.tasks.handover_script import script
from sim.tasks.handover_seen import finite, free, leaned, since
from sim.tasks.handover_things import KINDS, behind, direction, pads, thing
from sim.tasks.kit.job import Job
from sim.tasks.kit.ranges import (
    Range,
    TaskTable,
    Tracker,
    about_z,
    refuse_outside,
    uniform,
    within,
)
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time

SLIP_LIMIT_M = 0.015
"""A thing that moves by more in the receiver's fingers is slipping out of them."""
REST_M_S = 0.02
BUMP_SHARE, PULL_SHARE = 0.75, 1.5
"""Of `pull_n`: the strongest bump that is one, and the weakest pull that is one."""


class Parameters(TaskTable):
    """Places in the base frame; `hand_..._m` is where the receiver grips, who faces the robot
    but for `aside_rad`."""

    thing: Literal["tool", "cup"] = "tool"
    width_m: Range | None = Field(default=None, description="None: as is usual of the thing")
    length_m: Range | None = Field(default=None, description="None: as is usual of the thing")
    mass_kg: Range = within(0.08, 0.5, "kg", 0.10, 0.25)
    friction: Range = within(0.4, 1.2, "", 0.5, 0.9)
    x_m: Range = within(0.30, 0.45, "m", 0.34, 0.42)
    y_m: Range = within(-0.30, 0.30, "m", -0.20, 0.20)
    hand_x_m: Range = within(0.52, 0.64, "m", 0.54, 0.62)
    hand_y_m: Range = within(-0.25, 0.25, "m", -0.20, 0.20)
    hand_z_m: Range = within(0.18, 0.40, "m", 0.22, 0.36)
    aside_rad: Range = within(-0.4, 0.4, "rad", -0.3, 0.3)
    pull_aside_rad: Range = within(-0.3, 0.3, "rad", -0.2, 0.2)
    pull_down_rad: Range = within(-0.2, 0.5, "rad", 0.0, 0.3)
    grip_after_s: Range = within(0.15, 2.0, "s", 0.2, 0.4)
    pull_after_s: Range = within(0.3, 5.0, "s", 0.5, 1.5)
    ramp_n_s: Range = within(10.0, 100.0, "N/s", 25.0, 60.0)
    most_n: Range = within(6.0, 20.0, "N", 10.0, 15.0)
    bump_share: float = Field(default=0.5, ge=0, le=1, description="of episodes with a bump")
    bump_n: Range = within(0.0, 10.0, "N", 1.5, 3.0)
    pull_n: float = Field(default=5.0, ge=3, le=12)
    release_s: float = Field(default=0.2, gt=0, le=1)
    tilt_limit_rad: float = Field(default=0.262, ge=0.02, le=1.0)
    hand_limit_n: float = Field(default=140.0, gt=0, le=300)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=6.0, gt=0, le=60)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _can_be_done(self) -> Parameters:
        kind, of = KINDS[self.thing], f"m of a {self.thing}"
        refuse_outside("width_m", self.width_m, kind.width_most, of)
        refuse_outside("length_m", self.length_m, kind.length_most, of)
        refuse_outside("bump_n", self.bump_n, (0.0, BUMP_SHARE * self.pull_n), "N of no pull")
        refuse_outside("most_n", self.most_n, (PULL_SHARE * self.pull_n, 20.0), "N of a pull")
        return self


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    kind = KINDS[asked.thing]
    width = uniform(rng, asked.width_m or kind.width)
    length = uniform(rng, asked.length_m or kind.length)
    mass, friction = uniform(rng, asked.mass_kg), uniform(rng, asked.friction)
    at = (uniform(rng, asked.x_m), uniform(rng, asked.y_m))
    turn = about_z(float(rng.uniform(-math.pi, math.pi)))
    grips = [uniform(rng, span) for span in (asked.hand_x_m, asked.hand_y_m, asked.hand_z_m)]
    facing = float(np.arctan2(grips[1], grips[0])) + uniform(rng, asked.aside_rad)
    return {
        "thing": asked.thing,
        "width_m": width,
        "length_m": length,
        "pull_n": asked.pull_n,
        "poses": {"thing": [*at, length / 2, *turn], "receiver": [*grips, *about_z(facing)]},
        "elements": [
            thing(asked.thing, (width, length), at, turn, mass=mass, friction=friction),
            {
                "kind": "receiver",
                "name": "receiver",
                "takes": "thing",
                "at": grips,
                "yaw": facing,
                "palm_m": behind(asked.thing, width),
                "pads": pads(asked.thing, length),
                "grip_after_s": uniform(rng, asked.grip_after_s),
                **_person(asked, rng, facing),
            },
        ],
        "tracker": asked.tracker.drawn(rng),
        "start": (robot.home + np.append(rng.uniform(-0.03, 0.03, 7), 0.0)).tolist(),
    }


def _person(asked: Parameters, rng: np.random.Generator, facing: float) -> dict[str, object]:
    """How the person pulls, and whether there is a bump before it."""
    yaw = facing + uniform(rng, asked.pull_aside_rad)
    after_s = uniform(rng, asked.pull_after_s)
    pull = {
        "after_s": after_s,
        "way": direction(yaw, uniform(rng, asked.pull_down_rad)),
        "ramp_n_s": uniform(rng, asked.ramp_n_s),
        "most_n": uniform(rng, asked.most_n),
    }
    bumps = rng.random() < asked.bump_share
    way = rng.normal(0.0, 1.0, 3)
    size = uniform(rng, asked.bump_n)
    lasts_s = float(rng.uniform(0.4, 0.7)) * after_s
    bump = {
        "after_s": float(rng.uniform(0.0, after_s - lasts_s)),
        "lasts_s": min(1.0, lasts_s),
        "force": (size * way / np.linalg.norm(way)).tolist(),
    }
    return {"pull": pull, "bump": bump if bumps else None}


def _conditions(seen: Seen, _draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    rest = seen.below(seen.column("receiver.speed"), REST_M_S)
    pulled = since(seen, "receiver.pulls", 1.0)
    strong = since(seen, "receiver.pull_n", asked.pull_n)
    slip, force = (seen.peak(f"receiver.{name}") for name in ("slip_m", "force_peak_n"))
    alone = seen.held_s(all_of(free(seen), rest))
    return (
        at_least("let go after the pull began", pulled, 0.0, "s"),
        at_most("let go after the pull was strong", strong, asked.release_s, "s"),
        at_least("with the receiver alone at the end", alone, asked.hold_s, "s"),
        at_most("leaned", leaned(seen, "thing"), asked.tilt_limit_rad, "rad"),
        at_most("slipped in the receiver's hand", slip, SLIP_LIMIT_M, "m"),
        at_most("force on the hand", force, asked.hand_limit_n, "N"),
        in_time("handed over within", seen, free(seen), asked.cycle_limit_s),
    )


def _measures(seen: Seen, _draw: Draw, asked: Parameters) -> Mapping[str, float | None]:
    return finite(
        pull_to_release_s=since(seen, "receiver.pull_n", asked.pull_n),
        pull_began_to_release_s=since(seen, "receiver.pulls", 1.0),
        peak_force_on_hand_n=seen.peak("receiver.force_peak_n"),
    )


JOB = Job(
    name="handover",
    Parameters=Parameters,
    make_robot=panda.robot,
    scene=_scene,
    conditions=_conditions,
    script=script,
    measures=_measures,
)
