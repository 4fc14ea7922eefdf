"""`hil ablate`: what each of a policy's senses is worth, on the same episodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from hil.cli.execute import RUN_OPTIONS, add_options, carry_out, default_folder, overrides

if TYPE_CHECKING:
    from hil.plan.freeze import PolicyName


@click.command("ablate")
@click.argument("scenario")
@click.option("--rig", required=True, help="Name or .toml path of a rig.")
@click.option("--episodes", "-n", type=click.IntRange(1, 100_000), default=40, show_default=True)
@click.option(
    "--sensors",
    metavar="KIND[,KIND]",
    default="",
    help="Capabilities or roles to withhold, one a row and then all.  [default: every kind of"
    " sensor that the scenario needs]",
)
@add_options(RUN_OPTIONS)
def command(
    scenario: str,
    rig: str,
    episodes: int,
    sensors: str,
    out: Path | None,
    seed: int | None,
    policy: str,
    jobs: int,
    model: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run SCENARIO with all sensors, without each kind of them, and without any.

    The episodes are the same in every row. What is withheld is absent (NaN) in the view of the
    policy and in the record, and the plan, verdict and report of each run say so; nothing is
    certified. Each row is a run folder of its own under --out.
    """
    from rich.console import Console

    from hil.canonical import canonical_json, sha256_bytes
    from hil.catalogue import load_rig, load_scenario
    from hil.errors import BadInput
    from hil.evidence.keys import load_or_create_key
    from hil.plan.freeze import freeze, single
    from hil.plan.withheld import senses_of
    from hil.report.ablation import ablation_data, ablation_page, ablation_row, combinations

    found, path = load_scenario(scenario)
    loaded, rig_path = load_rig(rig)
    kinds: Sequence[str] = [one for one in sensors.split(",") if one] or list(senses_of(found))
    if not kinds:
        raise BadInput(
            f"scenario {found.id!r} needs no sensor that could be withheld",
            "its policy senses joints and tracked poses only",
        )
    profile = single(found.id, episodes)
    digest = sha256_bytes(canonical_json(profile.model_dump(mode="json", by_alias=True)))
    plans = {
        without: freeze(
            profile,
            digest,
            loaded,
            rig_path,
            seed,
            cast("PolicyName", policy),
            overrides(model),
            {found.id: path},
            without,
        )
        for without in combinations(kinds)
    }
    key, console = load_or_create_key(), Console(stderr=True, highlight=False)
    whole_folder = out or default_folder(f"ablate-{found.id}", loaded.name)
    rows, whole = [], None
    for without, plan in plans.items():
        folder = whole_folder / ("-".join(("without", *without)) if without else "all")
        ending, verdict = carry_out(plan, folder, jobs, key, console)
        if ending.error is not None:
            raise ending.error
        if ending.outcome != "complete":
            click.echo(f"hil: {ending.outcome}: {ending.reason}", err=True)
            return 4
        judged = verdict.scenarios[0]
        whole = whole or judged
        withheld = plan.scenarios[found.id].without
        rows.append(ablation_row(without, withheld, judged, whole, folder.name))
    if as_json:
        click.echo(json.dumps(ablation_data(rows), indent=2))
    else:
        click.echo(ablation_page(rows), nl=False)
        click.echo(f"\nruns: {whole_folder}")
    return 0
