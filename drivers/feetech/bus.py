"""One Feetech bus: that of `drivers.servo.bus1`, whose error bytes are `ServoError` bits."""

from __future__ import annotations

from drivers.servo.answers import BusCounters, SyncRead
from drivers.servo.bus1 import Frame1Bus as FeetechBus

__all__ = ["BusCounters", "FeetechBus", "SyncRead"]
