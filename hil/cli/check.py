"""`hil check`: is the rig there, healthy, and how fast does it answer?"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from hil.catalogue import load_rig
from hil.rig import Bench, build_bench
from hil.run.roundtrip import RoundTrips, measure_round_trips
from hil.safety import StopRequest, stop_on_signals


@click.command("check")
@click.argument("rig")
@click.option("--trips", default=200, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(rig: str, trips: int, as_json: bool) -> int:
    """Open every device of RIG, read identity and health, and measure round trips.

    Nothing is energised and nothing moves. Exit code 0 when every finding is good, else 1.
    """
    spec, path = load_rig(rig)
    with stop_on_signals(StopRequest()) as stop, build_bench(spec, path, stop) as bench:
        bench.open()
        result = _examine(bench, trips, stop)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        _show(result)
    sys.stdout.flush()
    return 0 if result["ok"] else 1


def _examine(bench: Bench, trips: int, stop: StopRequest) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {}
    identities, health = bench.identities(), bench.health()
    for role, device in bench.devices.items():
        times = measure_round_trips(device, bench.clock, trips, stop)
        rows[role] = {
            "driver": next(d.driver for d in bench.rig.devices if d.role == role),
            "identity": {
                "model": identities[role].model,
                "serial": identities[role].serial,
                "firmware": identities[role].firmware,
                **identities[role].detail,
            },
            "findings": [
                {"name": f.name, "ok": f.ok, "detail": f.detail, "remedy": f.remedy}
                for f in health[role]
            ],
            "round_trips": _times(times),
        }
    good = all(f["ok"] for row in rows.values() for f in row["findings"])
    lost = any(row["round_trips"]["lost"] for row in rows.values())
    return {
        "rig": bench.rig.name,
        "kind": bench.rig.kind,
        "clock": "virtual: round trips are declared, not measured"
        if bench.clock.virtual
        else "wall",
        "ok": good and not lost,
        "devices": rows,
    }


def _times(times: RoundTrips) -> dict[str, Any]:
    return {
        "asked": times.asked,
        "answered": len(times.times_us),
        "lost": times.lost,
        "min_us": times.quantile(0.0),
        "p50_us": times.quantile(0.5),
        "p95_us": times.quantile(0.95),
        "max_us": times.quantile(1.0),
    }


def _show(result: dict[str, Any]) -> None:
    click.echo(f"rig {result['rig']} ({result['kind']}, clock {result['clock']})")
    for role, row in result["devices"].items():
        identity = ", ".join(f"{k} {v}" for k, v in row["identity"].items() if v not in ("", None))
        click.echo(f"\n{role}: {row['driver']}: {identity}")
        for finding in row["findings"]:
            mark = "ok  " if finding["ok"] else "BAD "
            click.echo(f"  {mark} {finding['name']}: {finding['detail']}")
            if finding["remedy"] and not finding["ok"]:
                click.echo(f"       do: {finding['remedy']}")
        trip = row["round_trips"]
        click.echo(
            f"  {'ok  ' if not trip['lost'] else 'BAD '} round trips:"
            f" {trip['answered']} of {trip['asked']} answered,"
            f" p50 {trip['p50_us']} us, p95 {trip['p95_us']} us, max {trip['max_us']} us"
        )
    click.echo(f"\n{'all good' if result['ok'] else 'not ready: see BAD above'}")
