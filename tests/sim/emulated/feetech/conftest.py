"""Emulated servos without a wire, and hands of them at the end of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from scs_hand import Bench

from drivers.feetech.registers import load_table
from sim.emulated.feetech.motor import MotorModel
from sim.emulated.feetech.servo import Mounting, Servo


@pytest.fixture
def make_servo() -> Callable[..., Servo]:
    def make(
        servo_id: int = 1,
        sign: int = 1,
        zero_count: int | None = None,
        baud: int = 1_000_000,
        model: str = "sts3215",
    ) -> Servo:
        table = load_table(model)
        middle = table.counts_per_turn // 2 if zero_count is None else zero_count
        return Servo(table, Mounting(servo_id, middle, sign), baud, MotorModel())

    return make


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    with ExitStack() as stack:
        yield lambda **options: Bench(stack, **options)


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
