"""Clocks whose truth is known, and round trips with them over ways of several kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_S
from hil.contracts import FloatArray, IntArray

BEGIN_NS = 5_000 * NS_PER_S
AHEAD_NS = 10**17
BURST = 24
LOOP_AFTER_S = 0.06
"""s from the first exchange before a loop to its first tick."""

Offset = Callable[[FloatArray], FloatArray]
"""ns that a device's clock gained on the host's, at s since the begin, any shape."""


@dataclass(frozen=True)
class Runs:
    """`episodes` loops of `loop_s` each, `idle_s` apart, bursts of exchanges around each."""

    episodes: int
    loop_s: float
    idle_s: float = 2.0

    @property
    def bursts_s(self) -> FloatArray:
        begins = np.arange(self.episodes) * (self.loop_s + 2 * LOOP_AFTER_S + self.idle_s)
        return np.column_stack([begins, begins + LOOP_AFTER_S + self.loop_s]).ravel()

    @property
    def span_s(self) -> float:
        return float(self.bursts_s[-1]) + 1

    def loops_s(self, each: int) -> FloatArray:
        """`each` times, evenly, within every loop."""
        begin, end = self.bursts_s[::2] + LOOP_AFTER_S, self.bursts_s[1::2]
        return np.linspace(begin, end, each, axis=1).ravel()


def steady(drift_ppm: float) -> Offset:
    return lambda at_s: at_s * drift_ppm * 1e3


def stepped(drift_ppm: float, step_ns: float, step_s: float) -> Offset:
    """Set by `step_ns`, `step_s` after the begin."""
    return lambda at_s: at_s * drift_ppm * 1e3 + step_ns * (np.asarray(at_s) >= step_s)


def wandering(drift_ppm: float, wander_ppm: float, span_s: float, seed: int) -> Offset:
    """A rate that walks at random, by `wander_ppm` per root second."""
    apart_s = 0.05
    steps = np.random.default_rng(seed).normal(0, wander_ppm * 1e3, int(span_s / apart_s) + 200)
    rate = drift_ppm * 1e3 + np.cumsum(steps) * np.sqrt(apart_s)
    gained = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * apart_s)])
    return lambda at_s: np.interp(at_s, np.arange(len(rate)) * apart_s - 2, gained)


WAYS = ("even", "one way", "uneven", "changing", "bursty")


def ways(kind: str, bursts: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Times of the ways there and back, each (bursts, BURST), ns.

    "one way": all of the least time is on the way there, so that the truth is at the very edge
    of what a trip says. "changing": the least times differ from burst to burst. "bursty": half
    of the bursts are hit by delays of up to 8 ms.
    """
    least = {"uneven": (800e3, 20e3), "one way": (300e3, 0.0)}.get(kind, (60e3, 60e3))
    noise_ns = 5e3 if kind == "one way" else 100e3
    there, back = (one + rng.exponential(noise_ns, (bursts, BURST)) for one in least)
    if kind == "changing":
        there += rng.uniform(0, 300e3, (bursts, 1))
        back += rng.uniform(0, 300e3, (bursts, 1))
    if kind == "bursty":
        fate = rng.random((bursts, 1))
        there += (fate < 0.2) * rng.uniform(0.2e6, 8e6, (bursts, 1))
        back += ((fate >= 0.2) & (fate < 0.4)) * rng.uniform(0.2e6, 8e6, (bursts, 1))
        both = (fate >= 0.4) & (fate < 0.5)
        there += both * rng.exponential(2e6, (bursts, BURST))
        back += both * rng.exponential(2e6, (bursts, BURST))
    return there, back


def round_trips(
    offset: Offset, sent_s: FloatArray, there: FloatArray, back: FloatArray, inside_ns: float
) -> IntArray:
    """Rows of `fit_clock`, (n, 4); `inside_ns` passes on the device."""
    sent = np.rint(sent_s * 1e9)
    arrived = np.rint(sent + there)
    left = np.rint(arrived + inside_ns)
    rows = [sent, arrived, left, np.rint(left + back)]
    host = np.stack([row.ravel().astype(np.int64) for row in rows], axis=-1)
    ahead = AHEAD_NS + np.rint(offset(host / 1e9)).astype(np.int64)
    return host + BEGIN_NS + ahead * np.array([0, 1, 1, 0])


def exchanges(offset: Offset, runs: Runs, kind: str, seed: int) -> IntArray:
    """The bursts around all loops."""
    sent_s = runs.bursts_s[:, None] + np.arange(BURST) * 0.0022
    there, back = ways(kind, len(sent_s), np.random.default_rng(seed))
    return round_trips(offset, sent_s, there, back, 20e3)


def decisions(offset: Offset, runs: Runs, kind: str, seed: int, rate_hz: float = 20.0) -> IntArray:
    """Inferences of all loops as round trips: longer on the way, and more so there than back."""
    rng = np.random.default_rng(seed + 1_000_000)
    sent_s = runs.loops_s(round(runs.loop_s * rate_hz))
    there = rng.uniform(100e3, 900e3) + rng.exponential(150e3, len(sent_s))
    back = rng.uniform(60e3, 300e3) + rng.exponential(150e3, len(sent_s))
    if kind == "bursty":
        hit = np.repeat(rng.random(len(sent_s) // 10 + 1) < 0.3, 10)[: len(sent_s)]
        there += hit * rng.uniform(0, 8e6, len(sent_s))
    return round_trips(offset, sent_s, there, back, 1e6)


def device_ns(offset: Offset, at_s: FloatArray) -> IntArray:
    """What the device's clock shows at s since the begin."""
    host = np.rint(at_s * 1e9).astype(np.int64)
    return host + BEGIN_NS + AHEAD_NS + np.rint(offset(host / 1e9)).astype(np.int64)


def host_ns(at_s: FloatArray) -> IntArray:
    return np.rint(at_s * 1e9).astype(np.int64) + BEGIN_NS
