"""Archetype in-hand-reorient: turn a cube that lies on the palm of a hand, and do not drop it.

`turn = "yaw"`: about the vertical, by a commanded angle and the way round that is commanded. The
angle is counted signed and unwrapped from where the cube was set up, so that rocking to and fro
adds up to nothing and the long way round is not the short one. `turn = "face"`: by a quarter
about a horizontal axis, so that the face that looks along the cube's own x is up.

At the end the cube has been turned for `hold_s`, at rest, the right face up, its centre near
where it was; fingers may hold it or not. With `push_n` somebody shoves it now and then.
"""

from __future__ import annotations

import math
from typing import Literal, cast

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import hand4
from sim.robots.model import Robot
from sim.tasks.in_hand_expert import Gait, face_up
from sim.tasks.kit.draws import number, pose_of
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import yaw_of
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, about_z, uniform, within
from sim.tasks.kit.script import Desk, Moves, Script
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time, most
from sim.tasks.kit.things import Table, body, box_part, mark

PALM_M = hand4.PLAN.palm_height
GAP_M = 0.001
"""The cube is set up so much over the palm, whose edge PyBullet rounds by as much."""
REST_M_S, REST_RAD_S = 0.005, 0.1
DROP_M = 0.005
LARGEST_TIPPED_M = 0.056
AWAY = (0.066, 0.055, 0.0)
"""Of the fingertips at the start: clear of the largest cube, however it lies."""

_RED, _YELLOW, _WHITE = (0.75, 0.2, 0.2, 1.0), (0.95, 0.8, 0.2, 1.0), (0.95, 0.95, 0.95, 1.0)


class Parameters(TaskTable):
    """Of a cube in the middle of the palm; `turn_rad` is drawn to the left as often as to the
    right, and only counts for `turn = "yaw"`."""

    turn: Literal["yaw", "face"] = "yaw"
    edge_m: Range = within(0.040, 0.060, "m", 0.045, 0.055)
    mass_kg: Range = within(0.02, 0.2, "kg", 0.05, 0.1)
    friction: Range = within(0.5, 1.2, "", 0.7, 1.1)
    offset_m: Range = within(-0.006, 0.006, "m", -0.004, 0.004)
    yaw_rad: Range = within(-3.15, 3.15, "rad", -3.14, 3.14)
    turn_rad: Range = within(0.3, math.pi, "rad", 0.3, math.pi)
    push_n: Range = within(0.0, 5.0, "N", 0.0, 0.0)
    push_lasts_s: float = Field(default=0.02, ge=0.005, le=1)
    push_every_s: float = Field(default=1.0, ge=0.2, le=10, description="on average")
    pushed_for_s: float = Field(default=8.0, gt=0, le=60, description="no push starts later")
    tolerance_rad: float = Field(default=0.1, ge=0.02, le=0.8)
    drift_m: float = Field(default=0.010, ge=0.002, le=0.03)
    hold_s: float = Field(default=1.0, gt=0, le=5)
    cycle_limit_s: float = Field(default=12.0, gt=0, le=60)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _within_reach(self) -> Parameters:
        if self.turn == "face" and self.edge_m[1] > LARGEST_TIPPED_M:
            raise ValueError(
                f"edge_m = {list(self.edge_m)}: the fingers reach over a cube that is turned up"
                f" only within [0.04, {LARGEST_TIPPED_M:g}] m"
            )
        return self


def _scene(asked: Parameters, rng: np.random.Generator, _robot: Robot) -> dict[str, object]:
    edge, mass = uniform(rng, asked.edge_m), uniform(rng, asked.mass_kg)
    friction, yaw = uniform(rng, asked.friction), uniform(rng, asked.yaw_rad)
    x, y = (uniform(rng, asked.offset_m) for _ in range(2))
    turn = uniform(rng, asked.turn_rad) * (1.0 if rng.random() < 0.5 else -1.0)
    at, lies = [x, y, PALM_M + GAP_M + edge / 2], about_z(yaw)
    clear = np.tile(hand4.finger_joints(*AWAY), hand4.PLAN.fingers)
    more = {"mass": mass, "friction": friction}
    tracker = asked.tracker.drawn(rng)
    start = clear + rng.uniform(-0.03, 0.03, len(clear))
    elements = [body("cube", _parts(edge), at, lies, **more)]
    if asked.turn == "yaw":
        elements.append(_goal(yaw + turn))
    if asked.push_n[1] > 0:
        elements.append(_pushes(asked, rng, edge))
    return {
        "poses": {"cube": [*at, *lies]},
        "edge_m": edge,
        "turn_rad": turn if asked.turn == "yaw" else None,
        "elements": elements,
        "tracker": tracker,
        "start": start.tolist(),
    }


