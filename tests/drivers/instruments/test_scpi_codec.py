"""SCPI answers: numbers, switches, errors, identities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.scpi.codec import ScpiError, parse_error, parse_identity, parse_number, parse_switch


@given(st.floats(-1e30, 1e30))
def test_every_number_that_an_instrument_may_write_is_read(value: float) -> None:
    for text in (repr(value), f"{value:+.8E}", f" {value!r}V", f"{value!r} A"):
        read = parse_number(text)
        assert read is not None
        assert math.isclose(read, value, rel_tol=1e-7, abs_tol=1e-300)


@pytest.mark.parametrize("text", ["", "volts", "1,2", "1.2.3", "--1", "0x10", "nan", "inf"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse_number(text) is None


def test_scpi_s_own_infinities() -> None:
    assert parse_number("9.9E37") == math.inf
    assert parse_number("-9.9E+37") == -math.inf
    read = parse_number("9.91E37")
    assert read is not None
    assert math.isnan(read)


@given(st.text())
def test_no_text_makes_a_parser_raise(text: str) -> None:
    parse_number(text)
    parse_switch(text)
    parse_error(text)
    assert len(parse_identity(text).__class__.__dataclass_fields__) == 4


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('-113,"Undefined header"', ScpiError(-113, "Undefined header")),
        ('0,"No error"', ScpiError(0, "No error")),
        ("+0", ScpiError(0, "")),
        ("-222, Data out of range", ScpiError(-222, "Data out of range")),
        ("none", None),
    ],
)
def test_the_error_queue_in_the_forms_that_are_met(text: str, error: ScpiError | None) -> None:
    assert parse_error(text) == error


def test_identities_with_parts_missing() -> None:
    full = parse_identity("ACME,PS-1, 42 ,1.0,b")
    assert (full.maker, full.model, full.serial, full.firmware) == ("ACME", "PS-1", "42", "1.0,b")
    assert parse_identity("ACME").model == ""
