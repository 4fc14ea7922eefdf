"""Kind `drive-screw` of the archetype tool-use: drive a hexagon socket screw home to a torque.

The screw stands in the mouth of its hole, in a block that leans; where it is told to be is off by
up to `error_m` and `error_rad`. Done is: at the end the screw is seated and tightened to the
torque asked for, within `torque_tolerance`, its thread never started askew, never driven with
more than that torque, and the bit is off it and at rest, for `hold_s`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import driver
from sim.robots.model import Robot
from sim.tasks.kit.draws import number
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import from_vector
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, refuse_outside, uniform, within
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, exactly, in_time
from sim.tasks.kit.things import Table, box_part
from sim.tasks.tool_screw_script import script

Name = Literal["M4", "M5", "M6", "M8"]

CLEAR_M = 0.005
"""The bit's tip is over the screw's head by so much when it is off."""
REST_M_S = 0.005
BLOCK_M, FOOT_M = (0.12, 0.12, 0.03), 0.06
"""The block that the hole is in, and the width of the foot it stands on."""
HOLD_SHARE = 3.0
"""Torque that a recess holds, as a share of what its screw is tightened to: an assumption."""


@dataclass(frozen=True, slots=True)
class Size:
    """A hexagon socket head cap screw: pitch of ISO 261's coarse thread; head and recess of ISO
    4762, m; torques in N·m, the standard range and the widest, all under what is usual for
    property class 8.8."""

    diameter: float
    pitch: float
    head_radius: float
    head_height: float
    recess_depth: float
    torque: Range
    torque_most: Range


SIZES: Mapping[Name, Size] = MappingProxyType(
    {
        "M4": Size(0.004, 0.0007, 0.0035, 0.004, 0.0020, (1.5, 2.5), (1.0, 3.0)),
        "M5": Size(0.005, 0.0008, 0.00425, 0.005, 0.0025, (3.0, 5.0), (2.0, 6.0)),
        "M6": Size(0.006, 0.0010, 0.0050, 0.006, 0.0030, (5.0, 9.0), (3.5, 10.0)),
        "M8": Size(0.008, 0.00125, 0.0065, 0.008, 0.0040, (10.0, 16.0), (8.0, 20.0)),
    }
)


class Parameters(TaskTable):
    """The seat is at `x_m`, `y_m`, `z_m`, base frame, its hole leaning by `lean_rad` to any side.
    One of `sizes` is drawn; `torque_nm` is its standard range unless given, for one size only.
    `joint_rad` is the turn from snug to that torque."""

    sizes: tuple[Name, ...] = Field(default=("M4", "M5", "M6", "M8"), min_length=1)
    torque_nm: Range | None = Field(default=None, description="[low, high], N·m")
    joint_rad: Range = within(0.5, 6.3, "rad", 0.5, 2.0)
    run_nm: Range = within(0.0, 0.5, "N·m", 0.05, 0.2)
    free_m: Range = within(0.003, 0.012, "m", 0.005, 0.008)
    x_m: Range = within(0.38, 0.58, "m", 0.42, 0.54)
    y_m: Range = within(-0.25, 0.25, "m", -0.20, 0.20)
    z_m: Range = within(0.07, 0.15, "m", 0.08, 0.12)
    lean_rad: Range = within(0.0, 0.2, "rad", 0.0, 0.1)
    error_m: float = Field(default=0.0015, ge=0, le=0.002)
    error_rad: float = Field(default=0.0175, ge=0, le=0.03)
    start_jitter_rad: float = Field(default=0.03, ge=0, le=0.1)
    torque_tolerance: float = Field(default=0.10, ge=0.02, le=0.5)
    press_limit_n: float = Field(default=60.0, gt=0, le=200)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=20.0, gt=0, le=60)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _fits_the_size(self) -> Parameters:
        if self.torque_nm is None:
            return self
        if len(self.sizes) > 1:
            raise ValueError(f"torque_nm is of one size, and there are {', '.join(self.sizes)}")
        most = SIZES[self.sizes[0]].torque_most
        refuse_outside("torque_nm", self.torque_nm, most, f"N·m of an {self.sizes[0]}")
        return self


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    name = asked.sizes[int(rng.integers(len(asked.sizes)))]
    size = SIZES[name]
    torque = uniform(rng, asked.torque_nm or size.torque)
    free, joint = uniform(rng, asked.free_m), uniform(rng, asked.joint_rad)
    at = np.array([uniform(rng, span) for span in (asked.x_m, asked.y_m, asked.z_m)])
    lean = uniform(rng, asked.lean_rad) * _sideways(rng)
    axes = from_vector(lean)
    off = float(rng.uniform(0.0, asked.error_m)) * _sideways(rng)
    askew = float(rng.uniform(0.0, asked.error_rad)) * _sideways(rng)
    told = at + axes @ (off + np.array([0.0, 0.0, free + size.head_height]))
    turn = _quaternion(lean)
    start = robot.home + np.append(rng.uniform(-1.0, 1.0, 6) * asked.start_jitter_rad, 0.0)
    screw = {
        "kind": "screw",
        "name": "screw",
        "at": at.tolist(),
        "turn": turn,
        "told": {"at": told.tolist(), "turn": _quaternion(lean + askew)},
        "bit": driver.BIT,
        "diameter": size.diameter,
        "pitch": size.pitch,
        "head_radius": size.head_radius,
        "head_height": size.head_height,
        "recess_depth": size.recess_depth,
        "recess_rad": float(rng.uniform(0.0, 1.0)),
        "free_m": free,
        "start_rad": float(rng.uniform(0.0, 2 * math.pi)),
        "torque_nm": torque,
        "joint_rad": joint,
        "run_nm": uniform(rng, asked.run_nm),
        "hold_nm": HOLD_SHARE * torque,
    }
    return {
        "poses": {"screw": [*at.tolist(), *turn]},
        "size": name,
        "torque_nm": torque,
        "free_m": free,
        "pitch_m": size.pitch,
        "recess_m": size.recess_depth,
        "elements": [*_block(at, turn), screw],
        "tracker": asked.tracker.drawn(rng),
        "start": start.tolist(),
    }


def _sideways(rng: np.random.Generator) -> FloatArray:
    """A unit vector (3,) in the plane of x and y."""
    angle = float(rng.uniform(0.0, 2 * math.pi))
    return np.array([math.cos(angle), math.sin(angle), 0.0])


def _quaternion(vector: FloatArray) -> list[float]:
    """x, y, z, w of axis times angle (3,)."""
    angle = float(np.linalg.norm(vector))
    part = 0.5 if angle < 1e-9 else math.sin(angle / 2) / angle
    return [*(part * vector).tolist(), math.cos(angle / 2)]


def _block(at: FloatArray, turn: list[float]) -> list[Table]:
    """The block that the hole is in, on a foot on the table."""
    foot = float(at[2]) - BLOCK_M[2]
    middle, blue, dark = [0.0, 0.0, -BLOCK_M[2] / 2], (0.45, 0.5, 0.6, 1.0), (0.3, 0.32, 0.35, 1.0)
    return [
        {
            "kind": "fixture",
            "name": "block",
            "parts": [box_part(BLOCK_M, middle, blue)],
            "at": at.tolist(),
            "turn": turn,
            "stiffness": 5e4,
        },
        {
            "kind": "fixture",
            "name": "foot",
            "parts": [box_part([FOOT_M, FOOT_M, foot], [0.0, 0.0, foot / 2], dark)],
            "at": [float(at[0]), float(at[1]), 0.0],
        },
    ]


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    torque = number(draw, "torque_nm")
    least, most = ((1 + sign * asked.torque_tolerance) * torque for sign in (-1, 1))
    tight, gap = seen.column("screw.tight_nm"), seen.column("screw.bit_gap")
    crossed = seen.peak("screw.crossed")
    done = all_of(
        None if tight is None else tight >= least,
        None if gap is None else gap >= CLEAR_M,
        seen.below(seen.column("screw.bit_speed"), REST_M_S),
    )
    needed = 2 * math.pi * number(draw, "free_m") / number(draw, "pitch_m")
    return (
        at_least("tightened to", seen.end(tight), least, "N·m"),
        at_most("peak torque", seen.peak("screw.torque_peak_nm"), most, "N·m"),
        at_least("turned in by", seen.end(seen.column("screw.turned")), needed, "rad"),
        exactly("thread started askew", crossed, 0.0),
        at_most("peak press", seen.peak("screw.press_peak_n"), asked.press_limit_n, "N"),
        at_least("tight, bit off and at rest at the end", seen.held_s(done), asked.hold_s, "s"),
        in_time("driven within", seen, done, asked.cycle_limit_s),
    )


def _measures(seen: Seen, draw: Draw, _asked: Parameters) -> Mapping[str, float | None]:
    tight = seen.end(seen.column("screw.tight_nm"))
    return {
        "torque over what was asked": None if tight is None else tight / number(draw, "torque_nm"),
        "peak press, N": seen.peak("screw.press_peak_n"),
        "peak force on the block, N": seen.peak("block.force_peak_n"),
        "slips of the bit": seen.peak("screw.slips"),
    }


JOB = Job(
    name="tool-use",
    Parameters=Parameters,
    make_robot=driver.robot,
    scene=_scene,
    conditions=_conditions,
    script=script,
    measures=_measures,
)
