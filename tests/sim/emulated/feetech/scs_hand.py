"""An emulated hand of SCS servos on a pseudo-terminal, and the driver at its other end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from pump import Pump, pumped

from drivers.feetech.arm import FeetechArm, build
from drivers.feetech.bus import FeetechBus
from drivers.feetech.registers import load_table
from drivers.transport.posix import open_serial
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, Finding, FloatArray
from sim.emulated.feetech.bus import BusOptions
from sim.emulated.feetech.bus import build as build_bus

STEP = math.radians(300) / 1024
SCS = load_table("scs0009")
SHARE_MS = 50
"""What each servo may take where one of them is to be lost: far above what a busy host needs."""


def soon(seconds: float = 5.0) -> Deadline:
    return Deadline.after_s(WallClock(), seconds)


class Bench:
    """An emulated hand on a line, and the driver's device at its other end."""

    def __init__(self, stack: ExitStack, **options: object) -> None:
        given = {"joints": "amazing_hand"} | options
        self.pump: Pump = pumped(build_bus(BusOptions.model_validate(given)))
        self.path = stack.enter_context(self.pump)
        self._stack = stack

    def device(self, **parameters: object) -> FeetechArm:
        """A device that is not open yet."""
        given = {"model": "amazing_hand", "answer_timeout_ms": 8 * SHARE_MS} | parameters
        spec = DeviceSpec("hand", "feetech-arm", self.path, given, Path())
        device = build(spec, BenchContext(WallClock()))
        self._stack.callback(device.close)
        return device

    def opened(self, **parameters: object) -> FeetechArm:
        device = self.device(**parameters)
        device.open(soon())
        return device

    def bus(self) -> FeetechBus:
        """The driver's bus alone, to do what a set-up tool does."""
        clock = WallClock()
        bus = FeetechBus(open_serial(self.path, 1_000_000, clock), clock)
        self._stack.callback(bus.close)
        return bus

    def fault(self, **faults: Any) -> None:
        self.pump.control({"faults": faults})


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.005)
    return True


def at(device: FeetechArm, target: FloatArray) -> Callable[[], bool]:
    return lambda: bool((np.abs(device.read(soon()).position - target) < 2 * STEP).all())


def findings(device: FeetechArm) -> dict[str, Finding]:
    return {finding.name: finding for finding in device.health(soon())}
