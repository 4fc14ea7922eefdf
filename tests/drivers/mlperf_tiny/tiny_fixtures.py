"""An emulated board on a line without a descriptor, in virtual time: every fault at its byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.mlperf_tiny import device as device_module
from drivers.mlperf_tiny.board import Board
from drivers.mlperf_tiny.device import MlperfTiny, build
from drivers.mlperf_tiny.session import Session
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline, VirtualClock
from hil.contracts import BenchContext, DeviceSpec, ModelImage
from hil.errors import LinkLost
from sim.emulated.mlperf_tiny import EMULATOR, EmulatedBoard, Options
from sim.twin.pacing import PacedOutput

IC01 = ModelImage("ic01", b"", "")


class Line:
    """`drivers.transport.base.Transport` to an emulator. `cut_after` unplugs it once so many
    bytes have been read."""

    description = "emulated line"
    low_latency = False
    untimed = ""

    def __init__(self, emulator: EmulatedBoard, clock: VirtualClock) -> None:
        self.emulator = emulator
        self.clock = clock
        self.cut_after: int | None = None
        self.sent = bytearray()
        self.read_bytes = 0
        self._output = PacedOutput()

    def write(self, data: bytes, deadline: Deadline) -> None:
        self._require_plugged()
        self.sent += data
        self._add(self.emulator.receive(data, self.clock.now_ns(), self.emulator.baud))

    def read(self, deadline: Deadline) -> bytes:
        while True:
            self._require_plugged()
            due_ns = self.emulator.due_ns()
            if due_ns is not None and due_ns <= self.clock.now_ns():
                self._add(self.emulator.wake(self.clock.now_ns()))
            data = self._output.take_due(self.clock.now_ns())
            if data:
                return self._passed(data)
            events = [at for at in (self._output.next_wake_ns(), due_ns) if at is not None]
            next_ns = min(events, default=deadline.at_ns)
            if next_ns >= deadline.at_ns:
                self.clock.sleep_until(deadline.at_ns)
                data = self._output.take_due(self.clock.now_ns())
                return self._passed(data) if data else b""
            self.clock.sleep_until(next_ns)

    def discard(self) -> int:
        return len(self._output.take_due(self.clock.now_ns()))

    def close(self) -> None:
        self._output.clear()

    def _add(self, transmissions: list[Any]) -> None:
        for transmission in transmissions:
            self._output.add(transmission)

    def _passed(self, data: bytes) -> bytes:
        if self.cut_after is not None:
            data = data[: self.cut_after - self.read_bytes]
        self.read_bytes += len(data)
        return data

    def _require_plugged(self) -> None:
        if self.cut_after is not None and self.read_bytes >= self.cut_after:
            raise LinkLost("emulated line is gone")


class Rig:
    """A line, its board and a session on it, started."""

    def __init__(self, **options: Any) -> None:
        self.clock = VirtualClock()
        self.emulator = EMULATOR.build(Options(**options))
        self.line = Line(self.emulator, self.clock)
        relayed = bool(options.get("io_manager"))
        self.session = Session(self.line, self.clock, relayed)
        self.board = Board(self.session, relayed)

    def soon(self, seconds: float = 60.0) -> Deadline:
        """Virtual seconds: they cost nothing."""
        return Deadline.after_s(self.clock, seconds)

    def start(self) -> Rig:
        self.session.start(1_000_000_000, self.soon())
        return self


def device_on(line: Line, monkeypatch: pytest.MonkeyPatch, **parameters: Any) -> MlperfTiny:
    """The whole device, with `line` for its port."""

    def open_line(spec: DeviceSpec, baud: int, clock: Clock, deadline: Deadline) -> Transport:
        return line

    monkeypatch.setattr(device_module, "open_link", open_line)
    spec = DeviceSpec("board", "mlperf-tiny", "/dev/emulated", parameters, Path())
    return build(spec, BenchContext(line.clock))
