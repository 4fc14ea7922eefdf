"""Archetype sort: take things of several classes from a moving belt, each into its own bin.

Success is judged at the end and over the whole way: every thing lies in the bin of its class, at
rest and touched by nobody for `hold_s`; none has ever been in another bin or has fallen beside;
and the things were done in `time_limit_s` each on average, counted from when the first one came
into the robot's reach. An episode is one row of things and all of them count, so a claim on
episodes with p is harder than a line's share of right things with the same p; the share of each
episode is among the measures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from hil.task import Condition, Draw
from sim.robots import panda
from sim.tasks.kit.draws import number
from sim.tasks.kit.job import Job
from sim.tasks.kit.seen import BoolArray, Seen, all_of, at_least, at_most
from sim.tasks.sorting_script import script
from sim.tasks.sorting_things import Parameters, bin_of, scene

REST_M_S = 0.01
"""A thing that lies in a bin is at rest below it."""


def _bins(things: Sequence[str]) -> list[str]:
    return sorted({bin_of(thing) for thing in things})


def _placed(seen: Seen, thing: str) -> BoolArray | None:
    """Where a thing is in its bin, at rest and released, (ticks,)."""
    inside = seen.column(f"{thing}.in_{bin_of(thing)}")
    return all_of(
        None if inside is None else inside == 1.0,
        seen.below(seen.column(f"{thing}.speed"), REST_M_S),
        seen.below(seen.column(f"{thing}.robot_n"), 0.0),
    )


def _ever_wrong(seen: Seen, thing: str, bins: Sequence[str]) -> bool | None:
    """Whether it has been in a bin that is not its own."""
    peaks = [seen.peak(f"{thing}.in_{one}") for one in bins if one != bin_of(thing)]
    known = [peak > 0 for peak in peaks if peak is not None]
    return True if any(known) else False if len(known) == len(peaks) else None


def _lost(seen: Seen, thing: str, bins: Sequence[str], top: float) -> bool | None:
    """Whether it has been lower than the belt's top, and in no bin: it fell beside."""
    height = seen.column(f"{thing}.z")
    inside = [seen.column(f"{thing}.in_{one}") for one in bins]
    known = [column for column in inside if column is not None]
    if height is None or len(known) < len(inside):
        return None
    return bool(np.any((height < top) & ~np.any(np.stack(known) > 0, axis=0)))


def _count(found: Sequence[bool | None]) -> float | None:
    """How many are true; None where that is not known of one."""
    known = [one for one in found if one is not None]
    return float(sum(known)) if len(known) == len(found) else None


def _time_each(seen: Seen, draw: Draw, placed: Mapping[str, BoolArray | None]) -> float | None:
    """s: from when the first thing passed the line to when the last one came to lie where it
    stayed, over the number of things; infinite where one did not stay."""
    ways = [seen.column(f"{thing}.y") for thing in placed]
    if any(one is None for one in (*placed.values(), *ways)):
        return None
    arrived = [seen.first_s(None if y is None else y >= number(draw, "line_m")) for y in ways]
    begun = [when for when in arrived if when is not None]
    if not begun:
        return math.inf
    ends = [float(seen.elapsed_s[-1]) - (seen.held_s(rows) or 0.0) for rows in placed.values()]
    stayed = all(rows is not None and len(rows) and rows[-1] for rows in placed.values())
    return (max(ends) - min(begun)) / len(placed) if stayed else math.inf


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    things = sorted(cast(Mapping[str, object], draw["sizes"]))
    bins, top = _bins(things), number(draw, "top_m")
    placed = {thing: _placed(seen, thing) for thing in things}
    held = [seen.held_s(rows) for rows in placed.values()]
    right = _count([None if one is None else one >= asked.hold_s for one in held])
    return (
        at_least(
            f"share in the right bin, at rest and released for {asked.hold_s:g} s at the end",
            None if right is None else right / len(things),
            1.0,
            "",
        ),
        at_most(
            "in a wrong bin", _count([_ever_wrong(seen, one, bins) for one in things]), 0.0, ""
        ),
        at_most("lost", _count([_lost(seen, one, bins, top) for one in things]), 0.0, ""),
        at_most("time for each", _time_each(seen, draw, placed), asked.time_limit_s, "s"),
    )


def _measures(seen: Seen, draw: Draw, asked: Parameters) -> Mapping[str, float | None]:
    """Shares of things, and how hard they were touched at most at any tick."""
    share, _, _, time = _conditions(seen, draw, asked)
    things = cast(Mapping[str, object], draw["sizes"])
    peaks = [seen.peak(f"{thing}.robot_n") for thing in things]
    known = [peak for peak in peaks if peak is not None]
    finite = time.value if time.value is not None and np.isfinite(time.value) else None
    return {
        "share right": share.value,
        "time for each s": finite,
        "largest touch n": max(known, default=None),
        "belt speed m_s": seen.peak("belt.speed"),
    }


JOB = Job(
    name="sort",
    Parameters=Parameters,
    make_robot=panda.robot,
    scene=scene,
    conditions=_conditions,
    script=script,
    measures=_measures,
)
