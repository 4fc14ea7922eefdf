"""Table files: what they may say, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.servo import registers
from drivers.servo.registers import Table, decode_signed, encode_signed, load_table
from hil.errors import BadInput, HarnessError

BASE = """
eeprom = [{ name = "model_number", address = 0, size = 2, access = "r" }]
ram = [
    { name = "goal", address = 10, size = 4, signed = true, lowest = -100, highest = 100 },
    { name = "load", address = 14, size = 2, sign_bit = 10 },
]
"""
MODEL = """
model = "m1"
model_number = 7
base = "base"
byte_order = "big"
counts_per_turn = 1024
range_deg = 300.0
baud = { 0 = 1_000_000 }
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(registers.resources, "files", lambda package: tmp_path)

    def write(model: str = MODEL, base: str = BASE) -> Table:
        (tmp_path / "base.toml").write_text(base)
        (tmp_path / "m1.toml").write_text(model)
        return load_table("any.package", "m1", "Test")

    return write


def test_a_model_has_the_registers_of_its_base(load) -> None:  # type: ignore[no-untyped-def]
    table = load()
    assert list(table.registers) == ["model_number", "goal", "load"]
    assert (table.size, table.eeprom_size) == (16, 2)
    assert table.radians_per_count == pytest.approx(0.00511327, rel=1e-5)
    assert "goal" in table
    assert "speed" not in table


def test_changes_additions_and_omissions(load) -> None:  # type: ignore[no-untyped-def]
    table = load(
        MODEL.replace('base = "base"', 'base = "base"\nwithout = ["load"]')
        + 'ram = [{ name = "speed", address = 4, size = 1 }]\n'
        + "[change]\nmodel_number = { default = 7 }\ngoal = { highest = 50 }\n"
    )
    assert list(table.registers) == ["model_number", "speed", "goal"]
    assert table.decode("model_number", table.image()) == 7
    with pytest.raises(HarnessError, match="goal = 51"):
        table.encode("goal", 51)


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [("goal", -2, "fffffffe"), ("goal", 100, "00000064"), ("load", -3, "0403")],
)
def test_values_both_ways(load, name: str, value: int, wire: str) -> None:  # type: ignore[no-untyped-def]
    table = load()
    assert table.encode(name, value).hex() == wire
    assert table.decode(name, bytes.fromhex(wire), table[name].address) == value


@pytest.mark.parametrize(
    ("model", "part"),
    [
        (MODEL + "[change]\nspeed = { default = 1 }\n", "speed"),
        (MODEL + 'ram = [{ name = "other", address = 12, size = 2 }]\n', "overlaps"),
        (MODEL + 'ram = [{ name = "goal", address = 40, size = 2 }]\n', "twice"),
        (MODEL.replace("baud", "bauds"), "bauds"),
        (MODEL.replace("counts_per_turn = 1024", "counts_per_turn = 0"), "counts_per_turn"),
    ],
)
def test_table_that_contradicts_itself(load, model: str, part: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((HarnessError, BadInput), match=part):
        load(model)


def test_base_files_are_no_models(load) -> None:  # type: ignore[no-untyped-def]
    load()
    with pytest.raises(BadInput, match="known: m1"):
        load_table("any.package", "base", "Test")


def test_values_that_do_not_fit(load) -> None:  # type: ignore[no-untyped-def]
    table = load()
    with pytest.raises(HarnessError, match="does not fit"):
        table.encode("load", 2000)
    with pytest.raises(HarnessError, match="outside the"):
        table.decode("load", b"\0", 14)
    assert decode_signed(encode_signed(-5, 3), 3) == -5
