"""What every bench gives back: figures beside a baseline of the same run, and their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; fields that do not apply are None.

    `baseline` is what it is compared with in the same run, `ratio` is value / baseline.
    `target` reads as the limit does, for example "<= 0.2 x"; `met` says whether it is.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    target: str | None = None
    met: bool | None = None


def against(
    name: str, value: float, unit: str, baseline: float | None, at_most: float | None = None
) -> Figure:
    """A figure against a baseline, with a target on the ratio where `at_most` is given.

    Without a baseline (a tool that is not installed), or with one of 0, there is no ratio and
    no word on the target.
    """
    ratio = value / baseline if baseline else None
    target = None if at_most is None else f"<= {at_most:g} x"
    met = None if at_most is None or ratio is None else ratio <= at_most
    return Figure(name, value, unit, baseline, ratio, target, met)


def at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure with an upper limit of its own."""
    return Figure(name, value, unit, target=f"<= {limit:g} {unit}", met=value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure with a lower limit of its own."""
    return Figure(name, value, unit, target=f">= {limit:g} {unit}", met=value >= limit)


def as_json(bench: str, figures: Sequence[Figure], host: Any, conditions: Any) -> dict[str, Any]:
    """The one object that `--json` prints."""
    return {
        "bench": bench,
        "figures": [asdict(figure) for figure in figures],
        "conditions": conditions,
        "host": host,
    }
