"""The verdict as a short table for a terminal."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from hil.judge.model import Outcome, ScenarioVerdict, Verdict

_STYLES = {
    Outcome.PASS: "bold green",
    Outcome.FAIL: "bold red",
    Outcome.ERROR: "bold magenta",
    Outcome.SKIPPED: "dim",
}


def render_table(verdict: Verdict) -> RenderableType:
    """What a `rich` console can print: a row a claim, why claims were skipped, the outcome, and
    the reasons for it.

    Texts of the record are shown as they are, never read as markup.
    """
    parts: list[RenderableType] = []
    for scenario in verdict.scenarios:
        parts.append(Text(f"{scenario.title} ({scenario.id})", style="bold"))
        parts.append(_claims(scenario))
        skipped = [claim.reason for claim in scenario.claims if claim.state is Outcome.SKIPPED]
        parts += [Text(f"  skipped: {why}", style="dim") for why in dict.fromkeys(skipped)]
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


def print_table(verdict: Verdict, console: Console) -> None:
    """Print `render_table` on a console."""
    console.print(render_table(verdict))


def _style(outcome: Outcome) -> str:
    return _STYLES.get(outcome, "bold yellow")
