"""The loop of the host process: plant steps, bytes and requests, in one thread."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from types import FrameType
from typing import Any

from hil.clock import NS_PER_S, Clock, WallClock
from hil.errors import BadInput
from sim.twin.bench import Bench, Plant, mount
from sim.twin.config import HostConfig
from sim.twin.emulator import Emulator, JointEmulator, PlantSensor, Scalar
from sim.twin.pacing import StepGrid
from sim.twin.scene_desk import SceneDesk
from sim.twin.scene_server import SceneServer
from sim.twin.station import Station

Announce = Callable[[Mapping[str, str]], None]

_IDLE_S = 0.1
"""Longest wait with nothing due: a signal's handler does not end a select."""


class StopFlag:
    """Set once, from a signal handler or by the loop itself."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Signal handler."""
        self.set()


class PacedBench:
    """The bench and the grid that it is stepped on."""

    def __init__(self, bench: Bench, clock: Clock) -> None:
        self._bench = bench
        self._clock = clock
        self.grid = StepGrid(round(bench.plant.step_s * NS_PER_S), clock.now_ns())

    def step(self, answers_end_ns: int) -> None:
        """Take the step that is due, if one is. Errors: HarnessError where physics blows up.

        A step that is late by less than a period gives way to answers that are on the wire until
        `answers_end_ns`, if that is within a period: a device answers while the world moves,
        and a step in between would hold up its bytes. The steps catch up afterwards.
        """
        now_ns, grid = self._clock.now_ns(), self.grid
        if now_ns < answers_end_ns < min(now_ns, grid.next_ns) + grid.period_ns:
            return
        if grid.due(now_ns):
            self._bench.step()
            grid.done()

    def counters(self) -> dict[str, int]:
        """How well the plant keeps pace."""
        grid = self.grid
        return {
            "steps": grid.steps,
            "overruns": grid.overruns,
            "skipped_steps": grid.skipped,
            "stalls": grid.stalls,
            "stalled_steps": grid.stalled,
            "worst_late_ns": grid.worst_late_ns,
        }


class Loop:
    """Serves the stations, the scene link and the plant; each of the three may be missing."""

    def __init__(self, clock: Clock, bench: PacedBench | None, stations: Sequence[Station]) -> None:
        self._clock = clock
        self._bench = bench
        self._stations = {station.fileno(): station for station in stations}
        self._scene: SceneServer | None = None

    def open_scene(self, desk: SceneDesk) -> SceneServer:
        """Start the scene link, which `run` serves. Errors: RigError."""
        self._scene = SceneServer(lambda request: self._answer(desk, request))
        return self._scene

    def run(self, stop: StopFlag, lifeline: int | None) -> None:
        """Serve until `stop` is set or `lifeline` (a descriptor) reaches its end.

        Errors: HarnessError when the physics blows up.
        """
        if self._bench is not None:
            self._bench.grid.restart(self._clock.now_ns())
        while not stop.is_set:
            if self._bench is not None:
                self._bench.step(self._answers_end_ns())
            self._advance()
            readable, writable = self._wait(lifeline)
            if lifeline in readable and not os.read(lifeline, 4096):
                stop.set()
            self._serve(readable, writable)

    def _answers_end_ns(self) -> int:
        return max((one.answers_end_ns() for one in self._stations.values()), default=0)

    def _advance(self) -> None:
        """Let every emulator do and send what is due."""
        for station in self._stations.values():
            station.advance(self._clock.now_ns())

    def _answer(self, desk: SceneDesk, request: Mapping[str, Any]) -> Mapping[str, object]:
        """The desk's answer. What became due meanwhile leaves before it: a picture that holds
        up the host must not make a stream look silent to the client that asked for it."""
        said = desk.answer(request)
        self._advance()
        return said

    def _wait(self, lifeline: int | None) -> tuple[set[int], set[int]]:
        """Descriptors that are ready, at the latest when something is due."""
        readers, writers = self._scene.waiting_on() if self._scene else ([], [])
        readers += self._stations
        if lifeline is not None:
            readers.append(lifeline)
        ready = select.select(readers, writers, [], self._patience_s())
        return set(ready[0]), set(ready[1])

    def _patience_s(self) -> float:
        due = [station.next_ns() for station in self._stations.values()]
        if self._bench is not None:
            due.append(self._bench.grid.next_ns)
        stamps = [stamp_ns for stamp_ns in due if stamp_ns is not None]
        if not stamps:
            return _IDLE_S
        return min(_IDLE_S, max(0, min(stamps) - self._clock.now_ns()) / NS_PER_S)

    def _serve(self, readable: set[int], writable: set[int]) -> None:
        for fd in self._stations.keys() & readable:
            self._stations[fd].take(self._clock.now_ns())
        if self._scene is None:
            return
        began_ns = self._clock.now_ns()
        self._scene.serve(readable, writable)
        ended_ns = self._clock.now_ns()
        if self._bench is not None and ended_ns - began_ns > self._bench.grid.period_ns:
            self._bench.grid.excuse(ended_ns)


