"""Archetype pick-fragile: put a jar into a box whose weight and grip nobody knows beforehand.

The jar breaks where it is squeezed some two times as hard as it has to be, and weighs, and slides,
more or less than it is said to: whoever grips as the order says drops it or breaks it. How hard is
enough shows while it is pulled at: friction on the fingertips stops growing with the grip, and the
jar stops scraping between them, once it is held. The tracker's camera looks down on the hand and
does not see the jar in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import panda
from sim.robots.gripper import GRIP, angle_for
from sim.robots.model import Robot
from sim.robots.so101 import GRAVITY
from sim.sensing.materials import load_materials
from sim.tasks.fragile_script import script
from sim.tasks.kit.draws import goal_of, number
from sim.tasks.kit.job import Job
from sim.tasks.kit.ranges import (
    Range,
    TaskTable,
    Tracker,
    about_z,
    apart,
    refuse_crowded,
    uniform,
    within,
)
from sim.tasks.kit.seen import BoolArray, Seen, all_of, at_least, at_most, exactly, in_time
from sim.tasks.kit.things import Table, body, box_part

HEIGHT_M, DEPTH_M = 0.08, 0.05
"""Of the jar; across, it is as wide as the draw says."""
INNER_M, WALL_M, WALL_HEIGHT_M = 0.15, 0.004, 0.02
"""Of the box, which is square and open."""
REST_M_S, REST_RAD = 0.005, 0.1
_TRIES, _LEAST_SHARE = 1000, 0.05
_COLOURS = {
    "glass": (0.55, 0.75, 0.80, 1.0),
    "steel": (0.75, 0.76, 0.78, 1.0),
    "wood": (0.70, 0.52, 0.32, 1.0),
    "plastic": (0.90, 0.85, 0.55, 1.0),
    "rubber": (0.28, 0.28, 0.30, 1.0),
}


class Parameters(TaskTable):
    """Mass and friction (against the fingertips) are drawn evenly in their logarithm; `said_` is
    what the order says of every jar, beside the least friction that there is. `needs_n` bounds
    the squeeze of one finger that just holds the jar, m g / (2 mu), and `holds` is how many times
    as much breaks it."""

    mass_kg: Range = within(0.05, 1.0, "kg", 0.1, 0.6)
    friction: Range = within(0.15, 1.0, "", 0.2, 0.7)
    said_mass_kg: float = Field(default=0.25, gt=0, le=1)
    said_friction: float = Field(default=0.4, gt=0, le=1)
    needs_n: Range = within(1.2, 15.0, "N", 1.5, 14.0)
    holds: Range = within(1.3, 5.0, "times what it needs", 2.0, 2.6)
    materials: tuple[str, ...] = Field(
        default=("glass", "steel", "plastic", "rubber"), min_length=1
    )
    width_m: Range = within(0.04, 0.065, "m", 0.05, 0.06)
    x_m: Range = within(0.38, 0.58, "m", 0.42, 0.54)
    y_m: Range = within(-0.28, 0.28, "m", -0.22, 0.22)
    yaw_rad: Range = within(-1.57, 1.57, "rad", -0.5, 0.5)
    apart_m: float = Field(default=0.2, ge=0.18, le=0.3, description="jar and box, at least")
    eye_m: tuple[float, float, float] = Field(
        default=(0.48, 0.0, 1.4), description="where the tracker's camera is, base frame"
    )
    hold_s: float = Field(default=0.5, gt=0, le=3)
    fastest_m_s: float = Field(default=0.5, gt=0, le=2, description="of a jar that is not dropped")
    cycle_limit_s: float = Field(default=30.0, gt=0, le=120)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _can_be_heard_of(self) -> Parameters:
        refuse_crowded(2, self.x_m, self.y_m, self.apart_m)
        known = load_materials()
        unknown = sorted(set(self.materials) - set(known))
        if unknown:
            raise ValueError(
                f"materials: nobody knows how {', '.join(unknown)} sounds; known are"
                f" {', '.join(sorted(known))}"
            )
        least = self.mass_kg[0] * GRAVITY / 2 / self.friction[1]
        most = self.mass_kg[1] * GRAVITY / 2 / self.friction[0]
        if most < self.needs_n[0] or least > self.needs_n[1]:
            raise ValueError(
                f"needs_n = {list(self.needs_n)} N: jars of this mass and friction need"
                f" {least:.3g} to {most:.3g} N"
            )
        rng = np.random.default_rng(0)
        met = sum(self.needs_n[0] <= _drawn(self, rng)[2] <= self.needs_n[1] for _ in range(400))
        if met < _LEAST_SHARE * 400:
            raise ValueError(
                f"needs_n = {list(self.needs_n)} N: few jars of this mass and friction need so much"
                f" ({met} of 400 drawn); they need {least:.3g} to {most:.3g} N: widen needs_n"
            )
        if self.needs_n[1] * self.holds[1] > 2 * GRIP:
            raise ValueError(
                f"holds = {list(self.holds)}: a jar that holds"
                f" {self.needs_n[1] * self.holds[1]:.3g} N is not fragile to a gripper of"
                f" {GRIP:g} N; {2 * GRIP / self.needs_n[1]:.3g} or less would do"
            )
        return self


def _evenly(rng: np.random.Generator, span: Range) -> float:
    """One number of a range, even in its logarithm."""
    return float(math.exp(rng.uniform(math.log(span[0]), math.log(span[1]))))


def _jar(asked: Parameters, rng: np.random.Generator) -> tuple[float, float, float]:
    """Mass in kg, friction, and the squeeze in N that just holds it."""
    for _ in range(_TRIES):
        jar = _drawn(asked, rng)
        if asked.needs_n[0] <= jar[2] <= asked.needs_n[1]:
            return jar
    raise AssertionError("the schema lets no range through that is hardly ever met")


def _drawn(asked: Parameters, rng: np.random.Generator) -> tuple[float, float, float]:
    """As `_jar`, whatever squeeze it needs."""
    mass, friction = _evenly(rng, asked.mass_kg), _evenly(rng, asked.friction)
    return mass, friction, mass * GRAVITY / 2 / friction


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    mass, friction, needed = _jar(asked, rng)
    holds = needed * uniform(rng, asked.holds)
    material = asked.materials[int(rng.integers(len(asked.materials)))]
    width = uniform(rng, asked.width_m)
    (x, y), (box_x, box_y) = apart(rng, 2, asked.x_m, asked.y_m, asked.apart_m)
    turn = about_z(uniform(rng, asked.yaw_rad))
    at = [x, y, HEIGHT_M / 2 + 5e-4]
    start = robot.home + np.append(rng.uniform(-0.03, 0.03, 7), 0.0)
    start[-1] = angle_for(0.08)
    size = [DEPTH_M, width, HEIGHT_M]
    jar = [box_part(size, colour=_COLOURS.get(material, (0.7, 0.7, 0.7, 1.0)))]
    made = {"mass": mass, "friction": friction, "material": material}
    return {
        "poses": {"jar": [*at, *turn]},
        "goals": {"jar": [box_x, box_y, WALL_M + HEIGHT_M / 2]},
        "width_m": width,
        "said": {
            "mass_kg": asked.said_mass_kg,
            "friction": asked.said_friction,
            "least_friction": asked.friction[0],
        },
        "elements": [
            body("jar", jar, at, turn, **made),
            {"kind": "fragile", "name": "shell", "of": "jar", "holds_n": holds},
            body("box", _box(), [box_x, box_y, 0.0], fixed=True),
        ],
        "needs_n": needed,
        "tracker": {**asked.tracker.drawn(rng), "eye": list(asked.eye_m)},
        "start": start.tolist(),
    }


def _box() -> list[Table]:
    """A floor and four walls."""
    outer, middle = INNER_M + 2 * WALL_M, (INNER_M + WALL_M) / 2
    colour = (0.62, 0.45, 0.28, 1.0)
    floor = box_part([outer, outer, WALL_M], [0, 0, WALL_M / 2], colour)
    high = WALL_HEIGHT_M / 2
    sides = [([WALL_M, outer, WALL_HEIGHT_M], [s * middle, 0, high]) for s in (1, -1)]
    ends = [([outer, WALL_M, WALL_HEIGHT_M], [0, s * middle, high]) for s in (1, -1)]
    return [floor, *(box_part(size, at, colour) for size, at in sides + ends)]


def _tilt(seen: Seen) -> FloatArray | None:
    """Angle of the jar's axis from upright, rad, (ticks,)."""
    turns = seen.turns("jar")
    if turns is None:
        return None
    x, y = turns[:, 0], turns[:, 1]
    return np.asarray(np.arccos(np.clip(1 - 2 * (x * x + y * y), -1.0, 1.0)))


