"""Fingertips: how well a force follows its command, after the NIST hand metrics.

On the stand of `sim.tasks.metrology.touch` the finger presses the gauge as tones, steps and sines
ask for. A device that takes positions follows a force through a script, which is part of what is
measured: the depth that the gauge's stiffness asks for, corrected by what the pad feels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field, model_validator

from hil.clock import NS_PER_S
from hil.metrology.series import Series
from hil.metrology.step import step_measures, step_response
from hil.metrology.summary import Measure
from hil.metrology.tracking import Tracking, bandwidth, sine_response, tracking_measures
from hil.task import Draw
from sim.robots import hand4
from sim.robots.model import Robot
from sim.tasks.kit.script import Desk, Moves, Script
from sim.tasks.metrology.procedure import Declared, Found, Procedure, Record, until
from sim.tasks.metrology.touch import (
    CLEAR_M,
    FORCE,
    LEAD_S,
    TOP_M,
    Stand,
    felt,
    finger_at,
    stand_scene,
)

SLOWEST_HZ, FASTEST_HZ = 0.1, 20.0
"""Of a sine: a loop of 100 Hz has five ticks for a wave of the fastest."""
LEAST_N = 0.1
"""The least force that is asked for: with none the finger would leave the gauge."""


class TrackingParameters(Stand):
    """Force commands about `middle_n`: two tones together, steps of `step_n`, and sines of
    `swing_n` at each of `sines_hz`, `cycles` times each."""

    cycles: int = Field(default=3, ge=3, le=20)
    middle_n: float = Field(default=2.5, gt=0.2, le=5)
    swing_n: float = Field(default=0.8, gt=0.1, le=2)
    step_n: float = Field(default=1.5, gt=0.1, le=3)
    sines_hz: tuple[float, ...] = Field(
        default=(0.5, 1.0, 2.0, 4.0, 8.0),
        min_length=2,
        max_length=8,
        description="each within [0.1, 20] Hz",
    )
    longest_delay_s: float = Field(default=0.15, gt=0.02, le=1)
    declared_error_n: float = Field(default=0.4, gt=0, le=10)
    declared_delay_s: float = Field(default=0.05, gt=0, le=1)
    declared_bandwidth_hz: float = Field(default=4.0, gt=0, le=100)

    @model_validator(mode="after")
    def _can_be_pressed(self) -> TrackingParameters:
        if not all(SLOWEST_HZ <= hz <= FASTEST_HZ for hz in self.sines_hz):
            raise ValueError(
                f"sines_hz = {list(self.sines_hz)} are each within"
                f" [{SLOWEST_HZ:g}, {FASTEST_HZ:g}] Hz"
            )
        if self.swing_n > self.middle_n - LEAST_N:
            raise ValueError(
                f"swing_n = {self.swing_n:g}: a finger presses and cannot pull, so that about"
                f" {self.middle_n:g} N it is within [0.1, {self.middle_n - LEAST_N:g}] N"
            )
        return self

    @property
    def ends_s(self) -> float:
        return sections(self)[-1].end_s + 0.1


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the timetable with one kind of command: "tones", "step" or "sine" of `hz`."""

    kind: str
    hz: float
    start_s: float
    end_s: float


APPROACH_S = 2.0
_PAUSE_S, _TONES_S, _STEP_S, _WAVES = 0.5, 4.0, 1.0, 3
_TONES_HZ = (1.1, 2.7)


def sections(asked: TrackingParameters) -> list[Section]:
    """All of them in order."""
    kinds = [("tones", 0.0, _TONES_S), ("step", 0.0, 2 * _STEP_S)]
    kinds += [("sine", hz, _WAVES / hz + 0.1) for hz in asked.sines_hz]
    found, now_s = [], LEAD_S + APPROACH_S
    for kind, hz, lasts_s in kinds:
        for _ in range(asked.cycles):
            found.append(Section(kind, hz, now_s, now_s + lasts_s))
            now_s += lasts_s + _PAUSE_S
    return found


