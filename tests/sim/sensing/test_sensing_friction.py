"""Taps of a surface that slides: how many, when, and how hard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.sensing.friction import Scrape, tap_impulse, tap_times

SCRAPE = Scrape(spacing_m=1e-4, share=1e-3, least_m_s=0.002)


def test_bumps_pass_at_speed_over_spacing() -> None:
    rng = np.random.default_rng(5)
    counts = [len(tap_times(SCRAPE, 0.05, 0.1, rng)) for _ in range(2000)]
    # 50 in a tenth of a second; Poisson, so that variance and mean are the same
    assert np.mean(counts) == pytest.approx(50, abs=4 * np.sqrt(50 / 2000))
    assert np.var(counts) == pytest.approx(50, rel=0.15)


@given(st.floats(0, 1), st.floats(0, 0.1), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_taps_are_in_order_and_within_the_time(speed: float, seconds: float, seed: int) -> None:
    times = tap_times(SCRAPE, speed, seconds, np.random.default_rng(seed))
    assert (np.diff(times) >= 0).all()
    assert ((times >= 0) & (times <= seconds)).all()
    assert speed >= SCRAPE.least_m_s or not len(times)


def test_taps_carry_the_share_of_the_work_of_friction() -> None:
    mass, friction, way = 0.3, 4.0, 0.02
    energy = tap_impulse(SCRAPE, friction, mass) ** 2 / (2 * mass) * way / SCRAPE.spacing_m
    assert energy == pytest.approx(SCRAPE.share * friction * way)
