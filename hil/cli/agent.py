"""`hil agent`: the software of an AI terminal."""

from __future__ import annotations

import sys

import click

from hil.plugins import SERVICES, load


@click.command("agent")
@click.option("--port", metavar="PATH", help="Serial device to serve on, e.g. /dev/ttyGS0.")
@click.option("--pty", is_flag=True, help="Make a pseudo-terminal instead and print its path.")
@click.option(
    "--delay-ms",
    type=click.FloatRange(0, 10_000),
    default=0.0,
    show_default=True,
    help="Sleep this long in every inference: a stated fault, for tests.",
)
@click.option("--lifeline", is_flag=True, help="End when standard input is closed.")
def command(port: str | None, pty: bool, delay_ms: float, lifeline: bool) -> None:
    """Serve as AI terminal: receive ONNX networks over the wire and run them.

    Prints one JSON line with the port, then serves until Ctrl-C. The wire is specified in
    docs/terminal-agent.md.
    """
    if bool(port) == pty:
        raise click.UsageError("give either --port PATH or --pty")
    serve = load(SERVICES, "agent")
    serve(port=port, pty=pty, delay_ms=delay_ms, out=sys.stdout, lifeline=lifeline)
