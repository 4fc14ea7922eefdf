"""The verdict as a short table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from hil.judge.model import Outcome, PhysicsResult, ScenarioVerdict, Verdict
from hil.report.text import number, solver

_STYLES = {
    Outcome.PASS: "bold green",
    Outcome.FAIL: "bold red",
    Outcome.ERROR: "bold magenta",
    Outcome.SKIPPED: "dim",
}


def render_table(verdict: Verdict) -> RenderableType:
    """What a `rich` console can print: a row a claim, why claims were skipped, how true the
    physics of a simulation was, the outcome, and the reasons for it.

    Texts of the record are shown as they are, never read as markup.
    """
    parts: list[RenderableType] = []
    for scenario in verdict.scenarios:
        parts.append(Text(f"{scenario.title} ({scenario.id})", style="bold"))
        parts.append(_claims(scenario))
        skipped = [claim.reason for claim in scenario.claims if claim.state is Outcome.SKIPPED]
        parts += [Text(f"  skipped: {why}", style="dim") for why in dict.fromkeys(skipped)]
    if verdict.physics:
        parts += [Text(f"Physics of the simulation, {solver(verdict.physics)}", style="bold")]
        parts += [_physics(verdict.physics)]
    outcome = Text.assemble((verdict.outcome.value, _style(verdict.outcome)), f"  {verdict.rig}")
    reasons = [Text(f"  {reason}") for reason in verdict.reasons]
    return Group(*parts, Text(), outcome, *reasons)


def _claims(scenario: ScenarioVerdict) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for claim in scenario.claims:
        table.add_row(
            Text(f"  {claim.state.value}", style=_style(claim.state)),
            Text(claim.statement),
            Text(claim.shown),
        )
    return table


def _physics(checks: Sequence[PhysicsResult]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for check in checks:
        state = Outcome.PASS if check.ok else Outcome.VOID
        table.add_row(
            Text(f"  {'ok' if check.ok else 'OFF'}", style=_style(state)),
            Text(check.name),
            Text(f"{number(check.value)} {check.unit}".strip()),
            Text(f"{number(check.expected)} ± {number(check.tolerance, 2)}", style="dim"),
        )
    return table


def print_table(verdict: Verdict, console: Console) -> None:
    """Print `render_table` on a console."""
    console.print(render_table(verdict))


def _style(outcome: Outcome) -> str:
    return _STYLES.get(outcome, "bold yellow")
