"""`hil bench bus`: what a read of six motors costs, against the vendor's SDK in the same run.

The contestants take turns on a pseudo-terminal behind which the same small program always
answers the same, each turn in a fresh process, so that what the host does meanwhile falls on
all alike; of the turns the median counts. There is no wire and no USB in this: the figures are
software overhead, never a device's latency, and against the milliseconds of a real bus the
gain in CPU is small. What matters more on a real one are the last figures: nobody spins while
a device thinks, and a silent motor costs its own value only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Protocol

from hil.bench.figures import Figure, against, at_least, at_most
from hil.errors import HarnessError
from hil.plugins import SERVICES, load

THIS, THIS_FAST = "this-bus", "this-bus-fast"
VENDOR, VENDOR_FAST = "vendor-sdk", "vendor-sdk-fast"
CPU_RATIO, THROUGHPUT_RATIO = 0.25, 1.5
THINKING_US, WAITING_PERCENT = 1000.0, 3.0
TICK_MS, READ_MS = 5.0, 4.0
"""Tick of a 200 Hz loop, and how much of it its read may take."""

VALUES = 5
_ROOMY_MS = 100.0
_FEWER = {"waiting": 10, "silent": 30}
"""Reads that take milliseconds each are so many times fewer."""

_TURN_WITHIN_S = 120.0

Account = Mapping[str, float]


class Scene(Protocol):
    """What the peer has to do."""

    @property
    def request_bytes(self) -> int: ...

    @property
    def answers(self) -> Sequence[bytes]: ...


class BusBench(Protocol):
    """What service `bus-bench` offers."""

    def missing(self, contestant: str) -> str:
        """Why a contestant cannot run here; empty where it can."""
        ...

    def scene(self, contestant: str, silent: bool) -> Scene:
        """What its peer does: all motors answer, or all but one."""
        ...

    def command(self, contestant: str, port: str, reads: int, deadline_ms: float) -> list[str]:
        """How to start a contestant, which prints its account as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """Who reads, with how long a deadline, and whether a motor is silent."""

    contestant: str
    silent: bool = False
    deadline_ms: float = _ROOMY_MS


