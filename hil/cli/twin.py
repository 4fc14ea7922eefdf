"""`hil twin`: emulated devices for any client."""

from __future__ import annotations

import json
import time

import click

from hil.catalogue import load_rig
from hil.clock import Deadline, WallClock
from hil.errors import BadInput
from hil.plugins import TWINS, load
from hil.rig import TWIN_START_S
from hil.safety import StopRequest, stop_on_signals


@click.command("twin")
@click.argument("rig")
def command(rig: str) -> None:
    """Serve the emulated devices of RIG until Ctrl-C.

    Prints one JSON line with the ports, so that any other program can connect, for example a
    servo maker's own SDK to the servo bus.
    """
    bench, path = load_rig(rig)
    if bench.twin is None:
        raise BadInput(
            f"rig {bench.name!r} is of kind {bench.kind!r}: it has no emulated devices",
            "rigs of kind 'twin' have; `hil rigs` lists them",
        )
    start = load(TWINS, bench.twin.launcher)
    with stop_on_signals(StopRequest()) as stop:
        twin = start(bench.twin, path.resolve().parent, Deadline.after_s(WallClock(), TWIN_START_S))
        try:
            click.echo(json.dumps({"rig": bench.name, **twin.describe()}))
            while not stop():
                twin.check()
                time.sleep(0.1)
        finally:
            twin.stop()
