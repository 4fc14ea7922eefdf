"""`hil rigs`: the rig files of the package."""

from __future__ import annotations

import json

import click

from hil.catalogue import load_rig, rig_files
from hil.cli.shown import show


@click.command("rigs")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the rig files, or show the one called NAME (a name or a .toml path)."""
    if name:
        show(*load_rig(name), as_json=as_json)
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
