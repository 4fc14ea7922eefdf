"""A stated load on chosen CPUs: one process each, pinned, busy until told otherwise.

Each process alternates integer arithmetic with sweeps over 4 MiB of memory, so that it takes
the CPU and dirties the shared cache. It ends with its parent, with `busy`, and after its own
time limit, whichever comes first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from hil.clock import NS_PER_S
from hil.errors import HarnessError

_STOP_WITHIN_S = 5.0
_MEMORY_BYTES = 4 * 2**20
_ROUND = 20_000


@contextmanager
def busy(cpus: Sequence[int], longest_s: float) -> Iterator[str]:
    """Keep `cpus` busy while inside and yield the words for it; at most for `longest_s`.

    Errors: HarnessError when a process does not start.
    """
    with ExitStack() as running:
        for process in [running.enter_context(_process(cpu, longest_s)) for cpu in cpus]:
            _await_ready(process)
        where = ", ".join(str(cpu) for cpu in cpus)
        yield f"one busy process on each of CPU {where}" if cpus else "none"


@contextmanager
def _process(cpu: int, longest_s: float) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "hil.bench.load",
        str(cpu),
        str(longest_s),
        str(os.getpid()),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait(_STOP_WITHIN_S)


def _await_ready(process: subprocess.Popen[bytes]) -> None:
    """The process says so once it is pinned; it also ends by itself if it cannot."""
    if process.stdout is None or process.stdout.readline().strip() != b"busy":
        raise HarnessError(
            f"a load process ended with code {process.poll()} before it was busy",
            "its own message is above",
        )


def burn(cpu: int, longest_s: float, parent: int) -> None:
    """Be busy on one CPU until the parent is gone or the time is over."""
    os.sched_setaffinity(0, {cpu})
    memory = bytearray(_MEMORY_BYTES)
    end_ns = time.monotonic_ns() + round(longest_s * NS_PER_S)
    sys.stdout.write("busy\n")
    sys.stdout.flush()
    total = 0
    while time.monotonic_ns() < end_ns and os.getppid() == parent:
        for number in range(_ROUND):
            total = (total * 31 + number) & 0xFFFFFFFF
        memory[:] = bytes(memory)


if __name__ == "__main__":
    burn(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