def commanded(asked: TrackingParameters, table: Sequence[Section], elapsed_s: float) -> float:
    """Force in N that is asked for at an instant."""
    for one in table:
        if one.start_s <= elapsed_s <= one.end_s:
            passed_s = elapsed_s - one.start_s
            if one.kind == "step":
                return asked.middle_n + (asked.step_n if passed_s >= _STEP_S else 0.0)
            tones = _TONES_HZ if one.kind == "tones" else (one.hz,)
            waves = sum(math.sin(2 * math.pi * hz * passed_s) for hz in tones)
            return asked.middle_n + asked.swing_n * waves / len(tones)
    return asked.middle_n


_INTEGRAL = 2.0
"""1/s: of the error of force, over the stiffness of the gauge."""


def _tracking_script(draw: Draw, _robot: Robot) -> Script:
    """The depth that the gauge's stiffness asks for, corrected by what the pad feels."""
    asked = TrackingParameters.model_validate(draw["asked"])
    own, table = slice(0, len(hand4.JOINTS)), sections(asked)

    def play(desk: Desk) -> Moves:
        yield from until(desk, LEAD_S)
        height = TOP_M + CLEAR_M
        while felt(desk) < 0.2 and height > TOP_M - 0.006:
            height -= 0.01 * desk.tick_s
            desk.target[own] = finger_at(height)
            yield
        top, lead_n = height, 0.0
        while desk.view.elapsed_s < asked.ends_s:
            wanted = commanded(asked, table, desk.view.elapsed_s)
            lead_n += _INTEGRAL * desk.tick_s * (wanted - felt(desk))
            lead_n = min(max(lead_n, -5.0), 5.0)
            desk.target[own] = finger_at(top - (wanted + lead_n) / asked.stiffness_n_m)
            yield

    return play


def _tracking_figures(record: Record, _draw: Draw, asked: TrackingParameters) -> Found:
    table = sections(asked)
    if not record.has(FORCE):
        return Found(None, len(table), list)
    out = sum(_pressed(record, one) for one in table)
    return Found(out, len(table), lambda: _tracking_figures_of(record, asked, table))


def _pressed(record: Record, one: Section) -> bool:
    rows = record.rows([FORCE], one.start_s, one.end_s)
    return bool(len(rows) and float(np.nanmedian(rows)) > 0.1)


def _tracking_figures_of(
    record: Record, asked: TrackingParameters, table: Sequence[Section]
) -> Sequence[Measure]:
    stamps = record.asked_ns
    asks = np.array(
        [commanded(asked, table, (stamp - record.begun_ns) / NS_PER_S) for stamp in stamps]
    )

    def repeat(one: Section, before_s: float = 0.0) -> Tracking:
        elapsed = (stamps - record.begun_ns) / NS_PER_S
        rows = (elapsed >= one.start_s - before_s) & (elapsed <= one.end_s)
        name = f"{one.kind} at {one.start_s:.1f} s"
        command = Series.of(f"command, {name}", stamps[rows], asks[rows])
        return Tracking(
            command, record.series([FORCE], one.start_s - before_s, one.end_s, f"force, {name}")
        )

    tones = [repeat(one) for one in table if one.kind == "tones"]
    steps = []
    for one in table:
        if one.kind == "step":
            at_ns = record.begun_ns + round((one.start_s + _STEP_S) * NS_PER_S)
            seen = repeat(one).measured
            seen = seen.between(at_ns - round(0.3 * NS_PER_S))
            target = asked.middle_n + asked.step_n
            steps.append(step_response(seen, at_ns, target, rest_s=0.2, band=0.05, onset=0.1))
    gains = [
        [sine_response(repeat(one), hz)[0] for one in table if one.kind == "sine" and one.hz == hz]
        for hz in asked.sines_hz
    ]
    stepped = [replace(one, name=f"force step: {one.name}") for one in step_measures(steps, "N")]
    return [
        *tracking_measures(tones, "N", asked.longest_delay_s),
        bandwidth(asked.sines_hz, np.array(gains).T),
        *stepped,
    ]


TRACKING = Procedure(
    name="force-tracking",
    Parameters=TrackingParameters,
    make_robot=hand4.hand,
    scene=lambda asked, rng, robot: stand_scene(asked, rng, robot, asked.ends_s),
    script=_tracking_script,
    figures=_tracking_figures,
    declared=lambda asked: (
        Declared("tracking error", asked.declared_error_n, "N"),
        Declared("tracking delay", asked.declared_delay_s, "s"),
        Declared("bandwidth", asked.declared_bandwidth_hz, "Hz", at_most=False),
    ),
)
