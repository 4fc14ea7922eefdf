"""Control tables against the tables of two independent packages: the vendor's and rustypot's."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import pytest
import rustypot

from drivers.dynamixel.registers import load_motor, motor_models
from hil.errors import BadInput, HarnessError

VENDOR = resources.files("dynamixel_easy_sdk") / "control_table"
MADE_UP = [model for model in motor_models() if model.startswith("arm-drive-")]
"""Drives that nobody makes, with the control table of the P series."""
SOLD = [model for model in motor_models() if model not in MADE_UP]
P = "ph54-200-s500"
SECOND = [model for model in SOLD if load_motor(model).protocol == 2]
X = [model for model in SECOND if model != P]

NOT_IN_THE_VENDORS = {"startup_configuration", "backup_ready"}
RADIANS_PER_COUNT = 2 * 3.141592653589793 / 4096

CONTROLLERS = {
    "xl330-m288": rustypot.Xl330PyController,
    "xl330-m077": rustypot.Xl330PyController,
    "xc330-t288": rustypot.Xl330PyController,
    "xl430-w250": rustypot.Xl430PyController,
    "xm430-w350": rustypot.Xl430PyController,
    "ax-12a": rustypot.AxPyController,
    "mx-28": rustypot.MxPyController,
}


def vendor_sections(model: str) -> dict[str, list[list[str]]]:
    """Rows of each section of a vendor's file, without its line of titles."""
    text = (VENDOR / f"{model.replace('-', '_')}.model").read_text(encoding="utf-8")
    sections: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            rows = sections.setdefault(line.strip("[]"), [])
        elif line.strip():
            rows.append(line.split("\t"))
    return {name: rows[1:] for name, rows in sections.items()}


def snake(name: str) -> str:
    """Our name of a vendor's register."""
    words = name.lower().replace("secondary(shadow) id", "secondary id")
    return re.sub(r"[^a-z0-9]+", "_", words)


@pytest.mark.parametrize("model", SECOND)
def test_addresses_and_sizes_are_the_vendors(model: str) -> None:
    rows = vendor_sections(model)["control table"]
    theirs = {snake(name): (int(at), int(size)) for at, size, name in rows}
    theirs = {name: place for name, place in theirs.items() if not name.startswith("indirect")}
    ours = {r.name: (r.address, r.size) for r in load_motor(model).registers.values()}
    own = NOT_IN_THE_VENDORS - theirs.keys()
    assert {name: ours[name] for name in ours if name not in own} == theirs


@pytest.mark.parametrize("model", SECOND)
def test_units_and_signs_are_the_vendors(model: str) -> None:
    table = load_motor(model)
    for name, value, unit, sign in vendor_sections(model)["unit info"]:
        register = table[snake(name)]
        assert register.signed == (sign == "signed")
        if unit == register.unit:  # currents are raw there, or a torque
            assert register.scale == pytest.approx(float(value), rel=1e-6)


@pytest.mark.parametrize("model", X)
def test_zero_and_range_are_the_vendors(model: str) -> None:
    info = dict(vendor_sections(model)["type info"])
    table = load_motor(model)
    counts = int(info["value_of_max_radian_position"]) + 1
    assert table.counts_per_turn == counts
    assert int(info["value_of_zero_radian_position"]) == counts // 2
    assert table.radians_per_count == pytest.approx(2 * float(info["max_radian"]) / counts)


def test_zero_and_range_of_the_p_series_are_the_vendors() -> None:
    info = dict(vendor_sections(P)["type info"])
    table = load_motor(P)
    lowest, highest = (int(info[f"value_of_{end}_radian_position"]) for end in ("min", "max"))
    assert table.counts_per_turn == highest - lowest
    assert int(info["value_of_zero_radian_position"]) == 0
    for name in ("min_position_limit", "max_position_limit"):
        assert (table[name].lowest, table[name].highest) == (lowest, highest)


@pytest.mark.parametrize("model", MADE_UP)
def test_a_drive_that_nobody_makes_has_the_registers_of_the_p_series(model: str) -> None:
    places = [
        {r.name: (r.address, r.size, r.scale, r.signed) for r in load_motor(one).registers.values()}
        for one in (model, P)
    ]
    assert places[0] == places[1]
    table = load_motor(model)
    assert table.counts_per_turn == load_motor(P).counts_per_turn
    assert table.model_number not in {load_motor(one).model_number for one in SOLD}
    assert table.motor is not None
    assert table["velocity_limit"].default * table["velocity_limit"].scale == pytest.approx(
        table.motor.no_load_speed, rel=1e-3
    )


@pytest.mark.parametrize("model", SECOND)
def test_model_number_is_the_vendors(model: str) -> None:
    text = (VENDOR / "dynamixel.model").read_text(encoding="utf-8")
    numbers = dict(reversed(line.split("\t")) for line in text.splitlines() if "\t" in line)
    assert load_motor(model).model_number == int(numbers[f"{model.replace('-', '_')}.model"])


@pytest.mark.parametrize("model", CONTROLLERS)
def test_registers_are_rustypots(model: str) -> None:
    table = load_motor(model)
    theirs = {r.name: r for r in CONTROLLERS[model].registers()}
    shared = theirs.keys() & table.registers.keys()
    assert len(shared) > 25
    for name in shared:
        assert (table[name].address, table[name].size) == (theirs[name].addr, theirs[name].size)


@pytest.mark.parametrize("model", CONTROLLERS)
def test_what_a_model_is_agrees_with_rustypot(model: str) -> None:
    definition: Any = CONTROLLERS[model].definition()
    table = load_motor(model)
    assert definition.protocol == table.protocol
    assert definition.word_order == table.byte_order
    assert definition.resolution == table.counts_per_turn
    key = model.upper().replace("-", "").removesuffix("A") if table.protocol == 1 else model
    assert definition.models[key.upper().replace("-", "")] == table.model_number
    for rate, code in definition.baudrates.items():
        assert table.baud[code] == rate
    if table.modes:
        assert set(table.modes) <= set(definition.operating_modes.values())


@pytest.mark.parametrize("model", motor_models())
def test_a_new_motor_has_its_defaults(model: str) -> None:
    table = load_motor(model)
    memory = table.image()
    assert len(memory) == table.size
    assert table.decode("model_number", memory) == table.model_number
    for register in table.registers.values():
        assert table.decode(register.name, memory) == register.default
    assert table.decode("baud_rate", memory) in table.baud


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        ("goal_position", -1, "ffffffff"),
        ("goal_current", -100, "9cff"),
        ("present_velocity", -2, "feffffff"),
        ("return_delay_time", 250, "fa"),
        ("bus_watchdog", 100, "64"),
    ],
)
def test_value_both_ways(name: str, value: int, wire: str) -> None:
    table = load_motor("xl330-m288")
    assert table.encode(name, value).hex() == wire
    assert table.decode(name, bytes.fromhex(wire), table[name].address) == value


def test_tripped_watchdog_reads_minus_one_but_cannot_be_written() -> None:
    table = load_motor("xl330-m288")
    assert table.decode("bus_watchdog", b"\xff", 98) == -1
    with pytest.raises(HarnessError, match="bus_watchdog"):
        table.encode("bus_watchdog", -1)


def test_unknown_model_names_those_there_are() -> None:
    with pytest.raises(BadInput, match=r"xl330-m288"):
        load_motor("xl999")
