"""`hil bench judge`: time and memory of judging a recorded run of a given size."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hil.bench.figures import Figure
from hil.bench.synthetic import EPISODE_TICKS, write_run
from hil.errors import BadInput, HarnessError
from hil.record.format import TICK

TARGET_TICKS = 10_000_000
TARGET_S = 10.0
TARGET_MB = 600.0
_SPARE_BYTES = 100 << 20
_WITHIN_S_PER_MILLION = 60.0


def run(ticks: int) -> tuple[Sequence[Figure], Mapping[str, Any]]:
    """Write a synthetic run, judge it in a process of its own, and beside it, in another, load
    the same files and take the same percentiles without further thought.

    The targets are those for ten million ticks, and are said of no smaller run. Errors:
    BadInput where the temporary folder has no room.
    """
    place = Path(tempfile.gettempdir())
    needed = room_for(ticks)
    check_room(place, needed)
    with tempfile.TemporaryDirectory(prefix="hil-bench-judge-", dir=place) as name:
        folder = Path(name) / "run"
        write_run(folder, ticks)
        naive = _child("naive", folder, ticks)
        product = _child("product", folder, ticks)
    return figures(ticks, product, naive), {
        "ticks": ticks,
        "episodes": -(-ticks // EPISODE_TICKS),
        "written_mb": round(ticks * TICK.itemsize / 1e6),
        "memory": "most resident memory of the process (VmHWM) less what it held before it began",
        "base_mb": round(product["base_mb"]),
        "outcome": product["outcome"],
        "files": "in the page cache, as they are just after a run; channels and frames: none",
        "baseline": "np.load of all, float64, np.percentile: no digests, claims or bounds",
        "late_points": product["misses"],
        "late_points_that_the_baseline_sees": naive["misses"],
    }


def figures(ticks: int, product: Mapping[str, Any], naive: Mapping[str, Any]) -> list[Figure]:
    """What the two processes said, against the targets where the run is as large as theirs."""
    whole_s = product["open_s"] + product["judge_s"]
    return [
        _against("judge, digests and all", whole_s, "s", naive["judge_s"], TARGET_S, ticks),
        _against("of it: judging", product["judge_s"], "s", naive["judge_s"], None, ticks),
        _against("of it: checking digests", product["open_s"], "s", None, None, ticks),
        _against("peak memory", product["beyond_mb"], "MB", naive["beyond_mb"], TARGET_MB, ticks),
        _against(
            "peak memory, whole process", product["peak_mb"], "MB", naive["peak_mb"], None, ticks
        ),
    ]


def _against(
    name: str, value: float, unit: str, baseline: float | None, limit: float | None, ticks: int
) -> Figure:
    said = limit is not None and ticks >= TARGET_TICKS
    return Figure(
        name,
        value,
        unit,
        baseline,
        value / baseline if baseline else None,
        f"<= {limit:g} {unit}" if said else None,
        value <= limit if said and limit is not None else None,
    )


def room_for(ticks: int) -> int:
    """Bytes that a run of `ticks` ticks takes on disk, with some to spare."""
    return ticks * TICK.itemsize + _SPARE_BYTES


def check_room(place: Path, needed: int) -> None:
    """Errors: BadInput where `place` has less room than that, with what would do."""
    free = shutil.disk_usage(place).free
    if free < needed:
        raise BadInput(
            f"the run to be judged takes {needed / 1e6:.0f} MB; {place} has {free / 1e6:.0f} MB",
            "set TMPDIR to a folder with more room, or ask for"
            f" --ticks {max(1000, (free - _SPARE_BYTES) // TICK.itemsize)}",
        )


def _child(how: str, folder: Path, ticks: int) -> dict[str, Any]:
    within_s = 30 + _WITHIN_S_PER_MILLION * ticks / 1e6
    command = [sys.executable, "-P", "-m", "hil.bench.judging", how, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=within_s)
    except subprocess.TimeoutExpired as error:
        raise HarnessError(
            f"judging {ticks} ticks ({how}) was not done within {within_s:.0f} s",
            "the machine is busy or out of memory: try fewer --ticks",
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise HarnessError(f"judging {ticks} ticks ({how}) failed: {lines[-1]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
