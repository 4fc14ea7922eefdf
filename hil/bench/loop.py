"""`hil bench loop`: how well this loop keeps time and what it costs, against two baselines.

This loop, the usual `sleep(period - elapsed)` loop and cyclictest take turns in one run, each
time in a fresh process on the same CPU, so that what the host does meanwhile falls on all
three alike. Every wake-up counts from the first one; nothing is excluded as a warm-up.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hil.bench import cyclictest
from hil.bench.contestants import CHANNELS, JOINTS, PRIORITY, Options, command
from hil.bench.figures import Figure, against, at_most
from hil.bench.load import busy
from hil.clock import NS_PER_S, NS_PER_US
from hil.contracts import IntArray
from hil.errors import HarnessError

_ROUND_S = 1.0
_MOST_ROUNDS = 20
_OWN_SECONDS = 5.0
_STAGED_HZ = 1000.0  # the fastest rate of a scenario
_QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_TARGETS = {"p50": 0.2, "p99": None, "p99.9": 1.0}
_RATE_ERROR_PERCENT = 0.01
_TICK_US, _RECORDER_US = 60.0, 5.0


@dataclass
class Turns:
    """What one contestant's turns have given so far, a list entry a turn."""

    late_ns: list[IntArray] = field(default_factory=list)
    cpu_ns: int = 0
    intervals: int = 0
    span_ns: int = 0
    most_ns: int = 0
    slopes_ns: list[float] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def pooled_ns(self) -> IntArray:
        return np.concatenate(self.late_ns)

    def quantile_us(self, name: str) -> float:
        return _quantile_us(self.pooled_ns, _QUANTILES[name])

    def each_us(self, name: str) -> list[float]:
        """The same quantile of every turn on its own: how steady is it?"""
        return [round(_quantile_us(late, _QUANTILES[name]), 2) for late in self.late_ns]

    @property
    def cpu_percent(self) -> float:
        return 100 * self.cpu_ns / self.span_ns

    def rate_error_percent(self, rate_hz: float) -> float:
        """|achieved / asked - 1| in %; ticks served, over the time between first and last.

        A point that passed during a stall of the host is a tick not served.
        """
        achieved_hz = self.intervals * NS_PER_S / self.span_ns
        return 100 * abs(achieved_hz / rate_hz - 1)

    def drift_percent(self, rate_hz: float) -> float:
        """|slope / asked period - 1| in %; least-squares slope of wake-up times over the
        points' numbers, the mean of the turns. Missed points do not count, drift does."""
        return 100 * abs(float(np.mean(self.slopes_ns)) * rate_hz / NS_PER_S - 1)

    def take(self, samples: Mapping[str, IntArray], account: dict[str, Any]) -> None:
        """Add a turn of a loop of Python."""
        woke_ns = samples["woke_ns"]
        self.late_ns.append(samples["late_ns"])
        self.cpu_ns += account["cpu_ns"]
        self.intervals += len(woke_ns) - 1
        self.span_ns += int(woke_ns[-1] - woke_ns[0])
        self.most_ns = max(self.most_ns, int(samples["late_ns"].max()))
        since_ns = (woke_ns - woke_ns[0]).astype(float)
        self.slopes_ns.append(float(np.polyfit(samples["tick"].astype(float), since_ns, 1)[0]))
        self.accounts.append(account)


def run(rate_hz: float, seconds: float, load: bool) -> tuple[list[Figure], dict[str, Any]]:
    """Measure for `seconds` a contestant; see docs/performance.md for how to read the figures.

    Errors: HarnessError when a contestant's process fails.
    """
    allowed = sorted(os.sched_getaffinity(0))
    cpu, others = allowed[-1], allowed[:-1]
    rounds = min(_MOST_ROUNDS, max(2, int(seconds / _ROUND_S)))
    turn = Options(rate_hz, seconds / rounds, cpu)
    staged = Options(min(rate_hz, _STAGED_HZ), min(seconds, _OWN_SECONDS), cpu)
    longest_s = 10 * (seconds + _OWN_SECONDS) + 60
    with tempfile.TemporaryDirectory() as name, busy(others if load else [], longest_s) as stated:
        folder = Path(name)
        ours, naive, cyclic, absent = _alternate(turn, rounds, folder)
        ticks, tick_account = _contestant("whole-tick", staged, folder)
        recorded, _ = _contestant("recorder", staged, folder)
    figures = [
        *_wake_figures(ours, naive, cyclic),
        *_cost_figures(ours, naive, cyclic, rate_hz),
        *_own_figures(ticks["own_ns"], recorded["own_ns"]),
    ]
    conditions = {
        "rate_hz": rate_hz,
        "rounds": rounds,
        "seconds a round": turn.seconds,
        "wake-ups of this loop": len(ours.pooled_ns),
        "points passed before this loop waited for them": sum(a["passed"] for a in ours.accounts),
        "cpu": cpu,
        "load": stated,
        "cyclictest": absent or f"{cyclic.accounts[0]['policy']}, over 10 ms: {_beyond(cyclic)}",
        "p99.9 by round, us": {
            "this loop": ours.each_us("p99.9"),
            "naive": naive.each_us("p99.9"),
            "cyclictest": cyclic.each_us("p99.9") if cyclic.late_ns else None,
        },
        "waiting": ours.accounts[-1]["wait"],
        "settings of this loop": ours.accounts[-1]["settings"],
        "tick": f"{JOINTS} joints at {staged.rate_hz:g} Hz, devices that answer at once",
        "episode of the tick": tick_account["end"],
        "recorder": f"{CHANNELS} channels of {JOINTS}, and the row of stamps",
    }
    return figures, conditions


