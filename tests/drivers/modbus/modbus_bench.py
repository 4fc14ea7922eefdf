"""Deadlines, an emulated unit, and drivers of emulated devices behind a pump."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pump import Pump, pumped

from drivers.modbus.bus import ModbusBus
from drivers.modbus.inspire import InspireHand
from drivers.modbus.inspire import build as build_hand
from drivers.modbus.line import Timing
from drivers.modbus.register_file import RegisterFile
from drivers.modbus.robotiq import RobotiqGripper
from drivers.modbus.robotiq import build as build_gripper
from drivers.transport.posix import open_serial
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, GripperCommand
from sim.emulated.inspire import EMULATOR as HAND
from sim.emulated.robotiq import EMULATOR as ROBOTIQ

CLOCK = WallClock()
ANSWER_MS = 100

FAST = GripperCommand(0.0, 0.15, 235.0)
WIDE = GripperCommand(0.085, 0.15, 235.0)
HALF = GripperCommand(0.0425, 0.085, 127.5)
"""Of a gripper that opens by 85 mm."""

FILE = RegisterFile.model_validate(
    {
        "model": "bench box",
        "unit": 7,
        "baud": 115_200,
        "registers": [
            {"name": "plain", "address": 0, "access": "rw"},
            {"name": "second", "address": 1, "access": "rw"},
            {"name": "fixed", "address": 2},
            {"name": "wide", "address": 10, "type": "f32", "function": 4},
        ],
        "switches": [{"name": "lamp", "address": 0}, {"name": "fan", "address": 1}],
    }
)


def soon(ms: int = 3000) -> Deadline:
    """Far enough for an answer that comes; short where none is to come."""
    return Deadline.after(CLOCK, ms * NS_PER_MS)


class Rigged:
    """Makes emulated devices behind pumps, and drivers for them; ends them all."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.pump: Pump

    def line(self, emulator: Any) -> str:
        """Serve an emulator; its path. The pump is then `pump`."""
        self.pump = pumped(emulator)
        return self._stack.enter_context(self.pump)

    def after(self, end: Callable[[], None]) -> None:
        """Call `end` before the line hangs up."""
        self._stack.callback(end)

    def bus(self, emulator: Any, baud: int = 115_200, answer_ms: float = ANSWER_MS) -> ModbusBus:
        """A bus on the line of an emulator."""
        port = open_serial(self.line(emulator), baud, CLOCK)
        timing = Timing(baud, answer_ns=round(answer_ms * NS_PER_MS))
        bus = ModbusBus(port, CLOCK, timing)
        self._stack.callback(bus.close)
        return bus

    def gripper(
        self, options: Mapping[str, object] | None = None, **parameters: object
    ) -> RobotiqGripper:
        """A gripper's driver, opened on an emulated one."""
        given = {"activated": True, **(options or {})}
        path = self.line(ROBOTIQ.build(ROBOTIQ.options.model_validate(given)))
        device = build_gripper(spec(path, **parameters), BenchContext(CLOCK))
        self._stack.callback(device.close)
        device.open(soon())
        return device

    def hand(
        self, options: Mapping[str, object] | None = None, **parameters: object
    ) -> InspireHand:
        """A hand's driver, opened on an emulated one of the same protocol."""
        given = {"protocol": parameters.get("protocol", "modbus"), **(options or {})}
        path = self.line(HAND.build(HAND.options.model_validate(given)))
        device = build_hand(spec(path, "inspire-hand", **parameters), BenchContext(CLOCK))
        self._stack.callback(device.close)
        device.open(soon())
        return device


def spec(address: str, driver: str = "robotiq-gripper", **parameters: object) -> DeviceSpec:
    given = {"answer_timeout_ms": ANSWER_MS} | parameters
    return DeviceSpec("tool", driver, address, given, Path("rigs"))
