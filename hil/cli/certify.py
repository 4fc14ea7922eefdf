"""`hil certify`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from hil.cli.execute import RUN_OPTIONS, add_options, execute


@click.command("certify")
@click.argument("profile", default="demo")
@click.option("--rig", default="twin-so101", show_default=True, help="Name or .toml path of a rig.")
@add_options(RUN_OPTIONS)
def command(
    profile: str,
    rig: str,
    out: Path | None,
    seed: int | None,
    policy: str,
    jobs: int,
    model: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run PROFILE on a rig, judge it, sign it and write the report.

    Freezes the plan first, starts the bench, runs every planned episode once, makes the rig
    safe with proof, and leaves a run folder with record, verdict, report and signed evidence.
    With no arguments: the demonstration profile on an emulated bench, nothing connected.
    """
    from hil.canonical import sha256_file
    from hil.catalogue import load_profile

    loaded, path = load_profile(profile)
    return execute(loaded, sha256_file(path), rig, out, seed, policy, jobs, model, as_json)
