"""What `certify` and `run` share: options, display, and the way from plan to exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from hil.errors import BadInput, HilError

if TYPE_CHECKING:
    from rich.console import Console

    from hil.evidence.keys import SigningKey
    from hil.judge.model import Verdict
    from hil.plan.freeze import Plan, PolicyName
    from hil.plan.reach import Reach
    from hil.run.campaign import Ending
    from scenarios.schema import Profile

RUN_OPTIONS = [
    click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Run folder to write; must be new or empty.  [default: runs/PROFILE-RIG-TIME]",
    ),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the profile's."),
    click.option(
        "--policy",
        type=click.Choice(["model", "expert", "null", "random"]),
        default="model",
        show_default=True,
        help="Who decides: the model, the scripted expert (ceiling), nobody (floor) or chance.",
    ),
    click.option(
        "--jobs",
        "-j",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Episodes at once, on a rig of kind 'sim' only; the record is the same.",
    ),
    click.option(
        "--model",
        multiple=True,
        metavar="NAME=FOLDER",
        help="Use the card and network in FOLDER instead of zoo model NAME. May be repeated.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON."),
]


def add_options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Decorator that adds several click options, shown in the order given."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def execute(
    profile: Profile,
    profile_sha256: str,
    rig_name: str,
    out: Path | None,
    seed: int | None,
    policy: str,
    jobs: int,
    models: Sequence[str],
    as_json: bool,
    files: Mapping[str, Path] | None = None,
    without: Sequence[str] = (),
) -> int:
    """Freeze, run, judge, sign, report; returns the exit code. `files` are those of scenarios
    that are not of the catalogue, by id; `without` as `hil.plan.freeze.freeze` has it."""
    from rich.console import Console

    from hil.catalogue import load_rig
    from hil.evidence.keys import load_or_create_key
    from hil.plan.freeze import freeze
    from hil.report.table import print_table

    rig, rig_path = load_rig(rig_name)
    plan = freeze(
        profile,
        profile_sha256,
        rig,
        rig_path,
        seed,
        cast("PolicyName", policy),
        overrides(models),
        files,
        without,
    )
    tell_reach(plan.reach, Console(stderr=True, highlight=False))
    key = load_or_create_key()  # before anything moves: a run that nobody can sign is wasted
    folder = out or default_folder(profile.name, rig.name)
    ending, verdict = carry_out(plan, folder, jobs, key, Console(stderr=True, highlight=False))
    if as_json:
        click.echo((folder / "verdict.json").read_text(encoding="utf-8"), nl=False)
    else:
        print_table(verdict, Console(highlight=False))
        made = "made now" if key.created else "yours"
        click.echo(
            f"\nreport:   {folder / 'report.html'}"
            f"\nevidence: {folder}, signed with the self-issued key {key.keyid[:16]}…"
            f" ({made}: {key.path})"
            f"\ncheck it: hil verify {folder}"
        )
    if ending.error is not None:
        raise ending.error
    if ending.outcome == "interrupted":
        click.echo(f"hil: interrupted by {ending.reason}; the rig is safe", err=True)
        return 4
    return verdict.exit_code


def carry_out(
    plan: Plan, folder: Path, jobs: int, key: SigningKey, console: Console
) -> tuple[Ending, Verdict]:
    """Run a plan, judge it, sign it and write the report. Errors: what ended the run where it
    left nothing to judge."""
    from hil.cli.progress import RunDisplay
    from hil.run.campaign import run_campaign
    from hil.safety import StopRequest, stop_on_signals
    from hil.workflow import finish

    with stop_on_signals(StopRequest()) as stop:
        with RunDisplay(plan, console) as display:
            ending = run_campaign(plan, folder, display, stop, jobs)
        try:
            return ending, finish(folder, key)
        except (OSError, HilError) as error:
            # what ended the run comes first: a disk that is full spoils the report as well
            raise ending.error or error from error


def tell_reach(found: Sequence[Reach], console: Console) -> None:
    """Say before the run how many samples each claim needs, and what is out of reach."""
    for one in found:
        text = f"{one} ({one.remedy})" if one.short else str(one)
        console.print(text, style="yellow" if one.short else "dim", markup=False, soft_wrap=True)


def overrides(models: Sequence[str]) -> Mapping[str, str]:
    """Folders by model name. Errors: BadInput."""
    pairs = {}
    for given in models:
        name, separator, folder = given.partition("=")
        if not (separator and name and folder):
            raise BadInput(f"--model {given!r} is not of the form NAME=FOLDER")
        pairs[name] = folder
    return pairs


def default_folder(profile: str, rig: str) -> Path:
    """Named after what is run, and when."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{profile}-{rig}-{now}"
