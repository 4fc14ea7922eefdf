"""The plant process: `python -m sim.twin.process CONFIG`, one thread, one loop.

CONFIG is a `PlantConfig` as JSON. Once ready it prints one line of JSON, {"pid": ...,
"ports": {name: address}}, and then steps the plant on an absolute grid of the host's
monotonic clock, serving the servo bus and the scene link between steps. It ends on SIGTERM,
and when its standard input, if that is a pipe, reaches its end: a twin does not outlive
whoever started it. SIGINT is left to the parent.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import stat
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from types import FrameType

from pydantic import ValidationError

from hil import plugins
from hil.clock import NS_PER_S, Clock, WallClock
from hil.errors import HilError
from sim.twin.bench import Bench, Plant, mount_servos
from sim.twin.bus import ServoBus
from sim.twin.config import PlantConfig
from sim.twin.pacing import StepGrid
from sim.twin.pty import PtyPort
from sim.twin.scene_desk import SceneDesk
from sim.twin.scene_server import SceneServer

Announce = Callable[[Mapping[str, str]], None]


class StopFlag:
    """Set once, from a signal handler or by the loop itself."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Signal handler."""
        self.set()


class Loop:
    """Steps, bytes and requests of one plant, in one thread.

    `bus` and `port` go together; both are None on a twin without servos.
    """

    def __init__(
        self, config: PlantConfig, plant: Plant, bus: ServoBus | None, port: PtyPort | None
    ) -> None:
        self._clock: Clock = WallClock()
        self._bus = bus
        self._port = port
        self._bench = Bench(plant, bus.servos if bus else ())
        self._grid = StepGrid(round(NS_PER_S / config.step_hz), self._clock.now_ns())
        self._desk = SceneDesk(config, self._bench, bus, self.counters)
        self._scene: SceneServer | None = None

    def open_scene(self) -> SceneServer:
        """Start the scene link; it is served by `run`."""
        self._scene = SceneServer(self._desk.answer)
        return self._scene

    def counters(self) -> dict[str, int]:
        """How well the plant keeps pace, and what crossed the bus."""
        grid = self._grid
        return {
            "steps": grid.steps,
            "overruns": grid.overruns,
            "skipped_steps": grid.skipped,
            "stalls": grid.stalls,
            "stalled_steps": grid.stalled,
            "worst_late_ns": grid.worst_late_ns,
            **(self._bus.counters() if self._bus else {}),
            **(self._port.counters() if self._port else {}),
        }

    def run(self, stop: StopFlag, lifeline: int | None) -> None:
        """Serve until `stop` is set or `lifeline` (a descriptor) reaches its end.

        Errors: HarnessError when the physics blows up.
        """
        self._grid.restart(self._clock.now_ns())
        while not stop.is_set:
            if self._grid.due(self._clock.now_ns()):
                self._bench.step()
                self._grid.done()
            if self._port is not None:
                self._port.flush(self._clock.now_ns())
            readable, writable = self._wait(lifeline)
            if lifeline in readable and not os.read(lifeline, 4096):
                stop.set()
            self._serve(readable, writable)

    def _wait(self, lifeline: int | None) -> tuple[set[int], set[int]]:
        """Descriptors that are ready, at the latest when a step or an answer is due."""
        readers, writers = self._scene.waiting_on() if self._scene else ([], [])
        if self._port is not None:
            readers.append(self._port.fileno())
        if lifeline is not None:
            readers.append(lifeline)
        wake_ns = self._grid.next_ns
        output_ns = self._port.next_wake_ns() if self._port else None
        if output_ns is not None:
            wake_ns = min(wake_ns, output_ns)
        timeout_ns = max(0, wake_ns - self._clock.now_ns())
        ready = select.select(readers, writers, [], timeout_ns / NS_PER_S)
        return set(ready[0]), set(ready[1])

    def _serve(self, readable: set[int], writable: set[int]) -> None:
        if self._bus is not None and self._port is not None and self._port.fileno() in readable:
            data = self._port.read()
            answers = self._bus.receive(data, self._clock.now_ns(), self._port.line_baud())
            self._port.send(answers)
        if self._scene is not None:
            began_ns = self._clock.now_ns()
            self._scene.serve(readable, writable)
            ended_ns = self._clock.now_ns()
            if ended_ns - began_ns > self._grid.period_ns:
                self._grid.excuse(ended_ns)


def serve(
    plant: Plant, config: PlantConfig, announce: Announce, stop: StopFlag, lifeline: int | None
) -> None:
    """Serve `plant` until stopped; `announce` is called once with the ports, by name.

    Errors: BadInput (arm and plant do not match), RigError (no pseudo-terminal, no socket),
    HarnessError (the physics blew up).
    """
    with ExitStack() as open_things:
        ports: dict[str, str] = {}
        bus = port = None
        if config.bus is not None and config.bus_port is not None:
            bus = mount_servos(config.bus, plant.joint_names)
            port = open_things.enter_context(closing(PtyPort(config.bus.baud)))
            ports[config.bus_port] = port.path
        loop = Loop(config, plant, bus, port)
        if config.scene_port is not None:
            scene = open_things.enter_context(closing(loop.open_scene()))
            ports[config.scene_port] = str(scene.path)
        announce(ports)
        loop.run(stop, lifeline)


def main(arguments: list[str]) -> int:
    """Entry of the process; returns its exit code. Problems go to standard error."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m sim.twin.process CONFIG\n")
        return 2
    try:
        config = PlantConfig.model_validate_json(arguments[0])
    except ValidationError as error:
        sys.stderr.write(f"CONFIG: {error}\n")
        return 2
    announcer = _take_stdout()
    stop = StopFlag()
    signal.signal(signal.SIGTERM, stop.on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with closing(plugins.load(plugins.PLANTS, config.plant)(config.step_hz)) as plant:
            # the collector would walk all that was imported in the middle of a step
            gc.collect()
            gc.freeze()
            serve(plant, config, announcer, stop, _lifeline())
    except HilError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code
    return 0


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
