"""`hil scenarios`: the catalogue of scenarios and profiles."""

from __future__ import annotations

import json
from typing import Any

import click

from hil.catalogue import load_profile, load_scenario, profile_files, scenario_files


@click.command("scenarios")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the scenarios and profiles, or show the scenario called NAME."""
    if name:
        scenario, path = load_scenario(name)
        if as_json:
            click.echo(scenario.model_dump_json(by_alias=True, exclude_none=True, indent=2))
        else:
            click.echo(f"# {path}\n{path.read_text()}", nl=False)
        return
    scenarios = [load_scenario(known)[0] for known in scenario_files()]
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
