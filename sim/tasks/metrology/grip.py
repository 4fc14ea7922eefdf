"""Parallel grippers: strength and cycle time, after the NIST hand metrics.

The arm holds the gripper, pads down, about a split block on a stand (`artefact`), which floats
sideways and so finds the middle of the grip. The block gauges the force of each finger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.metrology.grasp import cycle_times, grasp_cycle
from hil.metrology.hand import finger_strength, grasp_strength
from hil.metrology.summary import Measure
from hil.task import Draw
from sim.robots import panda
from sim.robots.gripper import MOTOR, TRAVEL, angle_for, opening_at
from sim.robots.model import Robot
from sim.robots.reach import limb, reach
from sim.tasks.kit.poses import DOWN
from sim.tasks.kit.ranges import Range, TaskTable, uniform, within
from sim.tasks.kit.script import Desk, Moves, Script
from sim.tasks.metrology.procedure import (
    Declared,
    Found,
    Procedure,
    Record,
    go,
    stopwatch,
)

LEAD_S = 1.0
PLACE_M = (0.45, 0.0, 0.30)
"""Where the block hangs, base frame."""
GRIP = ("block.low_n", "block.high_n")
_SQUEEZE_M = 0.01
"""The gripper is sent so much nearer than the block is wide: its force is then all it has."""
TOUCH_N = 0.5


class Stand(TaskTable):
    """A block of `width_m`, hung up to `off_m` beside the gripper's middle."""

    width_m: float = Field(default=0.04, ge=0.015, le=0.07, description="the gripper opens 0.08 m")
    off_m: Range = within(-0.003, 0.003, "m", -0.001, 0.001)


class Repeated(Protocol):
    """Parameters of a test that closes and opens by the timetable."""

    @property
    def cycles(self) -> int: ...
    @property
    def width_m(self) -> float: ...
    @property
    def cycle_s(self) -> float: ...


class StrengthParameters(Stand):
    """Closed on the block and opened again, `cycles` times."""

    cycles: int = Field(default=32, ge=3, le=200)
    hold_s: float = Field(default=1.0, ge=0.7, le=10)
    declared_finger_n: float = Field(default=29.0, gt=0, le=500)
    declared_grasp_n: float = Field(default=58.0, gt=0, le=1000)

    @property
    def cycle_s(self) -> float:
        return self.hold_s + 1.0

    @property
    def ends_s(self) -> float:
        return LEAD_S + self.cycles * self.cycle_s


class CycleParameters(Stand):
    """Open, grasp, open again as fast as it goes, `cycles` times within `limit_s`."""

    cycles: int = Field(default=30, ge=3, le=300)
    grasped_n: float = Field(default=20.0, gt=0, le=500, description="sum over fingers")
    limit_s: float = Field(default=60.0, ge=5, le=600)
    declared_cycle_s: float = Field(default=1.5, gt=0, le=30)

    @model_validator(mode="after")
    def _fits(self) -> CycleParameters:
        if self.cycles * 0.5 > self.limit_s:
            raise ValueError(
                f"limit_s = {self.limit_s:g}: {0.5 * self.cycles:g} s or more would do"
            )
        return self


def stand_scene(
    asked: Stand, rng: np.random.Generator, robot: Robot, ends_s: float, **more: object
) -> dict[str, object]:
    """The draw of a test on this stand; `more` are other keys of the block."""
    joints = reach(limb(robot), np.array(PLACE_M), DOWN, tries=1)
    if joints is None:
        raise HarnessError(f"{robot.name} cannot reach {PLACE_M} m", "it is no arm of that class")
    x, y, z = PLACE_M
    tool = next(iter(robot.tools.values()))
    return {
        "elements": [
            {
                "kind": "artefact",
                "name": "block",
                "at": [x, y + uniform(rng, asked.off_m), z],
                "size": [0.03, asked.width_m, 0.06],
                "across": "y",
                **more,
            },
            {
                "kind": "tool-pose",
                "name": "tool",
                "link": tool.link,
                "at": list(tool.placed.xyz),
            },
            stopwatch(ends_s),
        ],
        "tracker": {"seed": int(rng.integers(2**31))},
        "start": [*joints.tolist(), float(robot.home[-1])],
        "asked": asked.model_dump(mode="json"),
    }


def _squeeze(width: float) -> float:
    return angle_for(width - _SQUEEZE_M)


