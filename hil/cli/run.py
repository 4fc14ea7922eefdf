"""`hil run`: one scenario, certifying nothing."""

from __future__ import annotations

from pathlib import Path

import click

from hil.cli.execute import RUN_OPTIONS, add_options, execute


@click.command("run")
@click.argument("scenario")
@click.option("--rig", default="twin-so101", show_default=True, help="Name or .toml path of a rig.")
@click.option("--episodes", "-n", type=click.IntRange(1, 100_000), default=1, show_default=True)
@click.option(
    "--without",
    metavar="SENSOR[,SENSOR]",
    default="",
    help="Withhold sensors, by role or capability, from the policy; see `hil ablate`.",
)
@add_options(RUN_OPTIONS)
def command(
    scenario: str,
    rig: str,
    episodes: int,
    without: str,
    out: Path | None,
    seed: int | None,
    policy: str,
    jobs: int,
    model: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run SCENARIO (name or .toml path) on a rig, without certifying anything.

    Record, verdict, report and signatures are written all the same; the exit code is that of
    the scenario's own claims, which a few episodes cannot show.
    """
    from hil.canonical import canonical_json, sha256_bytes
    from hil.catalogue import load_scenario
    from hil.plan.freeze import single

    found, path = load_scenario(scenario)
    profile = single(found.id, episodes)
    digest = sha256_bytes(canonical_json(profile.model_dump(mode="json", by_alias=True)))
    files, withheld = {found.id: path}, tuple(filter(None, without.split(",")))
    return execute(profile, digest, rig, out, seed, policy, jobs, model, as_json, files, withheld)
