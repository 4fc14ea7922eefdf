"""`hil check`: is the rig there, healthy, quick enough and safe, and what is to be done?"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from hil.errors import BadInput

if TYPE_CHECKING:
    from hil.check.model import Report
    from hil.check.person import Person
    from hil.check.wanted import Wanted
    from rigs.schema import Rig


@click.command("check")
@click.argument("rig")
@click.option(
    "--trips",
    default=200,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Round trips to measure, of each device.",
)
@click.option(
    "--rate",
    "rate_hz",
    type=click.FloatRange(0.1, 10_000),
    metavar="HZ",
    help="Rate that the round trips have to allow.  [default: that of the fastest scenario of"
    " the catalogue for which the rig has the devices]",
)
@click.option(
    "--move",
    is_flag=True,
    help="Energise the joints and move each a small way and back; send one beyond its range, and"
    " the tool point beyond the workspace, where they must not come. Grippers open and close.",
)
@click.option("--yes", is_flag=True, help="With --move: no countdown; somebody has looked.")
@click.option("--stop", "press", is_flag=True, help="Ask to press each emergency stop, and see it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    rig: str,
    trips: int,
    rate_hz: float | None,
    move: bool,
    yes: bool,
    press: bool,
    as_json: bool,
) -> int:
    """Look at every device of RIG: port and rights, identity and health, round trips against
    the rate of the loop, cameras, trackers and emergency stops, calibrations, the host.

    One line a finding, and what to do about a bad one; a device that cannot be opened keeps the
    others from nothing. Everything is made safe at the end. Without --move nothing is energised
    and nothing moves.

    Exit code 0 where nothing bad was found, else 1; 4 when it was interrupted.
    """
    from hil.catalogue import load_rig
    from hil.check.examine import examine
    from hil.check.model import Report
    from hil.check.text import TextReport, heading, summary
    from hil.check.wanted import Wanted
    from hil.run.calibration import utc_today
    from hil.safety import StopRequest, stop_on_signals

    spec, path = load_rig(rig)
    person = _person(spec, move, yes)
    wanted = Wanted(spec, path, utc_today(), trips, rate_hz, move, press, person)
    with stop_on_signals(StopRequest()) as stop:
        if not as_json:
            click.echo(heading(spec))
        tell = _silent if as_json else TextReport(spec, click.echo, click.style)
        report = Report(tell, stop)
        examine(wanted, report, stop)
    if as_json:
        click.echo(json.dumps(_as_data(wanted, report), indent=2))
    else:
        click.echo(summary(report))
    sys.stdout.flush()
    if stop():
        click.echo(f"hil: interrupted by {stop.cause}", err=True)
        return 4
    return 0 if report.good else 1


def _silent(_: object) -> None:
    """JSON is printed when all is done."""


def _person(spec: Rig, move: bool, yes: bool) -> Person | None:
    """Who is at the terminal. Errors: BadInput where a real rig would move and nobody is."""
    from hil.check.person import Person

    here = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    if move and spec.kind == "real" and not (here or yes):
        raise BadInput(
            f"--move moves {spec.name!r}, a real rig, and nobody is at a terminal to be warned",
            "run it from a terminal, or add --yes once somebody has looked",
        )
    if not (here or yes):
        return None
    return Person(lambda text: click.echo(text, err=True), hurry=yes, present=here)


def _as_data(wanted: Wanted, report: Report) -> dict[str, Any]:
    return {
        "rig": wanted.rig.name,
        "title": wanted.rig.title,
        "kind": wanted.rig.kind,
        "today_utc": wanted.today.isoformat(),
        "ok": report.good,
        "findings": [result.as_data() for result in report.results],
    }
