"""`hil scenarios`: the catalogue of scenarios and profiles."""

from __future__ import annotations

import json
from typing import Any

import click

from hil.catalogue import load_profile, load_scenario, profile_files, scenario_files
from hil.cli.shown import show


@click.command("scenarios")
@click.argument("name", required=False)
@click.option("--brackets", is_flag=True, help="Print floors and ceilings as a Markdown page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, brackets: bool, as_json: bool) -> None:
    """List the scenarios and profiles, or show the scenario called NAME."""
    if name:
        show(*load_scenario(name), as_json=as_json)
        return
    scenarios = [load_scenario(known)[0] for known in scenario_files()]
    if brackets:
        from hil.report.brackets import page

        click.echo(page(scenarios), nl=False)
        return
    profiles = [load_profile(known)[0] for known in profile_files()]
    if as_json:
        data: dict[str, Any] = {
            "scenarios": [
                s.model_dump(
                    mode="json", include={"id", "title", "track", "sector", "archetype", "needs"}
                )
                for s in scenarios
            ],
            "profiles": [p.model_dump(mode="json", exclude={"version"}) for p in profiles],
        }
        click.echo(json.dumps(data, indent=2))
        return
    click.echo("Scenarios")
    for s in scenarios:
        click.echo(f"  {s.id:28} {s.track:12} {s.sector:20} {s.archetype:12} {s.title}")
    click.echo("Profiles")
    for p in profiles:
        parts = ", ".join(f"{entry.id} x {entry.episodes}" for entry in p.scenarios)
        click.echo(f"  {p.name:28} {p.title} ({parts})")
