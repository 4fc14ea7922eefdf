"""However an `open` fails, the port is free at once: every driver that has a line of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from descriptors import none_left
from wire_ends import CLOCK, Peer

from drivers.transport.posix import open_serial
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import BenchContext, Device, DeviceSpec
from hil.errors import HilError
from hil.plugins import DRIVERS, load

CASES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "feetech": ("feetech-arm", {"model": "so101"}),
    "dynamixel": ("dynamixel-chain", {"model": "koch"}),
    "slcan": ("damiao-chain", {"robot": "openarm-right"}),
    "bridge": ("damiao-chain", {"robot": "openarm-right", "adapter": "damiao-bridge"}),
    "robotiq": ("robotiq-gripper", {"model": "2f-85"}),
    "inspire": ("inspire-hand", {"model": "rh56dfx"}),
    "eb90": ("inspire-hand", {"model": "rh56dfx", "protocol": "eb90"}),
    "registers": ("modbus-registers", {"registers": "box.toml", "meter": "volts"}),
    "terminal": ("terminal-agent", {}),
    "board": ("mlperf-tiny", {"boot_wait_s": 0.01}),
    "supply": ("scpi-supply", {"model": "generic-supply"}),
    "meter": ("scpi-meter", {"model": "generic-meter", "quantity": "volts-dc"}),
    "relays": ("usb-relay", {"model": "numato", "relays": {"lamp": {"channel": 0}}}),
    "load cell": ("load-cell", {"most_n": 10.0}),
    "stop": ("estop-box", {}),
}
BOX = """
model = "box"
[[registers]]
name = "volts"
address = 0
unit = "V"
"""
WITHIN_NS = 60 * NS_PER_MS


class Broken(BaseException):
    """Ends an open as a request to stop would: no driver can have expected it."""


class BreakingClock(WallClock):
    """Raises at one of the looks at it; each takes a while, so that there are not too many."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0
        self.breaks_at = -1

    def now_ns(self) -> int:
        self._looks += 1
        if self._looks == self.breaks_at:
            raise Broken
        return super().now_ns() + self._looks * 4 * NS_PER_MS

    def break_after(self, looks: int) -> None:
        self.breaks_at = self._looks + looks


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A line on which nobody answers."""
    end = Peer()
    os.set_blocking(end.fd, False)
    yield end
    end.unplug()


def device_at(peer: Peer, case: str, folder: Path, clock: WallClock) -> Device:
    driver, parameters = CASES[case]
    (folder / "box.toml").write_text(BOX)
    spec = DeviceSpec("it", driver, peer.path, dict(parameters), folder)
    built: Device = load(DRIVERS, driver)(spec, BenchContext(clock))
    return built


def assert_free(peer: Peer) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(peer.fd, 4096):
            pass  # a question that nobody took would fill the line one day
    open_serial(peer.path, 9600, CLOCK).close()


@pytest.mark.parametrize("case", CASES)
def test_broken_off_at_any_look_at_the_clock(case: str, peer: Peer, tmp_path: Path) -> None:
    clock = BreakingClock()
    device = device_at(peer, case, tmp_path, clock)
    for looks in itertools.count(1):
        deadline = Deadline.after(clock, WITHIN_NS)
        clock.break_after(looks)
        with none_left(), pytest.raises((Broken, HilError)) as caught:
            device.open(deadline)
        assert_free(peer)
        if caught.type is not Broken:
            break  # nobody answers, and it has given up by itself
    assert looks > 1


@pytest.mark.parametrize(
    ("case", "how", "part"),
    [
        ("feetech", "open", "drivers.feetech.family.FeetechBus"),
        ("feetech", "rescue", "drivers.feetech.family.FeetechBus"),
        ("dynamixel", "open", "drivers.dynamixel.family2.DynamixelBus"),
        ("dynamixel", "rescue", "drivers.dynamixel.family2.DynamixelBus"),
        ("slcan", "open", "drivers.can.slcan.SlcanBus"),
        ("slcan", "rescue", "drivers.can.open.SlcanBus"),
        ("slcan", "rescue", "drivers.damiao.chain.MotorBus"),
        ("bridge", "open", "drivers.damiao.line.DamiaoBridge"),
        ("bridge", "rescue", "drivers.damiao.line.DamiaoBridge"),
        ("bridge", "open", "drivers.damiao.chain.MotorBus"),
        ("bridge", "rescue", "drivers.damiao.chain.MotorBus"),
        ("robotiq", "open", "drivers.modbus.robotiq.ModbusBus"),
        ("robotiq", "rescue", "drivers.modbus.robotiq.ModbusBus"),
        ("inspire", "open", "drivers.modbus.inspire.ModbusHand"),
        ("eb90", "rescue", "drivers.modbus.inspire.Eb90Bus"),
        ("registers", "open", "drivers.modbus.generic.ModbusBus"),
        ("registers", "rescue", "drivers.modbus.generic.ModbusBus"),
        ("terminal", "open", "drivers.terminal.device.Client"),
        ("board", "open", "drivers.mlperf_tiny.device.Session"),
        ("stop", "open", "drivers.estop.box.Listener"),
    ],
)
def test_what_stands_on_the_line_cannot_be_built(
    case: str, how: str, part: str, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Broken

    device = device_at(peer, case, tmp_path, CLOCK)
    monkeypatch.setattr(part, fail)
    for _ in range(2):
        with none_left(), pytest.raises(Broken):
            getattr(device, how)(Deadline.after(CLOCK, WITHIN_NS))
        assert_free(peer)
