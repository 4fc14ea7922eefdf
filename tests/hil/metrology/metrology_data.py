"""Synthetic records with known answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.metrology.series import Series

SECOND = 1_000_000_000


def stamps(seconds: ArrayLike, start_ns: int = 5_000_000_000) -> NDArray[np.int64]:
    return start_ns + np.round(np.asarray(seconds) * SECOND).astype(np.int64)


def grid(length_s: float, rate_hz: float) -> NDArray[np.float64]:
    """Instants from 0 to `length_s`, both included, s."""
    return np.arange(round(length_s * rate_hz) + 1) / rate_hz


def recorded(
    function: Callable[[NDArray[np.float64]], ArrayLike],
    length_s: float,
    rate_hz: float = 1000.0,
    name: str = "record",
    start_ns: int = 5_000_000_000,
) -> Series:
    """A function of time, sampled."""
    times = grid(length_s, rate_hz)
    return Series.of(name, stamps(times, start_ns), function(times))


def turned(rng: np.random.Generator) -> NDArray[np.float64]:
    """Some rotation matrix."""
    matrix = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return matrix * np.sign(np.linalg.det(matrix))
