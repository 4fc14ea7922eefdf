"""Host and agent in one process, on a line that loses what a test says, in virtual time."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from drivers.terminal import device as device_module
from drivers.terminal.codec import Decoder, encode
from drivers.terminal.device import TerminalAgent, build
from drivers.terminal.session import Limits, Session
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline, VirtualClock
from hil.contracts import BenchContext, DeviceSpec, ModelImage
from hil.errors import LinkLost

Lose = Callable[[int], bool]
"""Whether the frame with this number, counted from 0 in its direction, is lost."""


def never(number: int) -> bool:
    return False


def model_of(size: int, name: str = "padded") -> ModelImage:
    """A network of one multiplication with about `size` bytes of weights nobody uses."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "k"], ["y"])],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [
            helper.make_tensor("k", TensorProto.FLOAT, [], [2.0]),
            helper.make_tensor("unused", TensorProto.UINT8, [size], bytes(size), raw=True),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content = model.SerializeToString()
    return ModelImage(name, content, hashlib.sha256(content).hexdigest())


class Loop:
    """`drivers.transport.base.Transport` straight into an agent's session.

    `cut_after` unplugs it once the host has read so many bytes; `deaf` keeps the agent from
    hearing anything, `babble` is put in front of every answer.
    """

    description = "loop"
    low_latency = False
    untimed = ""

    def __init__(
        self,
        session: Session,
        clock: VirtualClock,
        to_agent: Lose = never,
        to_host: Lose = never,
    ) -> None:
        self.session = session
        self.clock = clock
        self.to_agent, self.to_host = to_agent, to_host
        self.requests: list[dict[str, object]] = []
        self.read_bytes = 0
        self.cut_after: int | None = None
        self.deaf = False
        self.babble = b""
        self._decoder = Decoder()
        self._answers: deque[bytes] = deque()
        self._sent = self._answered = 0

    def write(self, data: bytes, deadline: Deadline) -> None:
        self._require_plugged()
        for message in self._decoder.feed(data):
            lost = self.deaf or self.to_agent(self._sent)
            self._sent += 1
            if not lost:
                self._hear(message)

    def read(self, deadline: Deadline) -> bytes:
        self._require_plugged()
        if not self._answers:
            self.clock.sleep_until(deadline.at_ns)
            return b""
        self.clock.advance(1000)
        data = self._answers.popleft()
        if self.cut_after is not None:
            data = data[: self.cut_after - self.read_bytes]
        self.read_bytes += len(data)
        return data

    def discard(self) -> int:
        dropped = sum(map(len, self._answers))
        self._answers.clear()
        return dropped

    def close(self) -> None:
        self._answers.clear()

    def _hear(self, message: dict[str, object]) -> None:
        self.requests.append(message)
        self.session.overhear(message)
        answer = self.session.answer(message, self.clock.now_ns())
        lost = self.to_host(self._answered)
        self._answered += 1
        if not lost:
            self._answers.append(self.babble + encode(answer.map()))

    def _require_plugged(self) -> None:
        if self.cut_after is not None and self.read_bytes >= self.cut_after:
            raise LinkLost("loop is gone")


class Rig:
    """One terminal on a loop; `agent` starts another one on the same line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **line: Any) -> None:
        self.clock = VirtualClock()
        self.limits = Limits(window=line.pop("window", 1024))
        versions = line.pop("versions", (1, 2))
        self.line = Loop(self._session(versions), self.clock, **line)

        def open_line(spec: DeviceSpec, baud: int, clock: Clock, deadline: Deadline) -> Transport:
            return self.line

        monkeypatch.setattr(device_module, "open_link", open_line)
        spec = DeviceSpec("terminal", "terminal-agent", "/dev/loop", {}, Path())
        self.device: TerminalAgent = build(spec, BenchContext(self.clock))

    def restart_agent(self, versions: tuple[int, ...] = (1, 2)) -> None:
        self.line.session = self._session(versions)

    def soon(self, seconds: float = 600.0) -> Deadline:
        """Virtual seconds: they cost nothing."""
        return Deadline.after_s(self.clock, seconds)

    def open(self) -> TerminalAgent:
        self.device.open(self.soon())
        return self.device

    def works(self) -> bool:
        """Whether the network that is loaded doubles."""
        given = np.array([[1.0, 2.0, 3.0]], np.float32)
        answer = self.device.infer({"x": given}, self.soon())
        return bool((answer.outputs["y"] == 2 * given).all())

    def _session(self, versions: tuple[int, ...]) -> Session:
        return Session("1.0", self.limits, versions=versions)
