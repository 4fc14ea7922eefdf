"""A network of one multiplication, and the agent in a process of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drivers.terminal.agent import WRITE_TIMEOUT_S
from drivers.terminal.device import TerminalAgent, build
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, ModelImage

DOUBLE_ONNX = bytes.fromhex(
    "08093a4c0a0e0a01780a016b12017922034d756c1201672a0d0801100122040000004042016b5a130a01781"
    "20e0a0c080112080a0208010a02080362130a0179120e0a0c080112080a0208010a02080342040a001011"
)
"""Opset 17: y = 2 x, both float32 of shape (1, 3)."""

DOUBLE = ModelImage("double", DOUBLE_ONNX, hashlib.sha256(DOUBLE_ONNX).hexdigest())

_SERVE = (
    "import sys; from drivers.terminal import agent;"
    "agent.WRITE_TIMEOUT_S = float(sys.argv[2]);"
    "agent.serve(None, True, float(sys.argv[1]), sys.stdout, True)"
)


def soon(seconds: float = 10.0) -> Deadline:
    """Far enough that only a hang reaches it."""
    return Deadline.after_s(WallClock(), seconds)


@dataclass(frozen=True)
class Agent:
    """A running agent; closing `process.stdin` ends it."""

    process: subprocess.Popen[str]
    port: str


@contextmanager
def running_agent(
    delay_ms: float = 0.0, write_timeout_s: float = WRITE_TIMEOUT_S
) -> Iterator[Agent]:
    command = [sys.executable, "-c", _SERVE, str(delay_ms), str(write_timeout_s)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Agent(process, json.loads(process.stdout.readline())["port"])
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def opened(port: str) -> Iterator[TerminalAgent]:
    spec = DeviceSpec("terminal", "terminal-agent", port, {}, Path())
    device = build(spec, BenchContext(WallClock()))
    device.open(soon())
    try:
        yield device
    finally:
        device.close()
