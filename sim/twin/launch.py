"""Starting and stopping the processes of a twin; entry point `process` of `hil.twins`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hil.clock import Deadline, WallClock
from hil.errors import RigError
from hil.failure import on_failure
from rigs.schema import Twin
from sim.twin.child import Child
from sim.twin.config import HostConfig, TwinConfig, parse_twin
from sim.twin.scene_server import remove_socket

STOP_S = 2.0
"""Time that a child has to end by itself, and again after SIGTERM."""

KILL_S = 5.0
"""Time that the system has to end a child after SIGKILL."""


def host_command(config: HostConfig) -> list[str]:
    """The host process; imports nothing before its own start."""
    return [sys.executable, "-P", "-m", "sim.twin.process", config.model_dump_json()]


class ProcessTwin:
    """The running processes of a twin (`hil.contracts.TwinProcesses`).

    As a context manager it stops them on the way out.
    """

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._ports: dict[str, str] = {}
        self._scene_socket: Path | None = None

    @property
    def ports(self) -> Mapping[str, str]:
        return dict(self._ports)

    def describe(self) -> Mapping[str, object]:
        return {
            "ports": dict(self._ports),
            "processes": [
                {
                    "name": child.name,
                    "pid": child.pid,
                    "running": child.running,
                    "command": list(child.command),
                }
                for child in self._children
            ],
        }

    def check(self) -> None:
        """Errors: RigError naming the first process that has ended, with its last words."""
        for child in self._children:
            if not child.running:
                raise child.failure("has ended")

    def stop(self) -> None:
        """End every process: lifeline, then SIGTERM, then SIGKILL; bounded, idempotent.

        Errors: RigError naming processes that survived SIGKILL.
        """
        self._end_all(Child.hang_up, STOP_S)
        self._end_all(Child.terminate, STOP_S)
        survivors = self._end_all(Child.kill, KILL_S)
        for child in self._children:
            child.release()
        self._children.clear()
        if self._scene_socket is not None:
            remove_socket(self._scene_socket)  # a host that was killed could not
        if survivors:
            names = ", ".join(f"{child.name} (pid {child.pid})" for child in survivors)
            raise RigError(f"twin: cannot be ended: {names}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start_all(self, commands: Sequence[tuple[str, list[str]]]) -> dict[str, Child]:
        """Start the processes side by side; by name."""
        started = {}
        for name, command in commands:
            started[name] = Child(name, command)
            self._children.append(started[name])
        return started

    def add_ports(self, ports: Mapping[str, str], scene_port: str | None = None) -> None:
        """Note what a process has announced, and which of it is a scene link."""
        self._ports.update(ports)
        if scene_port is not None and scene_port in ports:
            self._scene_socket = Path(ports[scene_port])

    def _end_all(self, how: Callable[[Child], None], seconds: float) -> list[Child]:
        """Do `how` to what runs and wait; returns what still runs."""
        running = [child for child in self._children if child.running]
        for child in running:
            how(child)
        deadline = Deadline.after_s(WallClock(), seconds)
        return [child for child in running if not child.ended_by(deadline)]


def start(twin: Twin, base: Path, deadline: Deadline) -> ProcessTwin:
    """Start the host process and the programs, and wait until all have said where they are.

    `base` is the folder of the rig file, in which emulators look for files they are told of.

    Errors: BadInput (emulators and their options), RigError (a process that dies or stays
    silent; what had been started is ended).
    """
    config = parse_twin(twin, base)
    running = ProcessTwin()
    with on_failure(running.stop):
        _start(running, config, deadline)
    return running


def _start(running: ProcessTwin, config: TwinConfig, deadline: Deadline) -> None:
    commands = [(f"{one.emulator} {one.name}", list(one.command)) for one in config.programs]
    if config.host is not None:
        commands.append(("host", host_command(config.host)))
    children = running.start_all(commands)
    for one in config.programs:
        child = children[f"{one.emulator} {one.name}"]
        running.add_ports({one.name: _text(child, child.announcement(deadline), "port")})
    if config.host is not None:
        child = children["host"]
        announced = _host_ports(child, child.announcement(deadline))
        running.add_ports(announced, config.host.scene_port)


def _text(child: Child, announced: Mapping[str, Any], key: str) -> str:
    value = announced.get(key)
    if not isinstance(value, str):
        raise child.failure(f"announced no {key}: {dict(announced)!r}")
    return value


def _host_ports(child: Child, announced: Mapping[str, Any]) -> dict[str, str]:
    ports = announced.get("ports")
    if not isinstance(ports, dict):
        raise child.failure(f"announced no ports: {dict(announced)!r}")
    return {str(name): str(address) for name, address in ports.items()}
