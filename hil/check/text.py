"""Findings as lines of text, a heading for each part of the check."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hil.check.model import Part, Report, Result, State
from rigs.schema import Rig

_MARKS = {State.OK: "ok", State.BAD: "BAD", State.NOTE: "note", State.SKIPPED: "skip"}
_COLOURS = {State.OK: "green", State.BAD: "red", State.NOTE: "cyan", State.SKIPPED: "yellow"}
_NAME_WIDTH = 19

Echo = Callable[[str], None]
Style = Callable[..., str]


class TextReport:
    """Writes each finding as it is made: mark, role, name, detail; below it what to do."""

    def __init__(self, rig: Rig, echo: Echo, style: Style) -> None:
        self._echo = echo
        self._style = style
        self._width = max(len(device.role) for device in rig.devices)
        self._part: Part | None = None

    def __call__(self, result: Result) -> None:
        if result.part is not self._part:
            self._part = result.part
            self._echo(f"\n{self._style(str(result.part), bold=True)}")
        mark = self._style(f"{_MARKS[result.state]:<4}", fg=_COLOURS[result.state])
        margin = " " * (12 + self._width + _NAME_WIDTH)
        detail = result.detail.replace("\n", f"\n{margin}")
        role = f"{result.role:<{self._width}}"
        self._echo(f"  {mark}  {role}  {result.name:<{_NAME_WIDTH}}  {detail}")
        if result.remedy:
            remedy = result.remedy.replace("\n", f"\n{margin}")
            self._echo(f"  {'':<4}  {'':<{self._width}}  {'do:':>{_NAME_WIDTH}}  {remedy}")


def heading(rig: Rig) -> str:
    """First line of a report."""
    devices = ", ".join(f"{device.role} ({device.driver})" for device in rig.devices)
    return f"{rig.name} ({rig.kind}): {rig.title}\ndevices: {devices}"


def summary(report: Report) -> str:
    """Last lines: how it stands, and the bad findings by name."""
    counts = ", ".join(
        f"{report.count(state)} {word}"
        for state, word in (
            (State.OK, "ok"),
            (State.BAD, "bad"),
            (State.NOTE, "notes"),
            (State.SKIPPED, "skipped"),
        )
        if report.count(state)
    )
    if report.good:
        return f"\nready: nothing bad found ({counts})"
    return f"\nNOT READY ({counts}); bad: {'; '.join(_bad_names(report.results))}"


def _bad_names(results: Sequence[Result]) -> list[str]:
    bad = [result for result in results if result.state is State.BAD]
    named = [f"{result.role} {result.name}".strip() for result in bad]
    return list(dict.fromkeys(named))
