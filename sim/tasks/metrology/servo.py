"""A servo as a component: response to a step, backlash and thermal drift of one joint.

The joint turns about a vertical line, so that no weight presses the flanks of its gears. A second
encoder on its output (`shaft`) bears witness; the servo's own is what the device says. Where the
gears have no play and nothing warms up, backlash and drift come out as 0 within their intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field, model_validator

from hil.metrology.backlash import backlash
from hil.metrology.drift import drift
from hil.metrology.series import Series
from hil.metrology.step import Step, step_measures, step_response
from hil.metrology.summary import Measure
from hil.task import Draw
from sim.robots import so101
from sim.robots.model import Robot
from sim.tasks.kit.ranges import TaskTable
from sim.tasks.kit.script import Desk, Moves, Script
from sim.tasks.metrology.procedure import (
    Declared,
    Found,
    Procedure,
    Record,
    go,
    stopwatch,
    until,
)

JOINT = "shoulder_pan"
LEAD_S = 1.0
_SHAFT = "shaft.rad"


class Stand(TaskTable):
    """The encoder's noise, standard deviation."""

    noise_rad: float = Field(default=1e-5, ge=0, le=1e-3)


class StepParameters(Stand):
    """Steps of `step_rad` to and fro about the middle, `cycles` of them. The command leaves the
    rig's envelope no faster than the motor can turn, so that a large step is a short ramp."""

    cycles: int = Field(default=10, ge=3, le=100)
    step_rad: float = Field(default=0.4, ge=0.05, le=1.5)
    rest_s: float = Field(default=1.0, ge=0.5, le=10, description="after each")
    declared_rise_s: float = Field(default=0.2, gt=0, le=10)
    declared_overshoot: float = Field(default=0.05, gt=0, le=2)
    declared_settling_s: float = Field(default=0.4, gt=0, le=10)

    def step_s(self, cycle: int) -> float:
        return LEAD_S + cycle * self.rest_s

    def target(self, cycle: int) -> float:
        """rad, of step `cycle`; the one before the first is where the test starts."""
        return self.step_rad / 2 * (1 if cycle % 2 == 0 else -1)

    @property
    def ends_s(self) -> float:
        return self.step_s(self.cycles)


class BacklashParameters(Stand):
    """Sweeps over 2 `amplitude_rad` to and fro, `cycles` pairs of them."""

    cycles: int = Field(default=5, ge=3, le=50)
    amplitude_rad: float = Field(default=0.3, ge=0.1, le=1.5)
    speed_rad_s: float = Field(default=0.1, ge=0.01, le=1.0)
    declared_backlash_rad: float = Field(default=0.015, gt=0, le=0.5)

    @property
    def sweep_s(self) -> float:
        return 2 * self.amplitude_rad / self.speed_rad_s

    def sweep_starts_s(self, sweep: int) -> float:
        return LEAD_S + sweep * self.sweep_s

    @property
    def ends_s(self) -> float:
        return self.sweep_starts_s(2 * self.cycles) + 0.2


class DriftParameters(Stand):
    """One position asked for again and again, `cycles` times, from cold."""

    cycles: int = Field(default=60, ge=8, le=500)
    every_s: float = Field(default=4.0, ge=1.5, le=60)
    swing_rad: float = Field(default=0.6, ge=0.05, le=1.5, description="what it moves between")
    declared_rate_rad_s: float = Field(default=2e-5, gt=0, le=0.1)

    @model_validator(mode="after")
    def _bounded(self) -> DriftParameters:
        if self.ends_s > 590:
            raise ValueError(f"{self.ends_s:g} s of test; cycles x every_s within 580 s would do")
        return self

    def back_s(self, cycle: int) -> float:
        """When it leaves for the position that is read."""
        return LEAD_S + (cycle + 0.5) * self.every_s

    @property
    def ends_s(self) -> float:
        return LEAD_S + self.cycles * self.every_s + 0.1


def _scene(
    asked: Stand, rng: np.random.Generator, robot: Robot, start_rad: float, ends_s: float
) -> dict[str, object]:
    start = robot.home.copy()
    start[robot.names.index(JOINT)] = start_rad
    return {
        "elements": [
            {
                "kind": "shaft",
                "name": "shaft",
                "joint": JOINT,
                "noise_rad": asked.noise_rad,
                "seed": int(rng.integers(2**31)),
            },
            stopwatch(ends_s),
        ],
        "tracker": {"seed": int(rng.integers(2**31))},
        "start": start.tolist(),
        "asked": asked.model_dump(mode="json"),
    }


def _swept(record: Record, start_s: float, end_s: float, way: float) -> bool:
    """Whether the output went over most of its way in a window."""
    rows = record.rows([_SHAFT], start_s, end_s)
    return bool(len(rows) and np.ptp(rows[:, 0]) > 0.7 * way)


# step response


def _step_script(draw: Draw, robot: Robot) -> Script:
    asked, place = StepParameters.model_validate(draw["asked"]), robot.names.index(JOINT)

    def play(desk: Desk) -> Moves:
        for cycle in range(asked.cycles):
            yield from until(desk, asked.step_s(cycle))
            desk.target[place] = asked.target(cycle)
            yield

    return play


def _step_figures(record: Record, _draw: Draw, asked: StepParameters) -> Found:
    if not record.has(_SHAFT):
        return Found(None, asked.cycles, list)
    commands = [
        record.jump_ns(JOINT, asked.step_s(cycle) - 0.1, asked.step_s(cycle) + 0.1)
        for cycle in range(asked.cycles)
    ]
    out = sum(command is not None for command in commands)
    return Found(out, asked.cycles, lambda: _step_measures(record, asked, commands))


