"""Chains of motors on pseudo-terminals, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

from pump import Pump, pumped

from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import DeviceSpec
from sim.emulated.damiao import EMULATOR

ROBOT = "openarm-right"
ANSWER_MS = 100


def soon(ms: int = 3000) -> Deadline:
    return Deadline.after(WallClock(), ms * NS_PER_MS)


def emulated(**options: object) -> Pump:
    return pumped(EMULATOR.build(EMULATOR.options.model_validate({"robot": ROBOT} | options)))


def spec(address: str, **parameters: object) -> DeviceSpec:
    """With a time-out of answers that a busy machine keeps."""
    given = {"robot": ROBOT, "answer_timeout_ms": ANSWER_MS} | parameters
    return DeviceSpec("arm", "damiao-chain", address, given, Path("rigs"))
