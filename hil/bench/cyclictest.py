"""cyclictest of rt-tests as a baseline: run it where it is installed, read its histogram.

It sleeps with clock_nanosleep to absolute instants of CLOCK_MONOTONIC in a loop of C and
measures how late each wake-up was: the host's own limit for a loop that only sleeps.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hil.bench.contestants import Options
from hil.clock import NS_PER_S, NS_PER_US
from hil.contracts import IntArray

_LONGEST_US = 10_000
"""Width of the histogram; longer errors are known by number only."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Wake-up errors of one run: shape (k,) values in ns and how often each came.

    cyclictest rounds down to whole us, and errors beyond `_LONGEST_US` are counted at that
    value: both make the baseline too good, and a ratio to it too strict.
    """

    late_ns: IntArray
    count: IntArray
    beyond: int
    most_ns: int
    cpu_ns: int

    def samples(self) -> IntArray:
        """The errors one by one, sorted."""
        return np.repeat(self.late_ns, self.count)


def installed() -> str | None:
    """Path of the program, None where it is not installed."""
    return shutil.which("cyclictest")


def run(program: str, options: Options, priority: int, folder: Path) -> Histogram | str:
    """One run as `options` say; `priority` 0 for the ordinary scheduler. The reason where it fails.

    Its interval is in whole us. CPU time is that of the whole process.
    """
    longest_s = options.seconds * 3 + 10
    result = folder / "cyclictest.json"
    command = [
        *(program, "--quiet", "--mlockall", f"--affinity={options.cpu}"),
        *(f"--interval={round(1e6 / options.rate_hz)}", f"--loops={options.points}"),
        *(f"--histogram={_LONGEST_US}", f"--json={result}"),
        *((f"--priority={priority}", "--policy=fifo") if priority else ("--policy=other",)),
    ]
    before_s = _children_cpu_s()
    try:
        ended = subprocess.run(command, capture_output=True, timeout=longest_s, check=False)
    except subprocess.TimeoutExpired:
        return f"cyclictest did not end within {longest_s:g} s"
    if ended.returncode != 0 or not result.is_file():
        said = (ended.stderr or ended.stdout).decode(errors="replace").strip().splitlines()
        return f"cyclictest ended with code {ended.returncode}: {said[-1] if said else 'no word'}"
    return parse(result.read_text(), round((_children_cpu_s() - before_s) * NS_PER_S))


def parse(text: str, cpu_ns: int = 0) -> Histogram:
    """Read what `--json` wrote of its first thread, with errors in us."""
    thread = next(iter(json.loads(text)["thread"].values()))
    bins = sorted((int(late), int(count)) for late, count in thread["histogram"].items())
    beyond = int(thread["cycles"]) - sum(count for _, count in bins)
    if beyond > 0:
        bins.append((_LONGEST_US, beyond))
    late_us, count = (np.array(column, dtype=np.int64) for column in zip(*bins, strict=True))
    most_ns = int(thread["max"]) * NS_PER_US
    return Histogram(late_us * NS_PER_US, count, max(0, beyond), most_ns, cpu_ns)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
