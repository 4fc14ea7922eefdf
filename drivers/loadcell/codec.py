"""Lines of numbers to newtons. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

STANDARD_GRAVITY = 9.80665
"""m/s²; ISO 80000-3. A kilogram-force is the weight of a kilogram there."""

NEWTONS: Mapping[str, float] = {
    "N": 1.0,
    "kN": 1e3,
    "mN": 1e-3,
    "kgf": STANDARD_GRAVITY,
    "kg": STANDARD_GRAVITY,
    "gf": STANDARD_GRAVITY / 1e3,
    "g": STANDARD_GRAVITY / 1e3,
    "lbf": 0.45359237 * STANDARD_GRAVITY,
    "lbF": 0.45359237 * STANDARD_GRAVITY,
    "ozf": 0.45359237 * STANDARD_GRAVITY / 16,
    "ozF": 0.45359237 * STANDARD_GRAVITY / 16,
}
"""Size of one unit; the pound is exactly 0.45359237 kg."""

_NUMBER = r"[-+]?\s*(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_VALUE = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z]*)\s*")
_OVERLOAD = re.compile(r"\s*[-+]?\s*(OL|OVER|OVERLOAD|ERR.*|-{2,})\s*", re.IGNORECASE)


def parse_line(line: str, channels: int, unit: str, separator: str = ",") -> list[float] | None:
    """Forces in N of one line, or None where it is no line of `channels` values.

    A unit behind a number wins over `unit`; an overload is inf. A line with another number of
    values, or with a unit that is not known, is none: half a line must not pass for a whole one.
    """
    parts = line.split(separator) if channels > 1 else [line]
    if len(parts) != channels:
        return None
    values = [_value(part, unit) for part in parts]
    return None if any(value is None for value in values) else [v for v in values if v is not None]


def _value(text: str, unit: str) -> float | None:
    if _OVERLOAD.fullmatch(text):
        return math.inf
    match = _VALUE.fullmatch(text)
    if match is None:
        return None
    size = NEWTONS.get(match.group(2) or unit)
    return None if size is None else float("".join(match.group(1).split())) * size