def run(reads: int, rounds: int) -> tuple[Sequence[Figure], Mapping[str, Any]]:
    """Let everybody have `rounds` turns of `reads` reads.

    Returns figures and conditions. Errors: BadInput where no package offers the service,
    HarnessError for a turn that failed.
    """
    bench: BusBench = load(SERVICES, "bus-bench")
    absent = bench.missing(VENDOR)
    busy = _median_turns(bench, _busy_turns(absent), reads, rounds, 0.0)
    fewer = {name: max(10, reads // times) for name, times in _FEWER.items()}
    plain, gap = _plain_turns(absent, silent=False), _plain_turns(absent, silent=True)
    waiting = _median_turns(bench, plain, fewer["waiting"], rounds, THINKING_US)
    silent = _median_turns(bench, gap, fewer["silent"], rounds, 0.0)
    figures = [
        *_busy_figures(busy),
        _waiting_figure(waiting),
        *_silent_figures(silent),
    ]
    conditions = {
        "rounds": rounds,
        "reads": {"busy": reads, **fewer},
        "baseline": (absent and f"none: {absent}") or "the vendor's SDK in the same run",
        "lengths": "this bus asks for 4 and 5 bytes by turns, as the driver does; the SDK for 4",
        "tick": f"{TICK_MS:g} ms, of which a read may take {READ_MS:g} ms",
        "limits": "a pseudo-terminal: software overhead, no device's latency",
    }
    return figures, conditions


def _busy_turns(absent: str) -> list[Turn]:
    names = [THIS, THIS_FAST, *([] if absent else [VENDOR, VENDOR_FAST])]
    return [Turn(name) for name in names]


def _plain_turns(absent: str, *, silent: bool) -> list[Turn]:
    own = Turn(THIS, silent, READ_MS if silent else _ROOMY_MS)
    return [own, *([] if absent else [Turn(VENDOR, silent)])]


def _median_turns(
    bench: BusBench, turns: Sequence[Turn], reads: int, rounds: int, delay_us: float
) -> dict[str, Account]:
    """Account of each contestant: of every figure the median of its turns."""
    accounts: dict[str, list[Account]] = {turn.contestant: [] for turn in turns}
    for _ in range(rounds):
        for turn in turns:
            scene = bench.scene(turn.contestant, turn.silent)
            with responding(scene, delay_us) as port:
                command = bench.command(turn.contestant, port, reads, turn.deadline_ms)
                accounts[turn.contestant].append(_account(command))
    return {
        name: {key: median(one[key] for one in found) for key in found[0]}
        for name, found in accounts.items()
    }


@contextmanager
def responding(scene: Scene, delay_us: float) -> Iterator[str]:
    """A peer that plays `scene`; yields its port. Errors: HarnessError when it does not start."""
    answers = [answer.hex() for answer in scene.answers]
    words = [str(scene.request_bytes), str(delay_us), *answers]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hil.bench.responder", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise HarnessError(f"the responder ended with {process.wait()}")
            yield json.loads(line)["port"]
        finally:
            process.kill()


def _account(command: Sequence[str]) -> Account:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TURN_WITHIN_S, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise HarnessError(f"{command[4]} failed: {said[-1] if said else done.returncode}")
    account: Account = json.loads(done.stdout)
    return account


def _busy_figures(accounts: Mapping[str, Account]) -> list[Figure]:
    figures: list[Figure] = []
    for ours, theirs, what in ((THIS, VENDOR, "sync read"), (THIS_FAST, VENDOR_FAST, "fast read")):
        own, other = accounts[ours], accounts.get(theirs)
        judged = what == "sync read"
        figures += [
            against(
                f"{what} of six motors, CPU",
                own["cpu_us"],
                "us",
                other["cpu_us"] if other else None,
                CPU_RATIO if judged else None,
            ),
            _throughput(f"{what} of six motors, throughput", own, other, judged=judged),
        ]
    return figures


def _throughput(name: str, own: Account, other: Account | None, *, judged: bool) -> Figure:
    value = 1e6 / own["wall_us"]
    baseline = 1e6 / other["wall_us"] if other else None
    ratio = value / baseline if baseline else None
    target = f">= {THROUGHPUT_RATIO:g} x" if judged else None
    met = None if ratio is None or not judged else ratio >= THROUGHPUT_RATIO
    return Figure(name, value, "reads/s", baseline, ratio, target, met)


def _waiting_figure(accounts: Mapping[str, Account]) -> Figure:
    name = f"CPU while a device thinks for {THINKING_US / 1000:g} ms"
    shares = {who: 100 * one["cpu_us"] / one["wall_us"] for who, one in accounts.items()}
    figure = at_most(name, shares[THIS], "%", WAITING_PERCENT)
    return _beside(figure, shares.get(VENDOR))


def _silent_figures(accounts: Mapping[str, Account]) -> list[Figure]:
    own, other = accounts[THIS], accounts.get(VENDOR)
    name = "one silent motor of six, time of a read"
    return [
        _beside(
            Figure(f"{name}, mean", own["wall_us"] / 1000, "ms"),
            other["wall_us"] / 1000 if other else None,
        ),
        _beside(
            at_most(f"{name}, p99", own["p99_us"] / 1000, "ms", TICK_MS),
            other["p99_us"] / 1000 if other else None,
        ),
        _beside(
            at_least("one silent motor of six, values that arrive", own["values"], "", VALUES),
            other["values"] if other else None,
        ),
    ]


def _beside(figure: Figure, baseline: float | None) -> Figure:
    """A figure with a limit of its own, and what the baseline has."""
    ratio = figure.value / baseline if baseline else None
    return replace(figure, baseline=baseline, ratio=ratio)
