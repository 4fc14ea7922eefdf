"""`hil rigs`: the rig files of the package."""

from __future__ import annotations

import json

import click

from hil.catalogue import load_rig, rig_files


@click.command("rigs")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the rig files, or show the one called NAME (a name or a .toml path)."""
    if name:
        rig, path = load_rig(name)
        if as_json:
            click.echo(rig.model_dump_json(by_alias=True, exclude_none=True, indent=2))
        else:
            click.echo(f"# {path}\n{path.read_text()}", nl=False)
        return
    rigs = [load_rig(known)[0] for known in rig_files()]
    if as_json:
        rows = [
            {"name": r.name, "kind": r.kind, "title": r.title, "roles": [d.role for d in r.devices]}
            for r in rigs
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for rig in rigs:
        roles = ", ".join(device.role for device in rig.devices)
        click.echo(f"{rig.name:20} {rig.kind:5} {rig.title} ({roles})")