def _boxed(seen: Seen, draw: Draw) -> BoolArray | None:
    """Where the jar stands on the floor of the box."""
    at, goal = seen.columns("jar"), goal_of(draw, "jar")
    if at is None:
        return None
    off = np.abs(at - goal)
    inside = (off[:, :2] < (INNER_M - DEPTH_M) / 2).all(axis=1)
    return np.asarray(inside & (off[:, 2] < 0.003))


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    there = all_of(
        _boxed(seen, draw),
        seen.below(_tilt(seen), REST_RAD),
        seen.below(seen.column("jar.speed"), REST_M_S),
        seen.below(seen.column("jar.robot_n"), 0.0),
    )
    return (
        at_least(
            "in the box, upright, at rest and released", seen.held_s(there), asked.hold_s, "s"
        ),
        exactly("broken", seen.peak("shell.broken"), 0.0),
        at_most("fastest", seen.peak("jar.speed"), asked.fastest_m_s, "m/s"),
        in_time("boxed within", seen, there, asked.cycle_limit_s),
    )


def _finished(witness: Mapping[str, float]) -> bool:
    """A broken jar stays broken."""
    return witness.get("shell.broken", 0.0) > 0


def _measures(seen: Seen, draw: Draw, _asked: Parameters) -> dict[str, float | None]:
    squeeze, needed = seen.peak("shell.squeeze_n"), number(draw, "needs_n")
    return {
        "largest squeeze [N]": squeeze,
        "largest squeeze over what it needs [1]": None if squeeze is None else squeeze / needed,
    }


JOB = Job(
    name="pick-fragile",
    Parameters=Parameters,
    make_robot=panda.robot,
    scene=_scene,
    conditions=_conditions,
    script=script,
    finished=_finished,
    measures=_measures,
)
