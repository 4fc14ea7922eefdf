"""Chains of motors on pseudo-terminals, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pump import Pump, pumped

from drivers.damiao.chain import DamiaoChain
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import DeviceSpec, Finding, FloatArray
from sim.emulated.damiao.chain import Chain, ChainOptions
from sim.emulated.damiao.chain import build as build_emulated

ROBOT = "openarm-right"
ANSWER_MS = 100
STEP = 2 * 12.5 / 65535
"""Radians: what one step of a position code is."""
TARGET = np.array([0.5, 0.6, 0.7, 0.8, 0.5, 0.4, 0.3, -0.5])


def soon(ms: int = 3000) -> Deadline:
    return Deadline.after(WallClock(), ms * NS_PER_MS)


def emulator(**options: object) -> Chain:
    return build_emulated(ChainOptions.model_validate({"robot": ROBOT} | options))


def emulated(**options: object) -> Pump:
    return pumped(emulator(**options))


def spec(address: str, **parameters: object) -> DeviceSpec:
    """With a time-out of answers that a busy machine keeps."""
    given = {"robot": ROBOT, "answer_timeout_ms": ANSWER_MS} | parameters
    return DeviceSpec("arm", "damiao-chain", address, given, Path("rigs"))


def motor(pump: Pump, number: int):  # type: ignore[no-untyped-def]
    return pump._emulator.motors[number - 1]  # type: ignore[attr-defined]


def register(pump: Pump, number: int, name: str) -> float:
    return motor(pump, number)._memory.get(name)


def set_register(pump: Pump, number: int, name: str, value: float) -> None:
    motor(pump, number)._memory.put(name, value)


def named(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def drive_to(chain: DamiaoChain, target: FloatArray, ticks: int = 200) -> FloatArray:
    """The position once it is reached, or after so many commands."""
    position = chain.read(soon()).position
    for _ in range(ticks):
        if np.abs(position - target).max() < 3 * STEP:
            return position
        chain.command(target, soon())
        position = chain.read(soon()).position
    return position