def repeated(asked: Repeated, robot: Robot, closed_s: float) -> Script:
    """Close for so long, and open, by the timetable."""
    place = np.array(robot.places([MOTOR]))
    shut, wide = np.array([_squeeze(asked.width_m)]), np.array([angle_for(2 * TRAVEL)])

    def play(desk: Desk) -> Moves:
        for cycle in range(asked.cycles):
            start_s = LEAD_S + cycle * asked.cycle_s
            yield from go(desk, place, shut, start_s, 0.5)
            yield from go(desk, place, wide, start_s + closed_s, 0.3)

    return play


def _strength_figures(record: Record, _draw: Draw, asked: StrengthParameters) -> Found:
    if not record.has(*GRIP):
        return Found(None, asked.cycles, list)
    windows = [
        (start, start + 0.5 + asked.hold_s)
        for start in (LEAD_S + cycle * asked.cycle_s for cycle in range(asked.cycles))
    ]
    grips = [record.rows(GRIP, *window) for window in windows]
    out = sum(bool(len(rows) and (rows.max(axis=0) > TOUCH_N).all()) for rows in grips)

    def figures() -> Sequence[Measure]:
        found = []
        for half, finger in zip(GRIP, ("left", "right"), strict=True):
            forces = [
                record.series([half], *window, f"{finger} finger, repeat {number}")
                for number, window in enumerate(windows)
            ]
            found.append(replace(finger_strength(forces), name=f"finger strength, {finger}"))
        weakest = min(found, key=lambda one: one.value)
        both = [
            record.series(GRIP, *window, f"repeat {number}")
            for number, window in enumerate(windows)
        ]
        return [replace(weakest, name="finger strength"), grasp_strength(both), *found]

    return Found(out, asked.cycles, figures)


def _strength_script(draw: Draw, robot: Robot) -> Script:
    asked = StrengthParameters.model_validate(draw["asked"])
    return repeated(asked, robot, 0.5 + asked.hold_s)


STRENGTH = Procedure(
    name="grip-strength",
    Parameters=StrengthParameters,
    make_robot=panda.robot,
    scene=lambda asked, rng, robot: stand_scene(asked, rng, robot, asked.ends_s),
    script=_strength_script,
    figures=_strength_figures,
    declared=lambda asked: (
        Declared("finger strength", asked.declared_finger_n, "N", at_most=False),
        Declared("grasp strength", asked.declared_grasp_n, "N", at_most=False),
    ),
)


def _cycle_script(draw: Draw, robot: Robot) -> Script:
    asked = CycleParameters.model_validate(draw["asked"])
    place = robot.places([MOTOR])[0]
    wide = angle_for(asked.width_m + 0.03)

    def play(desk: Desk) -> Moves:
        yield from desk.wait(LEAD_S)
        for _ in range(asked.cycles):
            desk.target[place] = _squeeze(asked.width_m)
            yield from desk.until(lambda: _stands(desk, place, asked.width_m), 2.0)
            yield from desk.wait(0.12)
            desk.target[place] = wide
            yield from desk.until(lambda: desk.view.joints.position[place] > wide - 0.05, 2.0)
        yield from desk.wait(0.2)

    return play


def _stands(desk: Desk, place: int, width: float) -> bool:
    joints = desk.view.joints
    return bool(
        joints.position[place] < angle_for(width + 0.002) and abs(joints.velocity[place]) < 0.1
    )


def _cycle_figures(record: Record, _draw: Draw, asked: CycleParameters) -> Found:
    if not record.has(*GRIP):
        return Found(None, asked.cycles, list)
    last_s = float(record.elapsed_s[-1])
    grip = record.series(GRIP, 0.0, last_s, "grip")
    opening = record.joint("joints.position", MOTOR, 0.0, last_s, "opening").map(_openings)
    times = cycle_times(opening, grip, asked.width_m + 0.02, asked.grasped_n)
    out = int(np.isfinite(times).sum())
    return Found(out, asked.cycles, lambda: _cycle_measures(times))


def _openings(angles: FloatArray) -> FloatArray:
    """Distances of the pads in m, (n,)."""
    return np.asarray(opening_at(1.0) * angles)


def _cycle_measures(times: FloatArray) -> Sequence[Measure]:
    mean, bound = grasp_cycle(times)
    return [mean, replace(bound, name="grasp cycle time, 90 % quantile")]


CYCLE = Procedure(
    name="grasp-cycle",
    Parameters=CycleParameters,
    make_robot=panda.robot,
    scene=lambda asked, rng, robot: stand_scene(asked, rng, robot, asked.limit_s),
    script=_cycle_script,
    figures=_cycle_figures,
    declared=lambda asked: (
        Declared("grasp cycle time", asked.declared_cycle_s, "s"),
        Declared("grasp cycle time, 90 % quantile", asked.declared_cycle_s, "s"),
    ),
)