def _step_measures(
    record: Record, asked: StepParameters, commands: Sequence[int | None]
) -> Sequence[Measure]:
    steps: list[Step] = []
    for cycle, command_ns in enumerate(commands):
        assert command_ns is not None
        begins_s = asked.step_s(cycle)
        name = f"step {cycle}"
        seen = record.series([_SHAFT], begins_s - 0.2, begins_s + asked.rest_s - 0.05, name)
        # the error is told in the direction of the step
        way = 1.0 if asked.target(cycle) > 0 else -1.0
        along = seen.map(lambda value, way=way: way * value)  # type: ignore[misc]
        steps.append(step_response(along, command_ns, way * asked.target(cycle), rest_s=0.2))
    return step_measures(steps, "rad")


STEP = Procedure(
    name="joint-step",
    Parameters=StepParameters,
    make_robot=so101.robot,
    scene=lambda asked, rng, robot: _scene(asked, rng, robot, asked.target(-1), asked.ends_s),
    script=_step_script,
    figures=_step_figures,
    declared=lambda asked: (
        Declared("rise time, 10 to 90 %", asked.declared_rise_s, "s"),
        Declared("overshoot", asked.declared_overshoot, "1"),
        Declared("settling time", asked.declared_settling_s, "s"),
    ),
)


# backlash


def _backlash_script(draw: Draw, robot: Robot) -> Script:
    asked, place = BacklashParameters.model_validate(draw["asked"]), robot.names.index(JOINT)

    def play(desk: Desk) -> Moves:
        yield from until(desk, LEAD_S)
        for sweep in range(2 * asked.cycles):
            up = 1.0 if sweep % 2 == 0 else -1.0
            part = 0.0
            while part < 1.0:
                passed_s = desk.view.elapsed_s - asked.sweep_starts_s(sweep)
                part = min(1.0, max(0.0, passed_s / asked.sweep_s))
                desk.target[place] = up * asked.amplitude_rad * (2 * part - 1)
                yield

    return play


def _backlash_figures(record: Record, _draw: Draw, asked: BacklashParameters) -> Found:
    if not record.has(_SHAFT):
        return Found(None, asked.cycles, list)
    starts = [asked.sweep_starts_s(sweep) for sweep in range(2 * asked.cycles)]
    way = 2 * asked.amplitude_rad
    out = sum(_swept(record, start, start + asked.sweep_s, way) for start in starts) // 2

    def figures() -> Sequence[Measure]:
        window = (LEAD_S - 0.2, asked.ends_s - 0.1)
        motor = record.joint("joints.position", JOINT, *window, "motor")
        load = record.series([_SHAFT], *window, "load")
        return [backlash(motor, load, turn=0.1 * asked.amplitude_rad)]

    return Found(out, asked.cycles, figures)


BACKLASH = Procedure(
    name="joint-backlash",
    Parameters=BacklashParameters,
    make_robot=so101.robot,
    scene=lambda asked, rng, robot: _scene(asked, rng, robot, -asked.amplitude_rad, asked.ends_s),
    script=_backlash_script,
    figures=_backlash_figures,
    declared=lambda asked: (Declared("backlash", asked.declared_backlash_rad, "rad"),),
)


# drift


def _drift_script(draw: Draw, robot: Robot) -> Script:
    asked, place = DriftParameters.model_validate(draw["asked"]), robot.names.index(JOINT)
    away, read = np.array([asked.swing_rad]), np.zeros(1)

    def play(desk: Desk) -> Moves:
        for cycle in range(asked.cycles):
            back_s = asked.back_s(cycle)
            yield from go(desk, np.array([place]), away, back_s - asked.every_s / 2, 0.6)
            yield from go(desk, np.array([place]), read, back_s, 0.6)

    return play


def _drift_figures(record: Record, _draw: Draw, asked: DriftParameters) -> Found:
    if not record.has(_SHAFT):
        return Found(None, asked.cycles, list)
    starts = [asked.back_s(cycle) for cycle in range(asked.cycles)]
    half = asked.every_s / 2
    out = sum(_swept(record, start - 0.1, start + half, asked.swing_rad) for start in starts)

    def figures() -> Sequence[Measure]:
        stamps, values = [], []
        for start in starts:
            seen = record.series([_SHAFT], start + half - 0.3, start + half - 0.05, "reading")
            stamps.append(int(seen.stamp_ns[-1]))
            values.append(float(seen.value.mean()))
        found = drift(Series.of("output", stamps, values), "rad")
        told = [one for one in (found.time_constant, found.total) if one is not None]
        return [_size(found.slope), found.slope, *told]

    return Found(out, asked.cycles, figures)


def _size(slope: Measure) -> Measure:
    """Of a rate whose sign does not matter."""
    assert slope.interval is not None
    low, high = slope.interval
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    ends = (nearest, max(abs(low), abs(high)))
    return replace(slope, name="size of the drift rate", value=abs(slope.value), interval=ends)


DRIFT = Procedure(
    name="joint-drift",
    Parameters=DriftParameters,
    make_robot=so101.robot,
    scene=lambda asked, rng, robot: _scene(asked, rng, robot, 0.0, asked.ends_s),
    script=_drift_script,
    figures=_drift_figures,
    declared=lambda asked: (
        Declared("size of the drift rate", asked.declared_rate_rad_s, "rad/s"),
    ),
)
