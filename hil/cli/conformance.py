"""`hil conformance`: does a driver keep what the contracts promise?"""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

import click

from hil.errors import BadInput


@click.command("conformance")
@click.argument("driver")
@click.option("--rig", required=True, help="Name or .toml path of a rig with this driver.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="New folder for conformance.json, junit.xml and the signed statement.",
)
@click.option(
    "--grace-ms",
    default=50.0,
    show_default=True,
    type=click.FloatRange(0.1, 1000),
    help="How much later than its deadline a call may return on this host.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(driver: str, rig: str, out: Path | None, grace_ms: float, as_json: bool) -> int:
    """Check DRIVER (its name, or the role of its device in the rig) against every promise.

    Identity, units, deadlines, absence that is never zero, a safe state with proof, no command
    before the device is enabled, late, double and damaged answers, an unplugged link, two owners.
    The faults are put between the driver and its port, so that an emulated device will do. Real
    joints are energised where they stand and told to stay: nothing is moved, but keep away from
    them. A real gripper is activated, which may open and close it: keep its fingers free.

    Exit code 0 when no check failed, else 1.
    """
    from hil.canonical import sha256_file
    from hil.catalogue import load_rig
    from hil.conformance.model import Result
    from hil.conformance.report import About, as_data, conforms, write
    from hil.conformance.suite import run_checks, subject_of
    from hil.evidence.keys import load_or_create_key
    from hil.run.host import host_facts

    spec, path = load_rig(rig)
    if out is not None and out.exists():
        raise BadInput(f"{out} is there already", "name a new folder by --out")
    host = host_facts()

    def tell(result: Result) -> None:
        if not as_json:
            mark = {"pass": "ok  ", "fail": "BAD ", "skipped": "skip"}[result.state.value]
            click.echo(f"{mark} {result.name}: {result.promise}\n       {result.detail}")

    with subject_of(spec, path, driver, grace_ms) as subject:
        about = About(
            driver=subject.table.driver,
            package=_package(subject.table.driver),
            role=subject.role,
            rig=spec.name,
            rig_kind=spec.kind,
            rig_sha256=sha256_file(path),
            grace_ms=grace_ms,
        )
        results = run_checks(subject, tell)
    if out is not None:
        write(out, about, results, host, load_or_create_key())
    good = conforms(results)
    if as_json:
        click.echo(json.dumps(as_data(about, results, host), indent=2))
    else:
        click.echo(f"\n{about.driver} {'conforms' if good else 'does not conform: see BAD above'}")
        if out is not None:
            click.echo(f"written to {out}")
    return 0 if good else 1


def _package(driver: str) -> str:
    """The distribution, with its version, that registered the driver."""
    for entry in entry_points(group="hil.drivers", name=driver):
        if entry.dist is not None:
            return f"{entry.dist.name} {entry.dist.version}"
    return "unknown"
