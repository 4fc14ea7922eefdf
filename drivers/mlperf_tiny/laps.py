"""What a board's own microseconds are worth: a counter that wraps, its steps, and windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, gcd
from typing import Final

from hil.clock import NS_PER_US

COUNTER_US: Final = 2**32
"""A 32-bit counter of microseconds starts again after 71.6 minutes."""

LONG_WINDOW_US: Final = 10_000_000
"""Window that the benchmark's rules ask for, since a short one is not only inference."""

_BITS_PER_BYTE = 10  # 8N1


def elapsed_us(first_us: int, second_us: int) -> int:
    """Time from one stamp to a later one less than a wrap apart.

    Modulo 2^32, unless a stamp shows that the counter is wider (ports print an unsigned long).
    A wide counter that went back gives a negative number.
    """
    if max(first_us, second_us) >= COUNTER_US:
        return second_us - first_us
    return (second_us - first_us) % COUNTER_US


def granularity_us(stamps_us: Sequence[int]) -> int | None:
    """Step of the counter as far as these stamps tell: the greatest common divisor of their
    distances, which is a multiple of the true step. None where all stamps are equal."""
    distances = [elapsed_us(first, second) for first, second in pairwise(stamps_us)]
    return gcd(*distances) or None


def print_us(stamp_us: int, baud: int) -> int:
    """Time that the line `m-lap-us-N` takes on a UART, rounded up."""
    return ceil(len(f"m-lap-us-{stamp_us}\r\n") * _BITS_PER_BYTE * 1_000_000 / baud)


class Timeline:
    """Stamps of a counter that wraps -> ns that do not.

    Between two stamps any time may pass: the host's own clock says how often the counter has
    wrapped meanwhile, which needs it to be right to half a wrap, 35 minutes.
    """

    def __init__(self) -> None:
        self._raw_us: int | None = None
        self._us = 0
        self._host_ns = 0

    def place(self, stamp_us: int, host_ns: int) -> int:
        """The stamp in ns since the counter's first start, taken at about `host_ns`."""
        if self._raw_us is None:
            self._us = stamp_us
        else:
            step_us = elapsed_us(self._raw_us, stamp_us)
            if max(self._raw_us, stamp_us) < COUNTER_US:
                passed_us = (host_ns - self._host_ns) // NS_PER_US
                step_us += max(0, round((passed_us - step_us) / COUNTER_US)) * COUNTER_US
            self._us += step_us
        self._raw_us, self._host_ns = stamp_us, host_ns
        return self._us * NS_PER_US


@dataclass(frozen=True, slots=True)
class Throughput:
    """`iterations` inferences between two stamps of a board, as it counts them.

    The first stamp is taken before it is printed and the loop begins after, so `printing_us` of
    the window at most are no inference: what the line takes on a UART of the rate given. On USB
    it takes less. The rates are inferences a second: `rate_hz` as the benchmark computes it,
    `lowest_hz` and `highest_hz` with the printing and one step of the counter either way.
    """

    iterations: int
    window_us: int
    granularity_us: int
    printing_us: int

    @property
    def rate_hz(self) -> float:
        return self._rate(self.window_us)

    @property
    def lowest_hz(self) -> float:
        return self._rate(self.window_us + self.granularity_us)

    @property
    def highest_hz(self) -> float:
        """Infinite where printing and one step could be the whole window."""
        return self._rate(self.window_us - self.granularity_us - self.printing_us)

    @property
    def long_enough(self) -> bool:
        """Whether the window is as long as the benchmark's rules ask."""
        return self.window_us >= LONG_WINDOW_US

    @property
    def iterations_needed(self) -> int:
        """Iterations for a window of 10 s, by the shortest time that one may take here."""
        shortest_us = self.window_us - self.printing_us - self.granularity_us
        if shortest_us <= 0:  # nothing but printing was seen: ask for ten times as many
            return self.iterations * 10
        return ceil(LONG_WINDOW_US * self.iterations / shortest_us)

    def _rate(self, window_us: int) -> float:
        return self.iterations * 1e6 / window_us if window_us > 0 else float("inf")

    def __str__(self) -> str:
        text = (
            f"{self.rate_hz:.4g} inferences a second ({self.lowest_hz:.4g} to"
            f" {self.highest_hz:.4g}) over {self.window_us / 1e6:.3g} s"
        )
        if self.long_enough:
            return text
        return (
            f"{text}; up to {self.printing_us} us of it print the first stamp, and a window of 10 s"
            f" needs {self.iterations_needed} iterations"
        )
