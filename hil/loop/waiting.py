"""Waiting on the wall clock: sleep until shortly before the instant, then spin to it.

The kernel returns from a sleep late, by tens of microseconds as a rule and by more under
load. A waiter keeps a running estimate of a high quantile of that lateness, asks to be woken
that much earlier, and spins for what is left. The spin costs CPU, so it is bounded by a
fraction of the period, and what it cost is part of the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from hil.clock import NS_PER_S, NS_PER_US
from hil.errors import BadInput

DEFAULT_FRACTION = 0.25
"""Share of the period that a wait may spin where nobody says otherwise."""

_GAIN = 1 / 8


@dataclass(frozen=True, slots=True)
class Spin:
    """Bounds of the margin between the end of a sleep and the instant waited for.

    The margin follows the `quantile` of the sleep's lateness between `least_ns` and `most_ns`.
    `most_ns` = 0 never spins.
    """

    most_ns: int
    least_ns: int = 5 * NS_PER_US
    quantile: float = 0.999

    def bounded(self, margin_ns: float) -> float:
        """The margin within its bounds; `most_ns` wins."""
        return min(max(margin_ns, self.least_ns), self.most_ns)


def spin_for(period_ns: int, spin_us: float | None = None) -> Spin:
    """The spin of a loop with this period; `spin_us` is the longest one a rig file allows.

    Errors: BadInput for a spin as long as the period or longer: such a loop never sleeps.
    """
    default_ns = round(period_ns * DEFAULT_FRACTION)
    if spin_us is None:
        return Spin(default_ns)
    if spin_us * NS_PER_US >= period_ns:
        raise BadInput(
            f"realtime.spin_us = {spin_us:g} us is not shorter than the period of"
            f" {period_ns / NS_PER_US:g} us: the loop would never sleep",
            f"{default_ns / NS_PER_US:g} us, a quarter of the period, would do",
        )
    return Spin(round(spin_us * NS_PER_US))


def next_margin(margin_ns: float, overslept_ns: int, spin: Spin) -> float:
    """The margin for the next wait, in ns, after a sleep that ended `overslept_ns` late.

    Stochastic approximation of a quantile on a logarithmic scale: up by 1/8 after a sleep
    that ended later than the margin allows for, down by 1/8 * (1 - q)/q after any other, so
    that in the steady state a fraction of 1 - q sleeps is later (Robbins and Monro 1951, with
    the score function of the quantile). Constant memory; one long stall moves it by one step,
    a lasting change of load in a few tens of waits. It follows, and makes no promise.
    """
    if overslept_ns > margin_ns:
        return spin.bounded(margin_ns * (1 + _GAIN))
    return spin.bounded(margin_ns * (1 - _GAIN * (1 - spin.quantile) / spin.quantile))


@dataclass(frozen=True, slots=True)
class WaitCost:
    """What waiting has cost so far; times in ns.

    `late`: waits whose instant had passed before they began. `overslept`: sleeps that ended
    after the instant, the margin notwithstanding. Spins are counted as due, from the wake-up
    to the instant. `margin_ns` is the present one.
    """

    waits: int
    late: int
    overslept: int
    slept_ns: int
    spun_ns: int
    longest_spin_ns: int
    margin_ns: int

    def as_data(self) -> dict[str, int]:
        """Plain data for the record."""
        return asdict(self)


class Waiter:
    """Waits for instants on CLOCK_MONOTONIC; one per loop, used by one thread.

    `time.sleep` is clock_nanosleep with an absolute instant (CPython 3.11 and later), and its
    length is computed anew for each wait, so nothing adds up over a run.
    """

    def __init__(
        self,
        spin: Spin,
        margin_ns: int | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`margin_ns` is the margin to begin with, such as that of the host's self-test;
        without one the waiter begins with the longest and comes down."""
        self._spin, self._now_ns, self._sleep = spin, now_ns, sleep
        self._margin_ns = spin.bounded(spin.most_ns if margin_ns is None else margin_ns)
        self._waits = self._late = self._overslept = 0
        self._slept_ns = self._spun_ns = self._longest_spin_ns = 0

    def until(self, stamp_ns: int) -> None:
        """Return at or after `stamp_ns`, at once if it has passed."""
        now_ns = self._now_ns
        began_ns = now_ns()
        self._waits += 1
        if began_ns >= stamp_ns:
            self._late += 1
            return
        # The account of the spin is taken before it: between its end and the caller's stamp
        # nothing is done that can wait.
        woke_ns = self._doze(began_ns, stamp_ns)
        spun_ns = stamp_ns - woke_ns
        if spun_ns <= 0:
            return
        self._spun_ns += spun_ns
        if spun_ns > self._longest_spin_ns:
            self._longest_spin_ns = spun_ns
        while now_ns() < stamp_ns:
            pass

    def _doze(self, began_ns: int, stamp_ns: int) -> int:
        """Sleep up to the margin before `stamp_ns` and learn from how late the sleep ended."""
        target_ns = stamp_ns - int(self._margin_ns)
        if target_ns <= began_ns:
            return began_ns
        self._sleep((target_ns - began_ns) / NS_PER_S)
        woke_ns = self._now_ns()
        self._slept_ns += woke_ns - began_ns
        if woke_ns > stamp_ns:
            self._overslept += 1
        self._margin_ns = next_margin(self._margin_ns, woke_ns - target_ns, self._spin)
        return woke_ns

    @property
    def cost(self) -> WaitCost:
        """Counts and times since the waiter was made."""
        return WaitCost(
            self._waits,
            self._late,
            self._overslept,
            self._slept_ns,
            self._spun_ns,
            self._longest_spin_ns,
            int(self._margin_ns),
        )