def _parts(edge: float) -> list[Table]:
    """A red cube whose face along x is yellow, and whose upper face has a line along x."""
    front = box_part([0.001, 0.8 * edge, 0.8 * edge], [edge / 2, 0, 0], _YELLOW)
    line = box_part([0.8 * edge, 0.1 * edge, 0.001], [0, 0, edge / 2], _WHITE)
    shown: list[Table] = [{**part, "solid": False} for part in (front, line)]
    return [box_part([edge] * 3, colour=_RED), *shown]


def _goal(yaw: float) -> Table:
    """A green plate beside the hand, where the yellow face has to look. The tracker tells its
    pose, so that a network knows what is wanted."""
    at = [0.1 * math.cos(yaw), 0.1 * math.sin(yaw), PALM_M + 0.025]
    return {**mark("goal", [0.003, 0.04, 0.04], at, about_z(yaw)), "tracked": True}


def _pushes(asked: Parameters, rng: np.random.Generator, edge: float) -> Table:
    """Horizontal forces anywhere on the cube's sides, at times that nobody knows."""
    shoves: list[Table] = []
    start_s = rng.exponential(asked.push_every_s)
    while start_s < asked.pushed_for_s:
        size, way = uniform(rng, asked.push_n), rng.uniform(-math.pi, math.pi)
        shoves.append(
            {
                "start_s": start_s,
                "lasts_s": asked.push_lasts_s,
                "force": [size * math.cos(way), size * math.sin(way), 0.0],
                "at": (rng.uniform(-0.5, 0.5, 3) * edge).tolist(),
            }
        )
        start_s += asked.push_lasts_s + rng.exponential(asked.push_every_s)
    return {"kind": "shoves", "name": "pushes", "on": "cube", "shoves": shoves}


def _script(draw: Draw, _robot: Robot) -> Script:
    edge, wanted = number(draw, "edge_m"), cast(float | None, draw["turn_rad"])

    def play(desk: Desk) -> Moves:
        yield from face_up(desk, edge) if wanted is None else Gait(desk, edge).keep(wanted)

    return play


def _turned(turns: FloatArray, draw: Draw) -> FloatArray:
    """Signed yaw in rad from where the cube was set up, unwrapped, (ticks,); a row that is not
    known stays so."""
    first = float(yaw_of(pose_of(draw, "cube")[None, 3:])[0])
    yaw = yaw_of(turns)
    known = ~np.isnan(yaw)
    yaw[known] = np.unwrap(np.append(first, yaw[known]))[1:] - first
    return yaw


def _from_up(turns: FloatArray, axis: Literal["x", "z"]) -> FloatArray:
    """Angle in rad, (ticks,), of one of the cube's own axes from upright."""
    x, y, z, w = turns.T
    rise = 2 * (x * z - w * y) if axis == "x" else 1 - 2 * (x * x + y * y)
    return np.asarray(np.arccos(np.clip(rise, -1.0, 1.0)))


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    turns, at, start = seen.turns("cube"), seen.columns("cube"), pose_of(draw, "cube")
    error = tilt = drift = fell = None
    if turns is not None:
        tilt = _from_up(turns, "z" if asked.turn == "yaw" else "x")
        wanted = draw["turn_rad"]
        error = tilt if wanted is None else np.abs(_turned(turns, draw) - cast(float, wanted))
    if at is not None:
        drift = np.linalg.norm(at[:, :2] - start[:2], axis=1)
        fell = start[2] - at[:, 2]
    there = all_of(
        seen.below(error, asked.tolerance_rad),
        seen.below(tilt, asked.tolerance_rad),
        seen.below(drift, asked.drift_m),
        seen.below(seen.column("cube.speed"), REST_M_S),
        seen.below(seen.column("cube.spin"), REST_RAD_S),
    )
    found = (
        at_most("face from upright", seen.end(tilt), asked.tolerance_rad, "rad"),
        at_most("drift", seen.end(drift), asked.drift_m, "m"),
        at_most("fell by", most(fell), DROP_M, "m"),
        at_least("turned and at rest at the end", seen.held_s(there), asked.hold_s, "s"),
        in_time("turned within", seen, there, asked.cycle_limit_s),
    )
    if asked.turn == "face":
        return found
    return (at_most("turn error", seen.end(error), asked.tolerance_rad, "rad"), *found)


def _measures(seen: Seen, _draw: Draw, _asked: Parameters) -> dict[str, float | None]:
    """Fingers and palm together, at the instants of the rows."""
    return {"peak_contact_n": seen.peak("cube.robot_n")}


JOB = Job(
    name="in-hand-reorient",
    Parameters=Parameters,
    make_robot=hand4.hand,
    scene=_scene,
    conditions=_conditions,
    script=_script,
    measures=_measures,
    action_limit=0.16,
)
