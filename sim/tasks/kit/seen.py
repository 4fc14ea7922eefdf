"""What a record shows: columns of the witness, for how long something held, named conditions.

Pure functions of the record; nothing here knows a robot or a rig. A quantity that the rig did
not observe is None throughout, and a condition on it is undecided, never met.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.record.format import Channel, Episode
from hil.task import Condition

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seen:
    """The witness channel of one episode, as far as the rig has one, and the testimony after
    its last tick. `elapsed_s` (ticks,) counts from the first grid point."""

    witness: Channel | None
    elapsed_s: FloatArray
    testimony: Mapping[str, float]

    @classmethod
    def of(cls, episode: Episode) -> Seen:
        said = [event["values"] for event in episode.events if event["event"] == "testimony"]
        testimony = cast(Mapping[str, float], said[-1] if said else {})
        witness = episode.channels.get("witness")
        if witness is None or not len(episode.ticks):
            return cls(None, np.empty(0), testimony)
        start_ns = episode.ticks["scheduled_ns"][0]
        return cls(witness, (witness.stamp_ns - start_ns) / NS_PER_S, testimony)

    def column(self, label: str) -> FloatArray | None:
        """(ticks,), NaN where a row lacks it; None where the rig does not observe it."""
        return None if self.witness is None else self.witness.column(label)

    def columns(self, name: str, axes: str = "xyz") -> FloatArray | None:
        """`NAME.x`, `NAME.y`, ... side by side, (ticks, len(axes)); None where one is missing."""
        found = [self.column(f"{name}.{axis}") for axis in axes]
        present = [column for column in found if column is not None]
        return np.stack(present, axis=1) if len(present) == len(found) else None

    def turns(self, name: str) -> FloatArray | None:
        """Quaternions x, y, z, w of a body, (ticks, 4)."""
        found = [self.column(f"{name}.q{axis}") for axis in "xyzw"]
        present = [column for column in found if column is not None]
        return np.stack(present, axis=1) if len(present) == 4 else None

    def last(self, label: str) -> float | None:
        """Value of the last row, or what was testified of the end; None where neither is
        there: what was true before is no proof."""
        column = self.column(label)
        if column is None or not len(column) or np.isnan(column[-1]):
            return self.testimony.get(label)
        return float(column[-1])

    def peak(self, label: str) -> float | None:
        """Largest value of any row."""
        return most(self.column(label))

    def end(self, values: FloatArray | None) -> float | None:
        """The last row's value of something worked out of columns, (ticks,)."""
        return None if values is None or not len(values) else float(values[-1])

    def below(self, values: FloatArray | None, limit: float) -> BoolArray | None:
        """Where `values` (ticks,) are `limit` at most; NaN is not."""
        return None if values is None else values <= limit

    def held_s(self, holds: BoolArray | None) -> float | None:
        """For how long `holds` (ticks,) was true without a break at the end of the episode;
        a row that is not known is false there."""
        if holds is None or not len(holds):
            return None
        broken = np.flatnonzero(~holds)
        first = int(broken[-1]) + 1 if len(broken) else 0
        if first >= len(holds):
            return 0.0
        return float(self.elapsed_s[-1] - self.elapsed_s[first])

    def first_s(self, holds: BoolArray | None) -> float | None:
        """When `holds` was true first; None where it never was or is not known."""
        rows = np.flatnonzero(holds) if holds is not None else np.empty(0, dtype=np.int64)
        return float(self.elapsed_s[rows[0]]) if len(rows) else None


def most(values: FloatArray | None) -> float | None:
    """Largest of a series, (ticks,), in the rows that are known; None where none is."""
    if values is None or np.isnan(values).all():
        return None
    return float(np.nanmax(values))


def exactly(name: str, value: float | None, wanted: float, unit: str = "") -> Condition:
    """`value` is `wanted`."""
    return Condition(name, value, unit, f"= {wanted:g}", None if value is None else value == wanted)


def at_least(name: str, value: float | None, limit: float, unit: str) -> Condition:
    """`value` is `limit` or more; a value that is no number is not."""
    ok = None if value is None else bool(value >= limit)
    return Condition(name, value, unit, f">= {limit:g} {unit}".rstrip(), ok)


def at_most(name: str, value: float | None, limit: float, unit: str) -> Condition:
    """`value` is `limit` or less; a value that is no number is not."""
    ok = None if value is None else bool(value <= limit)
    return Condition(name, value, unit, f"<= {limit:g} {unit}".rstrip(), ok)


def in_time(name: str, seen: Seen, holds: BoolArray | None, limit_s: float) -> Condition:
    """`holds` was true for the first time within `limit_s`; one that never was is a failure
    wherever it was observed."""
    first = seen.first_s(holds)
    ok = None if holds is None else first is not None and first <= limit_s
    return Condition(name, first, "s", f"<= {limit_s:g} s", ok)


def all_of(*parts: BoolArray | None) -> BoolArray | None:
    """Where all hold, (ticks,); None where one of them was not observed."""
    known = [part for part in parts if part is not None]
    return np.logical_and.reduce(known) if len(known) == len(parts) else None
