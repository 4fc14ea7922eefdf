"""The loops that `hil bench loop` compares, each run in a process of its own.

`python -m hil.bench.contestants NAME OPTIONS FILE` runs one and leaves its samples in FILE (an
.npz) and its account as JSON on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from hil.clock import NS_PER_S, Clock, Deadline, WallClock
from hil.contracts import IntArray
from hil.loop.loop import Timing, run_loop
from hil.loop.realtime import Setting, realtime
from hil.loop.ticklog import ChannelLog, TickLog, TickNote
from hil.loop.waiting import Waiter, spin_for
from rigs.schema import Realtime

JOINTS = 12
CHANNELS = 6
PRIORITY = 80
"""cyclictest's usual one; this loop asks for the same."""


@dataclass(frozen=True, slots=True)
class Options:
    """What one contestant is told; `cpu` is where it runs."""

    rate_hz: float
    seconds: float
    cpu: int

    @property
    def period_ns(self) -> int:
        return round(NS_PER_S / self.rate_hz)

    @property
    def points(self) -> int:
        return max(2, round(self.rate_hz * self.seconds))

    @property
    def settings(self) -> Realtime:
        """What cyclictest asks for too, as far as it goes."""
        return Realtime(
            scheduler="fifo",
            priority=PRIORITY,
            cpus=[self.cpu],
            lock_memory=True,
            cpu_dma_latency_us=0,
            timer_slack_us=1,
        )


Outcome = tuple[Mapping[str, IntArray], dict[str, Any]]


class _EmptyJob:
    """A tick with nothing to do."""

    def sense(self, row: int, note: TickNote, deadline: Deadline) -> None:
        """Nothing to read."""

    def infer(self, row: int, note: TickNote, deadline: Deadline) -> None:
        """Nothing to decide."""

    def act(self, row: int, note: TickNote, deadline: Deadline) -> None:
        """Nothing to command."""

    def observe(self, row: int, deadline: Deadline) -> bool:
        return False


class _RecordingJob(_EmptyJob):
    """A tick that keeps what an embodied one keeps, and how long that took."""

    def __init__(self, points: int, clock: Clock) -> None:
        self._clock = clock
        self.took_ns = np.zeros(points, dtype=np.int64)
        labels = tuple(f"joint-{number}" for number in range(JOINTS))
        self._channels = [ChannelLog(points, labels, "rad") for _ in range(CHANNELS)]
        self._log = TickLog(points)
        self._values, self._ages = np.ones(JOINTS), np.zeros(JOINTS, dtype=np.int64)

    def act(self, row: int, note: TickNote, deadline: Deadline) -> None:
        began_ns = self._clock.now_ns()
        for channel in self._channels:
            channel.put(row, began_ns, self._values, self._ages)
        edges = (began_ns, began_ns, began_ns, began_ns, began_ns, began_ns)
        self._log.append(row, 0, edges, note)
        self.took_ns[row] = self._clock.now_ns() - began_ns


def this_loop(options: Options) -> Outcome:
    """This testbed's loop around an empty tick, with its waiter and settings."""
    return _looped(options, lambda _: _EmptyJob())


def recorder(options: Options) -> Outcome:
    """The recorder's share of a tick: twelve joints in six channels, and the row of stamps."""
    jobs: list[_RecordingJob] = []

    def build(clock: Clock) -> _RecordingJob:
        jobs.append(_RecordingJob(options.points, clock))
        return jobs[0]

    samples, account = _looped(options, build)
    return {"own_ns": jobs[0].took_ns[: len(samples["woke_ns"])]}, account


def _looped(options: Options, build: Callable[[Clock], _EmptyJob]) -> Outcome:
    log = TickLog(options.points)
    waiter = Waiter(spin_for(options.period_ns))
    clock = WallClock(waiter.until)
    budget = (options.period_ns,) * 5
    timing = Timing(options.period_ns, budget, options.period_ns)
    job = build(clock)
    with realtime(options.settings) as settings:
        cpu_ns = time.process_time_ns()
        run_loop(job, clock, timing, log, options.points, stop=lambda: False)
        cpu_ns = time.process_time_ns() - cpu_ns
    rows = log.rows()
    # A point that had passed before the wait began was not waited for: cyclictest skips such
    # points too. They show in the achieved rate and in `passed`.
    waited = np.ones(len(rows), dtype=bool)
    waited[1:] = rows["done_ns"][:-1] < rows["scheduled_ns"][1:]
    late_ns = (rows["woke_ns"] - rows["scheduled_ns"])[waited]
    account = {
        "cpu_ns": cpu_ns,
        "passed": int((~waited).sum() + rows["skipped"].sum()),
        "wait": waiter.cost.as_data(),
        "settings": plain(settings),
    }
    columns = {"late_ns": late_ns, "woke_ns": rows["woke_ns"], "tick": rows["tick"]}
    return {name: column.astype(np.int64) for name, column in columns.items()}, account


def naive_loop(options: Options) -> Outcome:
    """The usual loop: sleep for the period less the time that the tick took.

    Its wake-up error is the lateness of that sleep; nothing but the CPU is asked for.
    """
    period_s = 1 / options.rate_hz
    woke_ns = np.zeros(options.points, dtype=np.int64)
    late_ns = np.zeros(options.points, dtype=np.int64)
    with realtime(Realtime(cpus=[options.cpu])) as settings:
        cpu_ns = time.process_time_ns()
        for row in range(options.points):
            began_ns = time.monotonic_ns()
            elapsed_s = (time.monotonic_ns() - began_ns) / NS_PER_S
            pause_s = max(0.0, period_s - elapsed_s)
            due_ns = time.monotonic_ns() + round(pause_s * NS_PER_S)
            time.sleep(pause_s)
            woke_ns[row] = time.monotonic_ns()
            late_ns[row] = woke_ns[row] - due_ns
        cpu_ns = time.process_time_ns() - cpu_ns
    account = {"cpu_ns": cpu_ns, "settings": plain(settings)}
    return {"late_ns": late_ns, "woke_ns": woke_ns, "tick": np.arange(options.points)}, account


CONTESTANTS: Mapping[str, str] = {
    "this-loop": "hil.bench.contestants:this_loop",
    "naive": "hil.bench.contestants:naive_loop",
    "recorder": "hil.bench.contestants:recorder",
    "whole-tick": "hil.bench.instant:whole_tick",
}
"""By name, so that a turn imports no more than it needs."""


def plain(settings: tuple[Setting, ...]) -> list[dict[str, Any]]:
    """The settings as they go to the account."""
    return [setting.as_data() for setting in settings]


def main(name: str, options: str, path: str) -> None:
    """Run one contestant."""
    module, function = CONTESTANTS[name].split(":")
    contestant: Callable[[Options], Outcome] = getattr(import_module(module), function)
    samples, account = contestant(Options(**json.loads(options)))
    with Path(path).open("wb") as file:
        np.savez(file, allow_pickle=False, **samples)
    sys.stdout.write(json.dumps(account))


def command(name: str, options: Options, path: Path) -> list[str]:
    """How to start a contestant."""
    data = json.dumps(asdict(options))
    return [sys.executable, "-P", "-m", "hil.bench.contestants", name, data, str(path)]


if __name__ == "__main__":
    main(*sys.argv[1:])
