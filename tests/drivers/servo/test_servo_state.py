"""The block of state of many servos at once, against the control table's own way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel.registers import load_motor
from drivers.feetech.registers import load_table
from drivers.servo.registers import Table
from drivers.servo.state import Column, StateBlock, shared
from hil.errors import BadInput

XL330, XL430 = load_motor("xl330-m288"), load_motor("xl430-w250")
STS, SCS, AX = load_table("sts3215"), load_table("scs0009"), load_motor("ax-12a")
KINDS = {
    "x": ((XL330, XL430, XL330), "present_velocity", ("present_current", "present_load"), 10),
    "sts": ((STS,) * 3, "present_speed", ("present_load",), 6),
    "scs": ((SCS,) * 3, "present_speed", ("present_load",), 6),
    "ax": ((AX,) * 3, "present_speed", ("present_load",), 6),
}
IDS = (4, 9, 2)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_block_decodes_as_the_table_does(kind: str, data: st.DataObject) -> None:
    tables, velocity, efforts, length = KINDS[kind]
    block = StateBlock.of(tables, velocity, efforts)
    assert block.length == length
    extra = data.draw(st.integers(0, 1))
    payloads = {
        servo: data.draw(st.binary(min_size=length + extra, max_size=length + extra))
        for servo in IDS
        if data.draw(st.booleans())
    }
    state = block.decode(payloads, IDS, length + extra)
    for place, (servo, table) in enumerate(zip(IDS, tables, strict=True)):
        names = ("present_position", velocity, next(name for name in efforts if name in table))
        for row, name in enumerate(names):
            if servo not in payloads:
                assert np.isnan(state[row, place])
            else:
                assert state[row, place] == table.decode(name, payloads[servo], block.base)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (XL330, [-1_000_000, -1, 0, 4095]),
        (STS, [-32767, -1, 0, 4095]),
        (SCS, [0, 1, 512, 1023]),
    ],
)
def test_goals_are_encoded_as_the_table_does(table: Table, values: list[int]) -> None:
    column = Column.of(table["goal_position"], table)
    expected = [table.encode("goal_position", value) for value in values]
    assert column.encode(np.array(values)) == expected


def test_servos_that_keep_things_elsewhere_are_refused() -> None:
    with pytest.raises(BadInput, match="different places"):
        StateBlock.of((STS, SCS), "present_speed", ("present_load",))
    with pytest.raises(BadInput, match="goal_position is not in the same place"):
        shared((XL330, STS), "goal_position")
    with pytest.raises(BadInput, match="none of present_torque"):
        StateBlock.of((XL330,), "present_velocity", ("present_torque",))
