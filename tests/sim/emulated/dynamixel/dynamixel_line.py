"""The driver of an emulated bus at the other end of a pseudo-terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from pump import Pump, pumped

from drivers.dynamixel.chain import DynamixelChain, build
from drivers.servo.chain import ServoChain
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, FloatArray
from sim.emulated.dynamixel.bus import BusOptions
from sim.emulated.dynamixel.bus import build as build_bus

STEP = 2 * math.pi / 4096
"""Radians: what one count of a position is."""


def soon(seconds: float = 5.0) -> Deadline:
    return Deadline.after_s(WallClock(), seconds)


class Rig:
    """An emulated robot on a line, and the driver's device at its other end."""

    def __init__(self, stack: ExitStack, robot: str = "koch", **options: object) -> None:
        baud = 4_000_000 if robot == "leap" else 1_000_000
        given = {"robot": robot, "baud": baud} | options
        self.pump: Pump = pumped(build_bus(BusOptions.model_validate(given)))
        self.path = stack.enter_context(self.pump)
        self._stack, self._robot, self._baud = stack, robot, baud

    def device(self, **parameters: object) -> DynamixelChain:
        """A device that is not open yet."""
        device = self.any_device(**parameters)
        assert isinstance(device, DynamixelChain)
        return device

    def any_device(self, **parameters: object) -> ServoChain:
        given = {"model": self._robot, "baud": self._baud} | parameters
        spec = DeviceSpec("arm", "dynamixel-chain", self.path, given, Path())
        device = build(spec, BenchContext(WallClock()))
        self._stack.callback(device.close)
        return device

    def opened(self, **parameters: object) -> DynamixelChain:
        device = self.device(**parameters)
        device.open(soon())
        return device

    def fault(self, **faults: Any) -> None:
        self.pump.control({"faults": faults})


def until(reached: Callable[[], bool], seconds: float = 10.0) -> bool:
    give_up = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.005)
    return True


def at(device: ServoChain, target: FloatArray) -> Callable[[], bool]:
    return lambda: bool(np.nanmax(np.abs(device.read(soon()).position - target)) < 2 * STEP)
