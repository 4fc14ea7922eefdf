"""Emulated servos without a wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.feetech.registers import Table, load_table
from sim.emulated.feetech.motor import MotorModel
from sim.emulated.feetech.servo import Mounting, Servo


@pytest.fixture(scope="session")
def table() -> Table:
    return load_table("sts3215")


@pytest.fixture
def make_servo(table: Table) -> Callable[..., Servo]:
    def make(
        servo_id: int = 1, sign: int = 1, zero_count: int = 2048, baud: int = 1_000_000
    ) -> Servo:
        return Servo(table, Mounting(servo_id, zero_count, sign), baud, MotorModel())

    return make