def _alternate(turn: Options, rounds: int, folder: Path) -> tuple[Turns, Turns, Turns, str]:
    """Run the three in turns; the last says why there is no cyclictest, if there is none."""
    ours, naive, cyclic = Turns(), Turns(), Turns()
    program = cyclictest.installed()
    absent = "" if program else "not installed (Debian: rt-tests)"
    start_ns = 0
    for _ in range(rounds):
        ours.take(*_contestant("this-loop", turn, folder))
        naive.take(*_contestant("naive", turn, folder))
        if program is None or absent:
            continue
        priority = PRIORITY if _at_priority(ours.accounts[-1]) else 0
        found = cyclictest.run(program, turn, priority, folder)
        if isinstance(found, str):
            absent, cyclic = found, Turns()
            continue
        start_ns = start_ns or _start_up_ns(program, turn, priority, folder)
        _take_cyclic(cyclic, found, turn, priority, start_ns)
    return ours, naive, cyclic, absent


def _start_up_ns(program: str, turn: Options, priority: int, folder: Path) -> int:
    """CPU time of a cyclictest of two wake-ups: what its turns cost besides waiting."""
    shortest = replace(turn, seconds=2 / turn.rate_hz)
    found = cyclictest.run(program, shortest, priority, folder)
    return 0 if isinstance(found, str) else found.cpu_ns


def _take_cyclic(
    turns: Turns, found: cyclictest.Histogram, turn: Options, priority: int, start_ns: int
) -> None:
    turns.late_ns.append(found.samples())
    turns.cpu_ns += max(0, found.cpu_ns - start_ns)
    turns.span_ns += turn.points * turn.period_ns
    turns.most_ns = max(turns.most_ns, found.most_ns)
    policy = f"fifo {priority}" if priority else "other 0"
    turns.accounts.append({"policy": policy, "beyond": found.beyond})


def _at_priority(account: Mapping[str, Any]) -> bool:
    """Whether this loop was granted its priority; cyclictest then runs at the same."""
    return any(one["name"] == "scheduler" and one["met"] for one in account["settings"])


def _contestant(
    name: str, options: Options, folder: Path
) -> tuple[dict[str, IntArray], dict[str, Any]]:
    """One turn of one of `contestants`, in its own process."""
    path = folder / f"{name}.npz"
    longest_s = options.seconds * 5 + 30
    try:
        ended = subprocess.run(
            command(name, options, path), capture_output=True, timeout=longest_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HarnessError(f"{name} did not end within {longest_s:g} s") from error
    if ended.returncode != 0:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise HarnessError(f"{name} ended with code {ended.returncode}: {' '.join(last)}")
    with np.load(path) as file:
        return {key: file[key] for key in file.files}, json.loads(ended.stdout)


def _wake_figures(ours: Turns, naive: Turns, cyclic: Turns) -> list[Figure]:
    figures = []
    for name, target in _TARGETS.items():
        baseline = cyclic.quantile_us(name) if cyclic.late_ns else None
        title = f"wake-up error {name}"
        figures.append(against(title, ours.quantile_us(name), "us", baseline, target))
        figures.append(against(f"{title}, naive", naive.quantile_us(name), "us", baseline))
    rounds = np.median(cyclic.each_us("p99.9")) if cyclic.late_ns else None
    figures.append(
        against(
            "wake-up error p99.9, median of rounds",
            float(np.median(ours.each_us("p99.9"))),
            "us",
            None if rounds is None else float(rounds),
        )
    )
    most = cyclic.most_ns / NS_PER_US if cyclic.late_ns else None
    figures.append(against("wake-up error max", ours.most_ns / NS_PER_US, "us", most))
    figures.append(against("wake-up error max, naive", naive.most_ns / NS_PER_US, "us", most))
    return figures


def _cost_figures(ours: Turns, naive: Turns, cyclic: Turns, rate_hz: float) -> list[Figure]:
    baseline = cyclic.cpu_percent if cyclic.late_ns else None
    spun_ns = sum(account["wait"]["spun_ns"] for account in ours.accounts)
    error, usual = (turns.rate_error_percent(rate_hz) for turns in (ours, naive))
    return [
        against("CPU", ours.cpu_percent, "%", baseline),
        against("CPU, naive", naive.cpu_percent, "%", baseline),
        Figure("of the time spun", 100 * spun_ns / ours.span_ns, "%"),
        Figure(
            "achieved rate, error",
            error,
            "%",
            usual,
            error / usual if usual else None,
            f"<= {_RATE_ERROR_PERCENT:g} %",
            error <= _RATE_ERROR_PERCENT,
        ),
        Figure("drift of the grid", ours.drift_percent(rate_hz), "%", naive.drift_percent(rate_hz)),
    ]


def _own_figures(ticks_ns: IntArray, recorder_ns: IntArray) -> list[Figure]:
    return [
        Figure("loop's own time per tick p50", _quantile_us(ticks_ns, 0.5), "us"),
        at_most("loop's own time per tick p99", _quantile_us(ticks_ns, 0.99), "us", _TICK_US),
        Figure("recorder's share p50", _quantile_us(recorder_ns, 0.5), "us"),
        at_most("recorder's share p99", _quantile_us(recorder_ns, 0.99), "us", _RECORDER_US),
    ]


def _quantile_us(samples_ns: IntArray, quantile: float) -> float:
    """The order statistic at or above the quantile, never an interpolation."""
    return float(np.quantile(samples_ns, quantile, method="higher")) / NS_PER_US


def _beyond(cyclic: Turns) -> int:
    return sum(account["beyond"] for account in cyclic.accounts)
