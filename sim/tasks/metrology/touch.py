"""Fingertips: touch sensitivity, after the NIST hand metrics.

One finger of a hand that lies palm up comes down on a force gauge that stands on the palm, and
feels it with the tactile pad of its tip. What is measured is the device with the script that
moves it: the pad, the loop and the drives together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.metrology.hand import Touch, touch_sensitivity
from hil.metrology.summary import Measure
from hil.task import Draw
from sim.robots import hand4
from sim.robots.model import Robot
from sim.tasks.kit.ranges import Range, TaskTable, uniform, within
from sim.tasks.kit.script import Desk, Moves, Script
from sim.tasks.kit.things import box_part
from sim.tasks.metrology.procedure import Declared, Found, Procedure, Record, stopwatch, until

FINGER, PAD = "f0", "tip"
LEAD_S = 0.5
CLEAR_M = 0.012
"""The fingertip waits so far over the gauge."""
RADIAL_M, PITCH = 0.030, 1.8
"""Where the finger comes down, and how its last link leans then: the tip is lowest, and its pad
looks down."""
TOP_M = 0.040
"""Of the gauge, over the palm."""
_TIP, _OFF_PALM_M = hand4.PLAN.thickness, 0.003
FORCE, _PEAK, _HEIGHT = "gauge.n", "gauge.peak_n", "finger.z"


class Stand(TaskTable):
    """A gauge with `stiffness_n_m`, whose top is up to `off_m` from where the script is told."""

    stiffness_n_m: float = Field(default=2000.0, ge=500, le=20_000)
    noise_n: float = Field(default=0.005, ge=0, le=0.1)
    off_m: Range = within(-0.003, 0.003, "m", -0.001, 0.001)


class TouchParameters(Stand):
    """The fingertip comes down at `speed_m_s` until it feels more than `felt_n`, `cycles` times."""

    cycles: int = Field(default=10, ge=3, le=100)
    speed_m_s: float = Field(default=0.02, ge=0.002, le=0.05)
    felt_n: float = Field(default=0.15, gt=0, le=5, description="sum over the pad's taxels")
    deepest_m: float = Field(default=0.004, gt=0, le=0.006, description="where it gives up")
    contact_n: float = Field(default=0.05, gt=0, le=2, description="beyond the gauge's noise")
    declared_touch_n: float = Field(default=2.0, gt=0, le=50)

    @model_validator(mode="after")
    def _can_be_felt(self) -> TouchParameters:
        most = self.stiffness_n_m * (self.deepest_m + self.off_m[0])
        if self.felt_n > most:
            raise ValueError(
                f"felt_n = {self.felt_n:g}: where the gauge is lowest, {self.deepest_m:g} m deep is"
                f" {most:g} N, and no more can be felt"
            )
        return self

    @property
    def cycle_s(self) -> float:
        return (CLEAR_M + self.deepest_m) / self.speed_m_s + 1.2

    def start_s(self, cycle: int) -> float:
        return LEAD_S + cycle * self.cycle_s

    @property
    def ends_s(self) -> float:
        return self.start_s(self.cycles)


def stand_scene(
    asked: Stand, rng: np.random.Generator, robot: Robot, ends_s: float
) -> dict[str, object]:
    """The draw of a test on this stand."""
    start = robot.home.copy()
    start[: len(hand4.JOINTS)] = finger_at(TOP_M + CLEAR_M)
    top = TOP_M + uniform(rng, asked.off_m)
    # it stands a little off the palm, whose edge PyBullet rounds
    size = [0.016, 0.016, top - _OFF_PALM_M]
    tool = robot.tools[FINGER]
    return {
        "elements": [
            {
                "kind": "gauge",
                "name": "gauge",
                "parts": [box_part(size, colour=(0.35, 0.6, 0.85, 1.0))],
                "at": [RADIAL_M, 0.0, hand4.PLAN.palm_height + (top + _OFF_PALM_M) / 2],
                "axis": [0.0, 0.0, -1.0],
                "stiffness": asked.stiffness_n_m,
                "noise_n": asked.noise_n,
                "seed": int(rng.integers(2**31)),
            },
            {
                "kind": "tool-pose",
                "name": "finger",
                "link": tool.link,
                "at": list(tool.placed.xyz),
            },
            stopwatch(ends_s),
        ],
        "tracker": {"seed": int(rng.integers(2**31))},
        "start": start.tolist(),
        "asked": asked.model_dump(mode="json"),
    }


def finger_at(height: float) -> FloatArray:
    """Joints (4,) in rad with the pad `height` m over the palm."""
    return hand4.finger_joints(RADIAL_M, height + _TIP, 0.0, PITCH)


def felt(desk: Desk) -> float:
    """Normal force on the pad as it says, N; what is absent counts as nothing."""
    sample = desk.view.sensors.get(PAD)
    if sample is None:
        return 0.0
    normal = sample.value[: len(sample.value) // 3]
    return float(np.nansum(normal))


def _touch_script(draw: Draw, _robot: Robot) -> Script:
    asked = TouchParameters.model_validate(draw["asked"])
    own = slice(0, len(hand4.JOINTS))
    down_s = (CLEAR_M + asked.deepest_m) / asked.speed_m_s

    def play(desk: Desk) -> Moves:
        for cycle in range(asked.cycles):
            start_s = asked.start_s(cycle)
            yield from until(desk, start_s)
            height = TOP_M + CLEAR_M
            while desk.view.elapsed_s < start_s + down_s and felt(desk) < asked.felt_n:
                passed_s = desk.view.elapsed_s - start_s
                height = TOP_M + CLEAR_M - asked.speed_m_s * passed_s
                desk.target[own] = finger_at(height)
                yield
            # it stops where it is, not where it was sent
            desk.target[own] = desk.view.joints.position[own]
            yield from until(desk, start_s + asked.cycle_s - 0.6)
            desk.target[own] = finger_at(TOP_M + CLEAR_M)
            yield

    return play


def _touch_figures(record: Record, _draw: Draw, asked: TouchParameters) -> Found:
    if not record.has(FORCE, _PEAK, _HEIGHT):
        return Found(None, asked.cycles, list)
    windows = [
        (asked.start_s(cycle) - 0.05, asked.start_s(cycle) + asked.cycle_s - 0.65)
        for cycle in range(asked.cycles)
    ]
    rows = [record.rows([_HEIGHT], *window) for window in windows]
    out = sum(bool(len(one) and np.ptp(one) > CLEAR_M / 2) for one in rows)

    def figures() -> Sequence[Measure]:
        touches = []
        for number, window in enumerate(windows):
            force = record.series([_PEAK], *window, f"force {number}")
            height = record.series([_HEIGHT], *window, f"fingertip {number}")
            speed = height.map(lambda value, at=height: np.gradient(value, at.time_s))  # type: ignore[misc]
            touches.append(Touch(force, speed))
        return [touch_sensitivity(touches, asked.contact_n, 0.1 * asked.speed_m_s)]

    return Found(out, asked.cycles, figures)


TOUCH = Procedure(
    name="touch-sensitivity",
    Parameters=TouchParameters,
    make_robot=hand4.hand,
    scene=lambda asked, rng, robot: stand_scene(asked, rng, robot, asked.ends_s),
    script=_touch_script,
    figures=_touch_figures,
    declared=lambda asked: (Declared("touch sensitivity", asked.declared_touch_n, "N"),),
)
