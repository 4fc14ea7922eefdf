"""The host process of a twin: `python -m sim.twin.process CONFIG`, one thread, one loop.

CONFIG is a `HostConfig` as JSON. Once ready it prints one line of JSON, {"pid": ...,
"ports": {name: address}}, and then steps the plant, where there is one, on an absolute grid of
the host's monotonic clock, serving the emulated devices and the scene link between steps. It
ends on SIGTERM, and when its standard input, if that is a pipe, reaches its end: a twin does
not outlive whoever started it. SIGINT is left to the parent.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from pydantic import ValidationError

from hil.errors import HilError
from sim.twin.bench import Plant, build_plant, joint_owners
from sim.twin.config import HostConfig
from sim.twin.emulator import Emulator
from sim.twin.host import Announce, StopFlag, moving, serve
from sim.twin.station import build_emulator


def main(arguments: list[str]) -> int:
    """Entry of the process; returns its exit code. Problems go to standard error."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m sim.twin.process CONFIG\n")
        return 2
    try:
        config = HostConfig.model_validate_json(arguments[0])
    except ValidationError as error:
        sys.stderr.write(f"CONFIG: {error}\n")
        return 2
    announcer = _take_stdout()
    stop = StopFlag()
    signal.signal(signal.SIGTERM, stop.on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        emulators = {port.name: build_emulator(port, config.base) for port in config.ports}
        with _plant(config, emulators) as plant:
            # the collector would walk all that was imported in the middle of a step
            gc.collect()
            gc.freeze()
            serve(plant, config, emulators, announcer, stop, _lifeline())
    except HilError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code
    return 0


@contextmanager
def _plant(config: HostConfig, emulators: Mapping[str, Emulator]) -> Iterator[Plant | None]:
    """The plant of the twin, if it has one; freed on the way out."""
    if config.plant is None:
        yield None
        return
    joints = tuple(joint_owners(moving(emulators)))
    with closing(build_plant(config.plant, config.step_hz, joints)) as plant:
        yield plant


def _take_stdout() -> Announce:
    """Keep standard output for the one line; everybody else's output joins standard error.

    A physics library prints to it from C, and nobody reads it after the line: a full pipe
    would stop the plant.
    """
    line = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def announce(ports: Mapping[str, str]) -> None:
        with line:
            line.write(json.dumps({"pid": os.getpid(), "ports": dict(ports)}) + "\n")

    return announce


def _lifeline() -> int | None:
    """Standard input where it is a pipe or socket, whose end says that the parent is gone."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    return sys.stdin.fileno() if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
