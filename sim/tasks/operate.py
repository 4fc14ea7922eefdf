"""Archetype operate: bring one control of a panel into a state, and touch no other.

Buttons, rocker switches, knobs with detents, breaker levers and valve wheels, worked by a
six-axis arm with its gripper. It is an archetype beside press-turn and not a parameter of it: an
archetype has one robot and one form of what a network sees and answers, and press-turn's are
those of a hobby arm and of the policies trained for it.

Success is not a moment: at the end the control has been in its state, at rest and touched by
nobody for `hold_s`. Angles are signed: a turn the wrong way is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import six_axis
from sim.robots.model import Robot
from sim.tasks.kit.draws import number
from sim.tasks.kit.frames import ready
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
from sim.tasks.kit.seen import BoolArray, Seen, all_of, at_least, at_most, exactly, in_time
from sim.tasks.operate_controls import CONTROLS, Name
from sim.tasks.operate_panel import GOAL, OTHERS, drawn
from sim.tasks.operate_script import script

REST_RAD_S = 0.02
STRAY_M, STRAY_RAD = 0.0005, 0.02
"""Another control that was moved by more counts as touched."""


class Parameters(TaskTable):
    """`effort` is what it takes: N of a button, N·m of the others; `turn_rad` the angle by
    which a knob (rounded to its detents) or a valve is turned, one way or the other. Both are
    the control's standard ranges unless given. The panel stands so that the control to be moved
    is at `x_m`, `y_m`, `z_m`, base frame, turned by `yaw_rad`."""

    control: Name = "button"
    x_m: Range = within(0.56, 0.66, "m", 0.58, 0.64)
    y_m: Range = within(-0.15, 0.15, "m", -0.12, 0.12)
    z_m: Range = within(0.25, 0.50, "m", 0.30, 0.45)
    yaw_rad: Range = within(-0.3, 0.3, "rad", -0.2, 0.2)
    effort: Range | None = Field(default=None, description="[low, high] in N or N·m")
    turn_rad: Range | None = Field(default=None, description="[low, high], rad, without sign")
    start_jitter_rad: float = Field(default=0.03, ge=0, le=0.1)
    tolerance_rad: float = Field(default=math.radians(5), ge=0.01, le=0.2)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    force_limit_n: float = Field(default=30.0, gt=0, le=200)
    torque_limit_nm: float = Field(default=20.0, gt=0, le=50, description="about a hinge's axis")
    cycle_limit_s: float = Field(default=15.0, gt=0, le=120)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _fits_the_control(self) -> Parameters:
        kind = CONTROLS[self.control]
        refuse_outside("effort", self.effort, kind.allowed, f"{kind.unit} of a {self.control}")
        if kind.turn is None and self.turn_rad is not None:
            raise ValueError(f"turn_rad: a {self.control} has two states and no angle")
        refuse_outside("turn_rad", self.turn_rad, (0.3, kind.most_turn), f"rad of a {self.control}")
        return self


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    at = [uniform(rng, span) for span in (asked.x_m, asked.y_m, asked.z_m)]
    pose = [*at, *about_z(uniform(rng, asked.yaw_rad))]
    panel = drawn(rng, asked.control, pose, asked.effort, asked.turn_rad)
    start = ready(robot)
    start[:6] += rng.uniform(-1.0, 1.0, 6) * asked.start_jitter_rad
    return {
        "control": asked.control,
        "poses": {"panel": pose},
        "goal": panel.goal,
        "size_m": panel.size_m,
        "down": panel.down,
        "starts": panel.starts,
        "elements": [panel.element],
        "tracker": asked.tracker.drawn(rng),
        "start": start.tolist(),
    }


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    name = f"panel.{GOAL}"
    travel, on = seen.column(f"{name}.travel"), seen.column(f"{name}.on")
    parts: list[Condition] = []
    states: list[BoolArray | None] = [
        seen.below(_size(seen.column(f"{name}.speed")), REST_RAD_S),
        seen.below(seen.column(f"{name}.robot_n"), 0.0),
    ]
    if asked.control != "button":
        error = None if travel is None else np.abs(travel - number(draw, "goal"))
        parts.append(at_most("angle error", seen.end(error), asked.tolerance_rad, "rad"))
        states.append(seen.below(error, asked.tolerance_rad))
    if CONTROLS[asked.control].turn is None:
        parts.append(exactly("switched on", seen.last(f"{name}.on"), 1.0))
        parts.append(exactly("toggles", seen.last(f"{name}.toggles"), 1.0))
        states.append(None if on is None else on == 1.0)
    there = all_of(*states)
    held = at_least("in its state, at rest and let go", seen.held_s(there), asked.hold_s, "s")
    parts += [held, *_others(seen, draw), _force(seen, asked)]
    if asked.control != "button":
        twist = seen.peak(f"{name}.twist_peak_nm")
        parts.append(at_most("peak torque", twist, asked.torque_limit_nm, "N·m"))
    return (*parts, in_time("in its state within", seen, there, asked.cycle_limit_s))


def _others(seen: Seen, draw: Draw) -> list[Condition]:
    starts = cast(Mapping[str, float], draw["starts"])
    found = []
    for name in OTHERS:
        least, most = (seen.column(f"panel.{name}.{end}") for end in ("least", "most"))
        stray = None
        if least is not None and most is not None and len(least):
            stray = float(np.fmax.reduce(np.fmax(most - starts[name], starts[name] - least)))
        turns = seen.column(f"panel.{name}.twist_peak_nm") is not None
        limit, unit = (STRAY_RAD, "rad") if turns else (STRAY_M, "m")
        found.append(at_most(f"{name} moved", stray, limit, unit))
    return found


def _force(seen: Seen, asked: Parameters) -> Condition:
    """On the control, on others and on the panel: the largest of all."""
    names = ("panel", *(f"panel.{mover}" for mover in (GOAL, *OTHERS)))
    peaks = [seen.peak(f"{name}.push_peak_n") for name in names]
    known = [peak for peak in peaks if peak is not None]
    most = max(known) if len(known) == len(peaks) else None
    return at_most("peak force", most, asked.force_limit_n, "N")


def _size(values: FloatArray | None) -> FloatArray | None:
    return None if values is None else np.abs(values)


JOB = Job(
    name="operate",
    Parameters=Parameters,
    make_robot=six_axis.robot,
    scene=_scene,
    conditions=_conditions,
    script=script,
)
