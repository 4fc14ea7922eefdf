from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import grid, stamps

from hil.errors import BadInput
from hil.metrology.backlash import backlash
from hil.metrology.series import Series
from hil.metrology.summary import Measure

PERIOD_S = 20.0
AMPLITUDE_RAD = 0.5


def sweep(times: np.ndarray) -> np.ndarray:
    """To and fro between -0.5 and 0.5 rad, evenly, 0.1 rad/s."""
    phase = times % PERIOD_S / PERIOD_S
    return AMPLITUDE_RAD * (1 - 4 * np.abs(phase - 0.5))


def play(motor: np.ndarray, width: float) -> np.ndarray:
    """What a free load with friction does behind teeth with play: it rests until it is pushed."""
    load, here = np.empty_like(motor), motor[0] - width / 2
    for row, there in enumerate(motor):
        here = min(max(here, there - width / 2), there + width / 2)
        load[row] = here
    return load


def measured(
    width: float,
    pairs: float = 4,
    *,
    eccentric: float = 0.0,
    noise: float = 0.0,
    scale: float = 1.0,
    late_s: float = 0.0,
    seed: int = 5,
) -> Measure:
    rng = np.random.default_rng(seed)
    times = grid(pairs * PERIOD_S, 50)
    motor = sweep(times)
    load = play(motor, width)
    load = load + eccentric * np.sin(7 * load) + noise * rng.normal(size=len(times))
    motor = motor + noise * rng.normal(size=len(times))
    return backlash(
        Series.of("motor", stamps(times), scale * motor),
        Series.of("load", stamps(times + late_s), scale * load),
        turn=0.05 * scale,
    )


@given(st.floats(0.0, 0.1))
@settings(max_examples=15, deadline=None)
def test_the_width_of_the_play(width: float) -> None:
    found = measured(width)
    assert found.value == pytest.approx(width, abs=1e-6)
    assert (found.name, found.unit, found.n) == ("backlash", "rad", 4)


def test_an_eccentric_gear_cancels() -> None:
    assert measured(0.03, eccentric=0.05).value == pytest.approx(0.03, abs=2e-4)


def test_noise_averages_out_and_shows_in_the_interval() -> None:
    """The interval is meant to hold in 95 % of cases: 15 of 20 or fewer come once in 400."""
    found = [measured(0.03, noise=0.002, seed=seed) for seed in range(20)]
    assert np.mean([one.value for one in found]) == pytest.approx(0.03, abs=1e-4)
    held = [one.interval is not None and one.interval[0] < 0.03 < one.interval[1] for one in found]
    assert sum(held) > 15


def test_stamps_of_one_side_that_are_late_widen_it_by_twice_speed_times_delay() -> None:
    assert measured(0.03, late_s=0.05).value == pytest.approx(0.03 + 2 * 0.1 * 0.05, abs=1e-4)


@given(st.floats(0.01, 1000))
@settings(max_examples=10, deadline=None)
def test_it_scales(scale: float) -> None:
    assert measured(0.03, scale=scale).value == pytest.approx(scale * 0.03, rel=1e-4)


def test_the_first_direction_does_not_matter() -> None:
    times = grid(4 * PERIOD_S, 50)
    motor = -sweep(times)
    found = backlash(
        Series.of("motor", stamps(times), motor),
        Series.of("load", stamps(times), play(motor, 0.02)),
        turn=0.05,
    )
    assert found.value == pytest.approx(0.02, abs=1e-6)


def test_absent_samples_are_left_out_and_counted() -> None:
    times = grid(3 * PERIOD_S, 50)
    motor, load = sweep(times), play(sweep(times), 0.02)
    load[100:110] = math.nan
    motor[700] = math.nan
    found = backlash(
        Series.of("motor", stamps(times), motor), Series.of("load", stamps(times), load), turn=0.05
    )
    assert found.value == pytest.approx(0.02, abs=1e-5)
    assert found.absent == 11


@pytest.mark.parametrize(
    ("load", "turn", "words"),
    [
        (lambda motor: np.zeros_like(motor), 0.05, "the load has samples in common over 0 of 20"),
        (lambda motor: motor, 2.0, "backlash: 0 repeats"),
        (lambda motor: motor, 0.0, "turns of more than 0"),
        (lambda motor: np.column_stack([motor, motor]), 0.05, "one value a sample"),
    ],
)
def test_what_is_no_sweep_is_refused(load: object, turn: float, words: str) -> None:
    times = grid(4 * PERIOD_S, 50)
    motor = sweep(times)
    with pytest.raises(BadInput, match=words) as refused:
        backlash(
            Series.of("motor", stamps(times), motor),
            Series.of("load", stamps(times), load(motor)),  # type: ignore[operator]
            turn=turn,
        )
    assert refused.value.remedy


def test_sides_that_were_not_recorded_together_are_refused() -> None:
    times = grid(4 * PERIOD_S, 50)
    with pytest.raises(BadInput, match="no samples while load was recorded"):
        backlash(
            Series.of("motor", stamps(times), sweep(times)),
            Series.of("load", stamps(times + 1000), sweep(times)),
            turn=0.05,
        )
