"""An emulated phone at an emulated adb server, and the driver on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.android.device import AndroidTerminal, build
from drivers.android.server import AdbServer
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
from sim.emulated.adb import EMULATOR, AdbOptions
from sim.twin.child import Child

CLOCK = WallClock()
SERIAL = "EMULATED0001"
AGENT = {
    "start": "am start-foreground-service -n org.hil.agent/.Agent",
    "stop": "am force-stop org.hil.agent",
    "running": "pidof org.hil.agent",
}


def soon(seconds: float = 30.0) -> Deadline:
    """Far enough that only a hang reaches it."""
    return Deadline.after_s(CLOCK, seconds)


@dataclass(frozen=True)
class Emulated:
    """The running server; `address` is what a rig file would name."""

    address: str
    child: Child

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def control(self, **faults: object) -> dict[str, Any]:
        return self._ask("emulator:control:" + json.dumps(faults))

    def status(self) -> dict[str, Any]:
        return self._ask("emulator:status")

    def _ask(self, service: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(AdbServer(self.address)._asked(service, soon()))
        return told


@contextmanager
def emulated_phone(**options: object) -> Iterator[Emulated]:
    child = Child("adb", EMULATOR.command(AdbOptions.model_validate(options)))
    try:
        yield Emulated(child.announcement(soon())["port"], child)
    finally:
        child.hang_up()
        if not child.ended_by(soon(5)):
            child.kill()
            child.ended_by(soon(5))
        child.release()


def terminal(address: str, base: Path = Path(), **parameters: object) -> AndroidTerminal:
    whole = {"serial": SERIAL, "agent": AGENT, **parameters}
    return build(DeviceSpec("phone", "android", address, whole, base), BenchContext(CLOCK))


@contextmanager
def opened(address: str, **parameters: object) -> Iterator[AndroidTerminal]:
    device = terminal(address, **parameters)
    device.open(soon())
    try:
        yield device
    finally:
        device.close()
