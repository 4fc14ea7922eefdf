"""Shows a run while it goes on: a bar on a terminal, plain lines elsewhere.

Called between episodes only and without a thread of its own, so that the display cannot
disturb a tick.
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from hil.judge.live import so_far
from hil.plan.freeze import Plan
from hil.record.format import EpisodeEnd
from hil.run.episode import Attempt

_MARKS = {True: "[green]pass[/]", False: "[red]FAIL[/]", None: "[yellow]no verdict[/]"}


class RunDisplay:
    """Observer of `hil.run.campaign`; a context manager."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._claims = _success_claims(plan)
        self._counts = {name: [0, 0] for name in plan.scenarios}
        self._spent_s: dict[str, list[float]] = {name: [] for name in plan.scenarios}
        self._last_s = time.monotonic()
        self._phase = "starting"
        self._work = ""
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> RunDisplay:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.fields[phase]}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[verdict]}"),
                TextColumn("[dim]{task.fields[left]}{task.fields[work]}[/]"),
                console=self._console,
                auto_refresh=False,
                transient=True,
            )
            self._bar.start()
            total = len(self._plan.episodes)
            left = f"{self._left_s():.0f} s left at most"
            self._task = self._bar.add_task(
                "", total=total, phase="", verdict="", left=left, work=""
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def phase(self, text: str) -> None:
        """Say what is being done."""
        self._phase = text
        self._last_s = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, phase=text, refresh=True)
        else:
            self._console.print(text)

    def at_work(self, count: int) -> None:
        """Say how many episodes run at once."""
        work = f"; {count} at work"
        if work == self._work:
            return
        self._work = work
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, work=work, refresh=True)

    def attempt(self, attempt: Attempt) -> None:
        """Count one attempt and show the verdict so far."""
        scenario = str(attempt.episode.meta["scenario"])
        success = self._score(scenario, attempt)
        counts = self._counts[scenario]
        counts[0] += success is True
        counts[1] += 1
        now_s = time.monotonic()
        self._spent_s[scenario].append(now_s - self._last_s)
        self._last_s = now_s
        verdict, left = self._verdict(scenario), f"{self._left_s():.0f} s left"
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, advance=1, verdict=verdict, left=left, phase=self._phase, refresh=True
            )
            return
        why = "" if attempt.end is EpisodeEnd.COMPLETED else f" ({attempt.reason})"
        self._console.print(
            f"  {attempt.episode.name} {scenario}: {_MARKS[success]}{why}; {verdict}; {left}"
            f"{self._work}",
            soft_wrap=True,
        )

    def _score(self, scenario: str, attempt: Attempt) -> bool | None:
        if attempt.end is EpisodeEnd.DEVICE_FAULT:
            return False
        if attempt.end is not EpisodeEnd.COMPLETED:
            return None
        planned = self._plan.scenarios[scenario]
        return planned.task.score(attempt.episode, planned.parameters).success

    def _verdict(self, scenario: str) -> str:
        successes, scored = self._counts[scenario]
        said = f"{successes} of {scored} succeeded"
        if scenario not in self._claims:
            return said
        p, confidence = self._claims[scenario]
        planned = sum(episode.scenario == scenario for episode in self._plan.episodes)
        standing = so_far(successes, scored, planned, p, confidence)
        if standing.shown:
            return f"{said}: p >= {p:g} shown"
        if not standing.possible:
            return f"{said}: p >= {p:g} out of reach"
        return said

    def _left_s(self) -> float:
        """Time left: mean of what each scenario took so far, its longest where none has run."""
        total = 0.0
        for name, planned in self._plan.scenarios.items():
            spent = self._spent_s[name]
            count = sum(episode.scenario == name for episode in self._plan.episodes) - len(spent)
            each = sum(spent) / len(spent) if spent else planned.scenario.loop.duration_s or 0.5
            total += count * each
        return total


def _success_claims(plan: Plan) -> dict[str, tuple[float, float]]:
    """The p and confidence that the plan claims, by scenario."""
    return {
        row["id"]: (claim["p"], claim["confidence"])
        for row in plan.data["scenarios"]
        for claim in row["claims"]
        if claim["kind"] == "success"
    }
