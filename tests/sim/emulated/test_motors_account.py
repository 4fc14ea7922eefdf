"""What every emulated bus of motors accounts for in the same way."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hil.errors import BadInput
from sim.emulated.motors import TorqueAccount, power_cycle, take_one


@dataclass
class Motor:
    id: int
    cycles: int = 0

    def power_cycle(self) -> None:
        self.cycles += 1


def test_motors_are_switched_by_id_and_unknown_ones_switch_none() -> None:
    motors = [Motor(1), Motor(2), Motor(3)]
    power_cycle(motors, {3, 1})
    assert [motor.cycles for motor in motors] == [1, 0, 1]
    with pytest.raises(BadInput, match="no motor has id 4, 9") as caught:
        power_cycle(motors, {9, 2, 4})
    assert caught.value.remedy == "there are 1, 2, 3"
    assert [motor.cycles for motor in motors] == [1, 0, 1]


def test_a_counted_fault_is_used_up() -> None:
    left = {1: 2}
    assert [take_one(left, 1) for _ in range(3)] == [True, True, False]
    assert not take_one(left, 2)
    assert left == {1: 0}


def test_torque_is_off_when_the_last_motor_is() -> None:
    account = TorqueAccount()
    for on, now_ns in ((0, 5), (2, 10), (1, 20), (0, 30), (0, 40)):
        account.note(on, now_ns)
    assert (account.torque_on, account.torque_off_ns) == (0, 30)
    account.note(1, 50)
    assert (account.torque_on, account.torque_off_ns) == (1, 30)
