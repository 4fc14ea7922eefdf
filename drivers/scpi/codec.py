"""SCPI answers as text: numbers, switches, identities, and the error queue. Pure.

Source: IEEE 488.2 (response data) and SCPI-99, volumes 1 and 2 (numeric values, SYSTem:ERRor).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z%]*)\s*")
_ERROR = re.compile(r'\s*([-+]?\d+)\s*(?:,\s*"?(.*?)"?\s*)?')
_INFINITY = 9.9e37
"""SCPI's number for infinity: an overload."""

_NOT_A_NUMBER = 9.91e37

_SWITCHES = {"1": True, "ON": True, "0": False, "OFF": False}


@dataclass(frozen=True, slots=True)
class ScpiError:
    """One entry of the error queue; code 0 says that the queue is empty."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class ScpiIdentity:
    """What `*IDN?` tells; parts that an instrument leaves out are empty."""

    maker: str
    model: str
    serial: str
    firmware: str


def parse_number(text: str) -> float | None:
    """A number, with a unit behind it or not; inf where it is SCPI's infinity, NaN where it is
    its not-a-number, None where it is no number at all."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    value = float(match.group(1))
    if abs(value) >= _NOT_A_NUMBER:
        return math.nan
    if abs(value) >= _INFINITY:
        return math.copysign(math.inf, value)
    return value


def parse_switch(text: str) -> bool | None:
    """A boolean; None where it is none."""
    return _SWITCHES.get(text.strip().upper())


def parse_error(text: str) -> ScpiError | None:
    """An answer to `SYSTem:ERRor?`, which some instruments give without a text; None where it
    is none."""
    match = _ERROR.fullmatch(text)
    if match is None:
        return None
    return ScpiError(int(match.group(1)), match.group(2) or "")


def parse_identity(text: str) -> ScpiIdentity:
    """An answer to `*IDN?`: four fields by commas; what is missing is empty."""
    fields = [field.strip().strip('"') for field in text.split(",", 3)]
    return ScpiIdentity(*fields, *[""] * (4 - len(fields)))
