"""What each sense of a policy is worth: the same episodes with sensors withheld, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hil.judge.model import EpisodeResult, ScenarioVerdict
from hil.statistics import lower_bound, upper_bound

_ONE_SIDE = 0.975


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One run: which sensors were withheld, by capability and by role, and what came of it.

    `low` and `high` are the exact two-sided 95 % interval (Clopper-Pearson) of the success rate.
    `lost` and `won` count the episodes that failed here and succeeded with all sensors, and the
    other way: the seeds are the same, so that these are the same jobs. `why` counts the
    conditions that failed.
    """

    title: str
    without: tuple[str, ...]
    roles: tuple[str, ...]
    n: int
    successes: int
    undecided: int
    low: float
    high: float
    lost: int
    won: int
    why: Mapping[str, int]
    folder: str


def ablation_row(
    without: Sequence[str],
    roles: Sequence[str],
    verdict: ScenarioVerdict,
    whole: ScenarioVerdict,
    folder: str,
) -> AblationRow:
    """The row of one run; `whole` is the verdict with all sensors. An episode that could not be
    decided is no success."""
    n, k = len(verdict.episodes), verdict.successes
    pairs = list(zip(whole.episodes, verdict.episodes, strict=True))
    return AblationRow(
        title=f"without {' and '.join(without)}" if without else "all sensors",
        without=tuple(without),
        roles=tuple(roles),
        n=n,
        successes=k,
        undecided=verdict.undecided,
        low=lower_bound(k, n, _ONE_SIDE),
        high=upper_bound(k, n, _ONE_SIDE),
        lost=sum(a.success is True and b.success is not True for a, b in pairs),
        won=sum(a.success is not True and b.success is True for a, b in pairs),
        why=_failed(verdict.episodes),
        folder=folder,
    )


def combinations(kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """What is withheld row by row: nothing, each kind alone, and all of them."""
    rows = [(), *((kind,) for kind in kinds)]
    return rows if len(kinds) < 2 else [*rows, tuple(kinds)]


def ablation_page(rows: Sequence[AblationRow]) -> str:
    """The rows as a Markdown table, which reads as well on a terminal."""
    head = ("", "episodes", "successes", "95 % interval", "lost", "won", "what failed")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def ablation_data(rows: Sequence[AblationRow]) -> list[dict[str, Any]]:
    """The rows as plain data."""
    return [asdict(row) for row in rows]


def _cells(row: AblationRow) -> tuple[str, ...]:
    why = ", ".join(f"{name} ({count})" for name, count in row.why.items())
    interval = f"{row.low:.3f} to {row.high:.3f}"
    paired = (str(row.lost), str(row.won)) if row.without else ("", "")
    return (row.title, str(row.n), str(row.successes), interval, *paired, why)


def _failed(episodes: Sequence[EpisodeResult]) -> dict[str, int]:
    """How often each condition was not met, the most frequent first; an episode in which none
    failed and that is no success is counted as it ended."""
    counts: Counter[str] = Counter()
    for episode in episodes:
        if episode.success is True:
            continue
        failed = [one.name for one in episode.conditions if one.ok is False]
        counts.update(failed or [f"ended as {episode.end}"])
    return dict(counts.most_common())
