"""Archetype insertion: take a peg from its stand and put it into a hole that is not quite where
the tracker says.

Peg and hole are square, because PyBullet meets boxes exactly while it makes a cylinder a
millimetre thicker than it is: a clearance of 0.5 mm is one here. `clearance_m` is the width of
the hole less that of the peg, half of it on either side. There is no chamfer. The hole is told
with an error of up to `error_m` along x and y each and `error_rad` about the vertical.

Done is: seated to `depth_error_m`, at rest, let go for `hold_s`, and never was the force on the
socket over `force_limit_n`, in any step. Contacts want steps of 1 ms.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import panda
from sim.robots.model import Robot
from sim.tasks.insertion_script import FLOOR_M, GRIP_BELOW_TOP_M, STAND_FLOOR_M, script
from sim.tasks.kit.draws import number, pose_of
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import matrix_of
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
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time
from sim.tasks.kit.things import Numbers, Table, body, box_part

REST_M_S = 0.005
APART_M = 0.14
"""Between the middles of stand and socket, at least."""
STAND_DEPTH_M, STAND_CLEARANCE_M = 0.012, 0.002
FINGER_M = 0.012
"""How far the fingers reach below where they grip."""
STIFFNESS_N_M, DAMPING_N_S_M = 5e4, 200.0
"""Of a contact point on the socket: an arm with its fingers gives about 20 to 100 N/mm."""

_STEEL, _SOCKET, _STAND = (0.85, 0.3, 0.15, 1.0), (0.35, 0.45, 0.6, 1.0), (0.3, 0.32, 0.35, 1.0)


class Parameters(TaskTable):
    """Stand and socket stand on the table, in the base frame; the peg stands in the stand."""

    width_m: Range = within(0.014, 0.030, "m", 0.016, 0.020)
    length_m: Range = within(0.085, 0.095, "m", 0.086, 0.092)
    clearance_m: Range = within(0.0005, 0.004, "m", 0.001, 0.001)
    depth_m: Range = within(0.025, 0.032, "m", 0.028, 0.032)
    mass_kg: Range = within(0.01, 0.3, "kg", 0.06, 0.12)
    friction: Range = within(0.3, 0.9, "", 0.4, 0.6)
    x_m: Range = within(0.38, 0.58, "m", 0.42, 0.54)
    y_m: Range = within(-0.25, 0.25, "m", -0.18, 0.18)
    yaw_rad: Range = within(-0.6, 0.6, "rad", -0.5, 0.5)
    error_m: float = Field(default=0.002, ge=0, le=0.0025)
    error_rad: float = Field(default=0.0349, ge=0, le=0.04)
    depth_error_m: float = Field(default=0.0005, ge=0.0002, le=0.002)
    force_limit_n: float = Field(default=50.0, ge=5, le=200)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=15.0, gt=0, le=60)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _fingers_stay_out(self) -> Parameters:
        most = self.length_m[0] - GRIP_BELOW_TOP_M - FINGER_M
        if self.depth_m[1] > most:
            raise ValueError(
                f"depth_m = {list(self.depth_m)}: the fingers on a peg of {self.length_m[0]:g} m"
                f" keep clear of the socket only within [0.025, {most:g}] m"
            )
        refuse_crowded(2, self.x_m, self.y_m, APART_M)
        return self


def well(width: float, outer: float, depth: float, floor: float, colour: Numbers) -> list[Table]:
    """Five boxes round a square hole with a floor; the origin is in the middle of the mouth."""
    wall, off = (outer - width) / 2, (outer + width) / 4
    dark = [0.5 * part for part in colour[:3]] + [1.0]
    return [
        *(box_part([wall, outer, depth], [s * off, 0, -depth / 2], colour) for s in (1, -1)),
        *(box_part([width, wall, depth], [0, s * off, -depth / 2], colour) for s in (1, -1)),
        box_part([outer, outer, floor], [0, 0, -depth - floor / 2], dark),
    ]


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    width, length = uniform(rng, asked.width_m), uniform(rng, asked.length_m)
    hole, depth = width + uniform(rng, asked.clearance_m), uniform(rng, asked.depth_m)
    mass, friction = uniform(rng, asked.mass_kg), uniform(rng, asked.friction)
    stand, socket = apart(rng, 2, asked.x_m, asked.y_m, APART_M)
    turn, yaw = about_z(uniform(rng, asked.yaw_rad)), uniform(rng, asked.yaw_rad)
    told = np.array(socket) + rng.uniform(-asked.error_m, asked.error_m, 2)
    told_yaw = yaw + float(rng.uniform(-asked.error_rad, asked.error_rad))
    mouth = [*socket, FLOOR_M + depth]
    nest = well(width + STAND_CLEARANCE_M, 0.06, STAND_DEPTH_M, STAND_FLOOR_M, _STAND)
    peg = [*stand, STAND_FLOOR_M + length / 2]
    return {
        "poses": {"peg": [*peg, *turn], "socket": [*mouth, *about_z(yaw)]},
        "width_m": width,
        "length_m": length,
        "hole_m": hole,
        "depth_m": depth,
        "elements": [
            body("stand", nest, [*stand, STAND_FLOOR_M + STAND_DEPTH_M], turn, fixed=True),
            {
                "kind": "fixture",
                "name": "socket",
                "parts": well(hole, 0.08, depth, FLOOR_M, _SOCKET),
                "at": mouth,
                "turn": about_z(yaw),
                "friction": friction,
                "stiffness": STIFFNESS_N_M,
                "damping": DAMPING_N_S_M,
                "told": {"at": [*told.tolist(), mouth[2]], "turn": about_z(told_yaw)},
            },
            body(
                "peg",
                [box_part([width, width, length], colour=_STEEL)],
                peg,
                turn,
                mass=mass,
                friction=friction,
                anchored=True,
            ),
        ],
        "tracker": asked.tracker.drawn(rng),
        "start": (robot.home + np.append(rng.uniform(-0.03, 0.03, 7), 0.0)).tolist(),
    }


def _tip(seen: Seen, draw: Draw) -> FloatArray | None:
    """Middle of the peg's lower end in the frame of the hole's mouth, (ticks, 3), m: its depth
    is -z."""
    at, turns, socket = seen.columns("peg"), seen.turns("peg"), pose_of(draw, "socket")
    if at is None or turns is None:
        return None
    x, y, z, w = turns.T
    up = np.stack([2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)], axis=1)
    tip = at - up * (number(draw, "length_m") / 2)
    return np.asarray((tip - socket[:3]) @ matrix_of(socket[3:]))


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    tip = _tip(seen, draw)
    error = None if tip is None else np.abs(tip[:, 2] + number(draw, "depth_m"))
    beside = None if tip is None else np.abs(tip[:, :2]).max(axis=1)
    play = number(draw, "hole_m") - number(draw, "width_m")
    there = all_of(
        seen.below(error, asked.depth_error_m),
        seen.below(beside, play),
        seen.below(seen.column("peg.speed"), REST_M_S),
        seen.below(seen.column("peg.robot_n"), 0.0),
    )
    peak = seen.peak("socket.force_peak_n")
    return (
        at_most("depth error", seen.end(error), asked.depth_error_m, "m"),
        at_most("beside the hole's middle", seen.end(beside), play, "m"),
        at_most("peak force on the socket", peak, asked.force_limit_n, "N"),
        at_least("seated, at rest and released at the end", seen.held_s(there), asked.hold_s, "s"),
        in_time("seated within", seen, there, asked.cycle_limit_s),
    )


def _measures(seen: Seen, _draw: Draw, _asked: Parameters) -> Mapping[str, float | None]:
    return {"peak force on the socket, N": seen.peak("socket.force_peak_n")}


JOB = Job(
    name="insertion",
    Parameters=Parameters,
    make_robot=panda.robot,
    scene=_scene,
    conditions=_conditions,
    script=script,
    measures=_measures,
)
