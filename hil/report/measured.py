"""What the episodes of a scenario measured: named conditions against their limits, and figures.

A figure's name ends in its unit, `NAME [UNIT]`. Where a score gives the interval of a figure, the
names `NAME [UNIT] from`, `... to` and `... n` hold its ends and the number of repeats behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from hil.judge.model import EpisodeResult

_UNIT = re.compile(r"^(?P<name>.*?)(?: \[(?P<unit>[^\]]*)\])?$")
_BESIDE = (" from", " to", " n")


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """One named condition over all episodes: in how many it held, did not, could not be seen;
    the middle value and the range of all, None where none was observed."""

    name: str
    limit: str
    unit: str
    held: int
    broken: int
    unseen: int
    middle: float | None
    lowest: float | None
    highest: float | None


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure: the middle over the episodes that gave it, and their range; of a single one
    with an interval of its own, that interval and the number of repeats behind it."""

    name: str
    unit: str
    middle: float
    low: float
    high: float
    episodes: int
    repeats: int | None


def condition_rows(episodes: Sequence[EpisodeResult]) -> tuple[ConditionRow, ...]:
    """Conditions in the order of the first episode that has them."""
    found: dict[str, list[tuple[float | None, bool | None]]] = {}
    facts: dict[str, tuple[str, str]] = {}
    for episode in episodes:
        for one in episode.conditions:
            found.setdefault(one.name, []).append((one.value, one.ok))
            facts.setdefault(one.name, (one.limit, one.unit))
    rows = []
    for name, seen in found.items():
        values = [value for value, _ in seen if value is not None]
        rows.append(
            ConditionRow(
                name,
                *facts[name],
                held=sum(ok is True for _, ok in seen),
                broken=sum(ok is False for _, ok in seen),
                unseen=sum(ok is None for _, ok in seen),
                middle=median(values) if values else None,
                lowest=min(values, default=None),
                highest=max(values, default=None),
            )
        )
    return tuple(rows)


def figure_rows(episodes: Sequence[EpisodeResult]) -> tuple[FigureRow, ...]:
    """Figures in the order of their names."""
    names = _unique(name for episode in episodes for name in episode.measures)
    return tuple(
        row
        for name in names
        if not name.endswith(_BESIDE) or name.rsplit(" ", 1)[0] not in names
        if (row := _figure(name, episodes)) is not None
    )


def _figure(name: str, episodes: Sequence[EpisodeResult]) -> FigureRow | None:
    having = [one.measures for one in episodes if one.measures.get(name) is not None]
    values = [value for one in having if (value := one[name]) is not None]
    if not values:
        return None
    parts = _UNIT.match(name)
    assert parts is not None  # it matches anything
    low, high, repeats = min(values), max(values), None
    if len(having) == 1:
        only = having[0]
        bounds = only.get(f"{name} from"), only.get(f"{name} to")
        low = low if bounds[0] is None else bounds[0]
        high = high if bounds[1] is None else bounds[1]
        count = only.get(f"{name} n")
        repeats = None if count is None else round(count)
    label, unit = parts["name"], parts["unit"] or ""
    return FigureRow(label, unit, median(values), low, high, len(values), repeats)


def _unique(names: Iterable[str]) -> list[str]:
    return sorted(set(names))
