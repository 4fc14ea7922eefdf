"""`hil scan`: what is connected to this host, and what answers?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hil.errors import BadInput


@click.command("scan")
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="PATH",
    help="Look at this port too, such as a pseudo-terminal. May be repeated.",
)
@click.option("--no-ask", is_flag=True, help="List only; open nothing.")
@click.option(
    "--rig",
    "rig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a proposed rig file of what answers here.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(ports: tuple[str, ...], no_ask: bool, rig: Path | None, as_json: bool) -> int:
    """List every port of this host: identity, owner, latency timer, and what answers on it.

    Each free port is listened to first and then asked, at the rates and in the protocols that
    are known here, within twelve seconds. Nothing is written to any device and nothing moves;
    a device of a family that is not known here may take a question for noise.
    """
    from hil.plugins import SERVICES, load

    if rig is not None and rig.exists():
        raise BadInput(f"{rig} is there already", "name a new file by --rig")
    tell = (lambda _: None) if as_json else _show
    reports = load(SERVICES, "scan")(ports, tell, ask=not no_ask)
    others = load(SERVICES, "other-devices")()
    if as_json:
        plain = [asdict(report) for report in reports]
        click.echo(json.dumps({"ports": plain, "others": others}, indent=2))
    else:
        for kind, lines in others.items():
            for line in lines:
                click.echo(f"{kind}: {line}")
        if not reports and not any(others.values()):
            click.echo("nothing is connected: no serial port, CAN interface, camera or HID device")
    if rig is not None:
        rig.write_text(load(SERVICES, "propose-rig")(rig.stem, reports), encoding="utf-8")
        if not as_json:
            click.echo(f"\nwritten to {rig}: read it, set its limits, then `hil check {rig}`")
    return 0


def _show(report: Any) -> None:
    """One port, as a person reads it."""
    known = [report.usb_id or "no USB id", f"serial {report.serial or '-'}"]
    if report.interface is not None:
        known.append(f"interface {report.interface}")
    if report.hub_port:
        known.append(f"hub port {report.hub_port}")
    if report.latency_timer_ms is not None:
        known.append(f"latency timer {report.latency_timer_ms} ms")
    click.echo(f"{report.path}  {', '.join(known)}  {report.product}".rstrip())
    for name in report.by_path:
        click.echo(f"    by-path {name}")
    if report.found is not None:
        found = report.found
        more = f", firmware {found.firmware}" if found.firmware else ""
        click.echo(f"    {found.summary}{more}; at {report.baud} baud, {report.took_s:.1f} s")
        click.echo(f"    driver {found.driver}")
        return
    owners = f" by {', '.join(report.owners)}" if report.owners else ""
    click.echo(f"    {report.state}{owners}" + (f": {report.remedy}" if report.remedy else ""))
