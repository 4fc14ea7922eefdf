"""`hil bench`: figures of the testbed itself, against a baseline run beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hil.bench.figures import Figure

Bench = Callable[..., "tuple[Sequence[Figure], Mapping[str, Any]]"]


@click.group("bench")
def command() -> None:
    """Measure the testbed itself; docs/performance.md says how to read the figures.

    Figures are ratios to a baseline measured in the same run, since absolute times of a shared
    machine say little. The exit code is 0 however the targets are met.
    """


def show(name: str, as_json: bool, **options: Any) -> None:
    """Run the bench `NAME` of entry-point group `hil.benches`, or `hil.bench.NAME.run`, and
    print what it returns."""
    from hil.bench.figures import as_json as plain
    from hil.plugins import BENCHES, load, names
    from hil.run.host import host_facts

    elsewhere = name in names(BENCHES)
    run: Bench = load(BENCHES, name) if elsewhere else import_module(f"hil.bench.{name}").run
    figures, conditions = run(**options)
    if as_json:
        click.echo(json.dumps(plain(name, figures, host_facts(), dict(conditions)), indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", "baseline", "ratio", "target", "met", box=None)
    for one in figures:
        table.add_row(
            one.name,
            f"{one.value:.4g} {one.unit}",
            "" if one.baseline is None else f"{one.baseline:.4g}",
            "" if one.ratio is None else f"{one.ratio:.3g} x",
            one.target or "",
            {True: "yes", False: "NO", None: ""}[one.met],
        )
    Console(highlight=False).print(table)
    for key, value in conditions.items():
        click.echo(f"{key}: {value}")


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command.command("loop")
@click.option(
    "--rate", "rate_hz", default=1000.0, show_default=True, type=click.FloatRange(1, 5000)
)
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(0.5, 3600))
@click.option("--load", is_flag=True, help="Keep the other cores busy meanwhile.")
@_JSON
def loop(rate_hz: float, seconds: float, load: bool, as_json: bool) -> None:
    """Wake-up error and CPU cost of this loop, of a naive one, and of cyclictest."""
    show("loop", as_json, rate_hz=rate_hz, seconds=seconds, load=load)


@command.command("attribution")
@click.option("--ticks", default=150, show_default=True, type=click.IntRange(20, 10_000))
@_JSON
def attribution(ticks: int, as_json: bool) -> None:
    """Inject known delays into a twin run: how much does the report put in the right hop?"""
    show("attribution", as_json, ticks=ticks)


@command.command("safety")
@click.option("--trials", default=20, show_default=True, type=click.IntRange(1, 1000))
@_JSON
def safety(trials: int, as_json: bool) -> None:
    """Kill, unplug, silence and stop a twin in motion: how long until it is safe?"""
    show("safety", as_json, trials=trials)


@command.command("bus")
@click.option("--reads", default=3000, show_default=True, type=click.IntRange(100, 1_000_000))
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1, 100))
@_JSON
def bus(reads: int, rounds: int, as_json: bool) -> None:
    """Cost of reading six motors on a pseudo-terminal, against the vendor's SDK."""
    show("bus", as_json, reads=reads, rounds=rounds)


@command.command("judge")
@click.option("--ticks", default=10_000_000, show_default=True, type=click.IntRange(1000))
@_JSON
def judge(ticks: int, as_json: bool) -> None:
    """Time and peak memory of judging a recorded run of that size."""
    show("judge", as_json, ticks=ticks)


@command.command("sim")
@click.option("--ticks", default=300, show_default=True, type=click.IntRange(50, 10_000))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100))
@click.option("--episodes", default=2, show_default=True, type=click.IntRange(1, 1000))
@_JSON
def sim(ticks: int, rounds: int, episodes: int, as_json: bool) -> None:
    """Cost of a simulated run beside a plain script, of a frame, and of a second worker."""
    show("sim", as_json, ticks=ticks, rounds=rounds, episodes=episodes)
