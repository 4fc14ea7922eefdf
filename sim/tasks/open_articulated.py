"""Archetype open-articulated: open a drawer, a door that swings or slides, or a lid.

A six-axis arm hooks its closed gripper behind the handle's bar. Success is not a moment: at the
end the thing has been open and at rest for `hold_s`; a drawer or door by itself, let go, a lid
also in the robot's hand. It was never let fall back by more than a tenth of its travel, and
neither it nor its frame was pushed harder than allowed.
"""

from __future__ import annotations

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
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time
from sim.tasks.open_kinds import KINDS, opened
from sim.tasks.open_script import script
from sim.tasks.open_things import Drawn, Name, element

BACK_SHARE = 0.1
"""The most of the full travel by which it may ever fall back."""
REST = 0.01
"""m/s or rad/s."""


class Parameters(TaskTable):
    """The bar of the closed thing is at `x_m`, `y_m`, `z_m`, base frame, and the thing turned by
    `yaw_rad`; a sliding door is half its way aside of `y_m`. `x_m`, `travel` (m or rad),
    `mass_kg` and `friction` (N or N·m) are the kind's standard ranges unless given."""

    kind: Name = "drawer"
    x_m: Range | None = Field(default=None, description="[low, high], m")
    y_m: Range = within(-0.08, 0.08, "m", -0.05, 0.05)
    z_m: Range = within(0.20, 0.40, "m", 0.24, 0.36)
    yaw_rad: Range = within(-0.15, 0.15, "rad", -0.1, 0.1)
    travel: Range | None = Field(default=None, description="[low, high], full, in m or rad")
    mass_kg: Range | None = Field(default=None, description="[low, high], kg")
    friction: Range | None = Field(default=None, description="[low, high] in N or N·m")
    start_jitter_rad: float = Field(default=0.03, ge=0, le=0.1)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    force_limit_n: float = Field(default=80.0, gt=0, le=200, description="on the moving part")
    frame_limit_n: float = Field(default=20.0, gt=0, le=200, description="on what stands still")
    cycle_limit_s: float = Field(default=20.0, gt=0, le=120)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Parameters:
        kind = KINDS[self.kind]
        refuse_outside("x_m", self.x_m, kind.x_most, f"m of a {self.kind}")
        refuse_outside("mass_kg", self.mass_kg, (0.5, 15.0), "kg")
        refuse_outside("travel", self.travel, kind.travel_most, f"{kind.unit} of a {self.kind}")
        load = f"{kind.load_unit} of a {self.kind}"
        refuse_outside("friction", self.friction, kind.friction_most, load)
        return self


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    kind = KINDS[asked.kind]
    side = 1.0 if rng.integers(2) else -1.0
    x, y, z = (uniform(rng, span) for span in (asked.x_m or kind.x, asked.y_m, asked.z_m))
    drawn = Drawn(
        asked.kind,
        uniform(rng, asked.travel or kind.travel),
        uniform(rng, kind.reach),
        uniform(rng, asked.mass_kg or kind.mass),
        uniform(rng, asked.friction or kind.friction),
        side,
        z,
    )
    if asked.kind == "sliding-door":
        y -= side * drawn.travel / 2
    pose = [x, y, z, *about_z(uniform(rng, asked.yaw_rad))]
    # a hook that comes from the right turns to the left while the door opens
    start = ready(robot, mirrored=asked.kind == "hinged-door" and side > 0)
    start[:6] += rng.uniform(-1.0, 1.0, 6) * asked.start_jitter_rad
    start[6] = 0.0
    return {
        "kind": asked.kind,
        "travel": drawn.travel,
        "reach_m": drawn.reach,
        "side": side,
        "poses": {"thing": pose},
        "elements": [element(drawn, pose)],
        "tracker": asked.tracker.drawn(rng),
        "start": start.tolist(),
    }


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    kind, full = KINDS[asked.kind], number(draw, "travel")
    travel = seen.column("thing.part.travel")
    limit = opened(asked.kind, full)
    speed = seen.column("thing.part.speed")
    still = None if speed is None else np.abs(speed) <= REST
    parts = [None if travel is None else travel >= limit, still]
    if kind.let_go:
        parts.append(seen.below(seen.column("thing.part.robot_n"), 0.0))
    there = all_of(*parts)
    held = "open and at rest, let go" if kind.let_go else "open and at rest"
    return (
        at_least("opened to", seen.end(travel), limit, kind.unit),
        at_least(held, seen.held_s(there), asked.hold_s, "s"),
        at_most("fell back", _fell_back(seen), BACK_SHARE * full, kind.unit),
        at_most("peak force", seen.peak("thing.part.push_peak_n"), asked.force_limit_n, "N"),
        at_most("force on frame", seen.peak("thing.push_peak_n"), asked.frame_limit_n, "N"),
        in_time("open within", seen, there, asked.cycle_limit_s),
    )


def _fell_back(seen: Seen) -> float | None:
    """The most by which the travel ever went below what it had been before; within one row the
    least counts as later than the most."""
    least, most = seen.column("thing.part.least"), seen.column("thing.part.most")
    if least is None or most is None or not len(most):
        return None
    before: FloatArray = np.fmax.accumulate(most)
    return float(np.fmax.reduce(before - least))


JOB = Job(
    name="open-articulated",
    Parameters=Parameters,
    make_robot=six_axis.robot,
    scene=_scene,
    conditions=_conditions,
    script=script,
)
