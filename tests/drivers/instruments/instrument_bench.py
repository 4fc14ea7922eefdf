"""Drivers of instruments in front of their emulated devices, over a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pump import Pump, pumped

from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, Device, DeviceSpec
from hil.plugins import DRIVERS, load
from sim.twin.emulator import Hosted

CLOCK = WallClock()


def within(seconds: float = 5.0) -> Deadline:
    """Generous where an answer is expected: a busy host must not fail a test."""
    return Deadline.after_s(CLOCK, seconds)


@contextmanager
def bench(
    driver: str,
    emulator: Hosted,
    parameters: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    base: Path = Path(),
) -> Iterator[tuple[Any, Pump]]:
    """An open device and the pump behind it."""
    pump = pumped(emulator.build(emulator.options.model_validate(dict(options or {}))))
    with pump as path:
        spec = DeviceSpec("it", driver, path, dict(parameters), base)
        device: Device = load(DRIVERS, driver)(spec, BenchContext(CLOCK))
        try:
            device.open(within())
            yield device, pump
        finally:
            device.close()