def status_of(bench: PacedBench | None, stations: Sequence[Station]) -> dict[str, Scalar]:
    """The twin as a whole: the plant's pace, and over all ports `torque_on` (how many motors
    are energised) and `torque_off_ns` (when the last of them went off)."""
    told = [station.emulator.status() for station in stations]
    return {
        **(bench.counters() if bench else {}),
        "torque_on": sum(int(one.get("torque_on", 0)) for one in told),
        "torque_off_ns": max((int(one.get("torque_off_ns", 0)) for one in told), default=0),
    }


def serve(
    plant: Plant | None,
    config: HostConfig,
    emulators: Mapping[str, Emulator],
    announce: Announce,
    stop: StopFlag,
    lifeline: int | None,
) -> None:
    """Serve `emulators`, by the name of their port, until stopped; `announce` is called once
    with the addresses by port name.

    Errors: BadInput (emulators and plant do not match), RigError (no pseudo-terminal, no
    socket), HarnessError (the physics blew up).
    """
    clock = WallClock()
    bench = _bench(plant, emulators)
    paced = PacedBench(bench, clock) if bench else None
    kinds = {port.name: port.emulator for port in config.ports}
    with ExitStack() as held:
        stations = [
            held.enter_context(closing(Station(name, kinds[name], emulator)))
            for name, emulator in emulators.items()
        ]
        loop = Loop(clock, paced, stations)
        ports = {station.name: station.path for station in stations}
        if config.scene_port is not None:
            desk = SceneDesk(config, plant, stations, lambda: status_of(paced, stations))
            scene = held.enter_context(closing(loop.open_scene(desk)))
            ports[config.scene_port] = str(scene.path)
        announce(ports)
        loop.run(stop, lifeline)


def _bench(plant: Plant | None, emulators: Mapping[str, Emulator]) -> Bench | None:
    movers = moving(emulators)
    if plant is not None:
        bench = Bench(plant, mount(plant, movers))
        _fit_sensors(plant, emulators)
        return bench
    if movers:
        raise BadInput(
            f"twin.ports.{', twin.ports.'.join(movers)}: moves joints, and the twin has no plant",
            'name one in [twin]: plant = "axes" has whatever joints are driven',
        )
    return None


def _fit_sensors(plant: Plant, emulators: Mapping[str, Emulator]) -> None:
    """Errors: BadInput naming the port of a sensor that cannot measure in this plant."""
    for name, emulator in emulators.items():
        if isinstance(emulator, PlantSensor):
            try:
                emulator.fit(plant)
            except BadInput as error:
                raise BadInput(f"twin.ports.{name}: {error.message}", error.remedy) from error


def moving(emulators: Mapping[str, Emulator]) -> dict[str, JointEmulator]:
    """Those that move joints, by port."""
    movers = {name: one for name, one in emulators.items() if isinstance(one, JointEmulator)}
    return {name: one for name, one in movers.items() if one.joints}
