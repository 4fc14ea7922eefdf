"""Arms: path accuracy and repeatability and corner overshoot, after ISO 9283.

A line, a circle and a corner are followed at a constant speed, by the same stand as the poses of
`sim.tasks.metrology.arm`. Each way is run into before the part that is compared, and out of after
it. At the corner the script does not slow down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.metrology.path import CORNER_CYCLES, PATH_CYCLES, corner, corner_measures, path_figures
from hil.metrology.summary import Measure
from hil.task import Draw
from sim.robots import panda
from sim.robots.model import Robot
from sim.robots.reach import Limb, limb, reach
from sim.tasks.kit.poses import DOWN
from sim.tasks.kit.script import Desk, Moves, Script
from sim.tasks.metrology.arm import AT, LEAD_S, Stand, stand_scene
from sim.tasks.metrology.procedure import Declared, Found, Procedure, Record, go, largest

RUN_S = 0.5
"""Run-in and run-out, in which the tool comes up to speed and to rest."""
_REACHED = 0.7
"""A repeat was carried out where the tool went over so much of its box along every axis."""


class PathParameters(Stand):
    """A line and a circle `cycles` times each, and a corner `corners` times, at `speed_m_s`."""

    cycles: int = Field(default=PATH_CYCLES, ge=3, le=50)
    corners: int = Field(default=CORNER_CYCLES, ge=3, le=50)
    speed_m_s: float = Field(default=0.25, ge=0.05, le=0.5)
    declared_at_m: float = Field(default=1e-3, gt=0, le=0.1)
    declared_rt_m: float = Field(default=2e-4, gt=0, le=0.1)
    declared_overshoot_m: float = Field(default=2e-3, gt=0, le=0.1)

    @model_validator(mode="after")
    def _within_reach(self) -> PathParameters:
        self.refuse_beyond_reach(np.vstack([way.points[::4] for way in ways(self).values()]))
        return self


@dataclass(frozen=True, slots=True)
class Way:
    """Points (m, 3) in m, evenly spaced along one leg or more, and how the tool goes through
    them: `seconds` from the first to the last. `closed`: it runs in and out along itself."""

    points: FloatArray
    seconds: float
    closed: bool = False

    def at(self, passed_s: float) -> FloatArray:
        """Where the tool has to be (3,), so long after it was at the first point; before and
        after, on the run-in and the run-out."""
        share = passed_s / self.seconds
        steps = len(self.points) - (0 if self.closed else 1)
        place = share * steps
        if self.closed:
            low = int(np.floor(place))
            first, second = (self.points[(low + more) % len(self.points)] for more in (0, 1))
        else:
            low = min(max(int(np.floor(place)), 0), steps - 1)
            first, second = self.points[low], self.points[low + 1]
        return np.asarray(first + (place - low) * (second - first))


def ways(asked: PathParameters) -> dict[str, Way]:
    """Line, circle and corner (90 degrees, in a level plane) within the test cube."""
    half, middle = 0.4 * asked.edge_m, np.array(asked.middle_m)
    line = np.linspace(-half, half, 41)[:, None] * np.array([0.6, 1.0, 0.6])
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)[:, None]
    circle = half * np.hstack([np.cos(angle), np.sin(angle), 0 * angle])
    leg = np.linspace(-half, half, 21)[:, None]
    first = np.hstack([leg, np.full_like(leg, -half), 0 * leg])
    second = np.hstack([np.full_like(leg, half), leg, 0 * leg])
    corner_points = np.vstack([first, second[1:]])
    found = {"line": (line, False), "circle": (circle, True), "corner": (corner_points, False)}
    return {
        name: Way(middle + points, _length(points, closed) / asked.speed_m_s, closed)
        for name, (points, closed) in found.items()
    }


def _length(points: FloatArray, closed: bool) -> float:
    whole = np.vstack([points, points[:1]]) if closed else points
    return float(np.linalg.norm(np.diff(whole, axis=0), axis=1).sum())


@dataclass(frozen=True, slots=True)
class Repeat:
    """One repeat in the timetable: the tool goes to its start from `start_s` on, and is at the
    first point compared at `first_s`, at the last at `last_s`."""

    name: str
    start_s: float
    first_s: float
    last_s: float


def timetable(asked: PathParameters) -> list[Repeat]:
    """All repeats in order."""
    found, now_s = [], LEAD_S
    for name, way in ways(asked).items():
        count = asked.corners if name == "corner" else asked.cycles
        for _ in range(count):
            first_s = now_s + _APPROACH_S + RUN_S
            found.append(Repeat(name, now_s, first_s, first_s + way.seconds))
            now_s = first_s + way.seconds + RUN_S + _REST_S
    return found


_APPROACH_S, _REST_S, _KNOT_S = 1.6, 0.3, 0.01


def _scene(asked: PathParameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    ends_s = timetable(asked)[-1].last_s + RUN_S + _REST_S
    return stand_scene(asked, rng, robot, np.array(asked.middle_m), ends_s)


def _script(draw: Draw, robot: Robot) -> Script:
    asked = PathParameters.model_validate(draw["asked"])
    arm = limb(robot)
    places = np.array(robot.places(arm.motors))
    joints = {name: _followed(arm, way) for name, way in ways(asked).items()}

    def play(desk: Desk) -> Moves:
        for one in timetable(asked):
            way = joints[one.name]
            yield from go(desk, places, way[0], one.start_s, _APPROACH_S)
            while (passed_s := desk.view.elapsed_s - one.first_s) < asked_s(way):
                place = (passed_s + RUN_S) / _KNOT_S
                low = min(max(int(place), 0), len(way) - 2)
                desk.target[places] = way[low] + (place - low) * (way[low + 1] - way[low])
                yield

    return play


def asked_s(way: FloatArray) -> float:
    """When a way of joints (k, n) ends, s after its first point compared."""
    return (len(way) - 1) * _KNOT_S - RUN_S


def _followed(arm: Limb, way: Way) -> FloatArray:
    """Joints (k, n) every `_KNOT_S` from the run-in to the run-out, the same for every repeat: an
    arm of seven joints could take the same way in many."""
    count = int((way.seconds + 2 * RUN_S) / _KNOT_S) + 1
    found: list[FloatArray] = []
    for knot in range(count):
        place = _ramped(way, knot * _KNOT_S - RUN_S)
        here = reach(arm, place, DOWN, found[-1] if found else None, tries=1)
        if here is None:
            raise HarnessError(f"the way of the test leaves the arm's reach at {place} m")
        found.append(here)
    return np.array(found)


def _ramped(way: Way, passed_s: float) -> FloatArray:
    """`way.at`, with the speed rising from rest over the run-in and falling over the run-out."""
    if passed_s < 0:
        left = min(-passed_s, RUN_S)
        return way.at(-left + left**2 / (2 * RUN_S))
    beyond = passed_s - way.seconds
    if beyond > 0:
        beyond = min(beyond, RUN_S)
        return way.at(way.seconds + beyond - beyond**2 / (2 * RUN_S))
    return way.at(passed_s)


def _figures(record: Record, _draw: Draw, asked: PathParameters) -> Found:
    repeats = timetable(asked)
    if not record.has(*AT):
        return Found(None, len(repeats), list)
    table = ways(asked)
    # a little more than the part compared, for its planes to be crossed
    attained = [
        (one.name, record.rows(AT, one.first_s - RUN_S / 2, one.last_s + RUN_S / 2))
        for one in repeats
    ]
    out = sum(_went(rows, table[name].points) for name, rows in attained)
    return Found(out, len(repeats), lambda: _measures(attained, table))


def _went(rows: FloatArray, points: FloatArray) -> bool:
    if len(rows) < 2 or np.isnan(rows).all(axis=0).any():
        return False
    went = np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0)
    return bool((went >= _REACHED * np.ptp(points, axis=0) - 1e-3).all())


def _measures(
    attained: Sequence[tuple[str, FloatArray]], table: dict[str, Way]
) -> Sequence[Measure]:
    accuracy, repeatability, found = [], [], []
    for name in ("line", "circle"):
        paths = [rows for way, rows in attained if way == name]
        figures = path_figures(paths, table[name].points)
        accuracy.append(replace(figures.accuracy, name=f"AT_P, {name}"))
        repeatability.append(replace(figures.repeatability, name=f"RT_P, {name}"))
        found.append(replace(figures.deviation, name=f"path deviation, {name}"))
    bend = table["corner"].points
    legs = bend[[0, len(bend) // 2, -1]]
    corners = [corner(rows, legs) for way, rows in attained if way == "corner"]
    worst = [largest("AT_P", accuracy), largest("RT_P", repeatability)]
    return [*worst, *corner_measures(corners), *accuracy, *repeatability, *found]


PATH = Procedure(
    name="arm-path",
    Parameters=PathParameters,
    make_robot=panda.robot,
    scene=_scene,
    script=_script,
    figures=_figures,
    declared=lambda asked: (
        Declared("AT_P", asked.declared_at_m, "m"),
        Declared("RT_P", asked.declared_rt_m, "m"),
        Declared("corner overshoot", asked.declared_overshoot_m, "m"),
    ),
)
