"""Step responses with answers in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import grid, recorded, stamps
from scipy import signal

from hil.errors import BadInput
from hil.metrology.series import Series
from hil.metrology.step import step_measures, step_response

COMMAND_S = 0.2
COMMAND_NS = int(stamps([COMMAND_S])[0])


def first_order(constant_s: float, dead_s: float, start: float, end: float) -> Series:
    def y(times: np.ndarray) -> np.ndarray:
        since = np.maximum(times - COMMAND_S - dead_s, 0.0)
        return start + (end - start) * -np.expm1(-since / constant_s)

    return recorded(y, 4.0)


def second_order(damping: float, natural_rad_s: float) -> Series:
    system = signal.TransferFunction(
        [natural_rad_s**2], [1, 2 * damping * natural_rad_s, natural_rad_s**2]
    )
    times = grid(6.0, 2000)
    after = times >= COMMAND_S - 1e-12
    value = np.zeros(len(times))
    value[after] = signal.step(system, T=times[after] - times[after][0])[1]
    return Series.of("joint", stamps(times), value)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.02, 0.3),
    st.floats(0, 0.2),
    st.floats(-2, 2),
    st.sampled_from([-1.5, -0.3, 0.3, 1.5]),
)
def test_a_first_order_response(constant: float, dead: float, start: float, step: float) -> None:
    """Rise ln(9) T, settling to 2 % ln(50) T, onset at 2 % ln(1 / 0.98) T after the dead time."""
    end = start + step
    measured = first_order(constant, dead, start, end)
    found = step_response(measured, COMMAND_NS, end + 0.01, rest_s=0.5)
    assert found.dead_s == pytest.approx(dead - math.log(0.98) * constant, abs=1e-3)
    assert found.rise_s == pytest.approx(math.log(9) * constant, abs=1e-3)
    assert found.settling_s == pytest.approx(dead + math.log(50) * constant, abs=2e-3)
    assert found.overshoot == pytest.approx(0.0, abs=1e-3)
    assert found.error == pytest.approx(0.01, abs=1e-4)


@pytest.mark.parametrize("damping", [0.2, 0.4, 0.6, 0.8])
def test_overshoot_of_a_second_order_response(damping: float) -> None:
    """exp(-pi zeta / sqrt(1 - zeta^2)) (Ogata, Modern Control Engineering, section 5.3)."""
    found = step_response(second_order(damping, 20.0), COMMAND_NS, 1.0, rest_s=1.0)
    wanted = math.exp(-math.pi * damping / math.sqrt(1 - damping**2))
    assert found.overshoot == pytest.approx(wanted, abs=2e-4)
    assert found.error == pytest.approx(0.0, abs=1e-4)


def test_settling_of_a_second_order_response() -> None:
    """For zeta = 0.5 the last exit from 2 % is found on the closed form itself."""
    zeta, natural = 0.5, 20.0
    times = np.linspace(0, 2, 2_000_001)
    damped = natural * math.sqrt(1 - zeta**2)
    off = np.exp(-zeta * natural * times) * (
        np.cos(damped * times) + zeta * natural / damped * np.sin(damped * times)
    )
    wanted = times[np.flatnonzero(np.abs(off) > 0.02)[-1]]
    found = step_response(second_order(zeta, natural), COMMAND_NS, 1.0, rest_s=1.0)
    assert found.settling_s == pytest.approx(wanted, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 100), st.floats(-50, 50), st.integers(-(10**15), 10**15))
def test_unit_zero_and_clock_do_not_matter(scale: float, offset: float, shift: int) -> None:
    first = second_order(0.3, 15.0)
    wanted = step_response(first, COMMAND_NS, 1.1, rest_s=1.0)
    moved = Series.of("joint", first.stamp_ns + shift, scale * first.value + offset)
    got = step_response(moved, COMMAND_NS + shift, scale * 1.1 + offset, rest_s=1.0)
    assert (got.dead_s, got.rise_s, got.settling_s) == pytest.approx(
        (wanted.dead_s, wanted.rise_s, wanted.settling_s), abs=1e-6
    )
    assert got.overshoot == pytest.approx(wanted.overshoot, abs=1e-6)
    assert got.error == pytest.approx(scale * wanted.error, abs=1e-6 * (scale + abs(offset)))


def test_a_response_that_rings_on_never_settles() -> None:
    measured = recorded(
        lambda t: np.where(t > COMMAND_S, 1 + 0.05 * np.sin(60 * (t - COMMAND_S)), 0.0), 3.0
    )
    found = step_response(measured, COMMAND_NS, 1.0, rest_s=1.0)
    assert found.settling_s == math.inf
    assert found.overshoot == pytest.approx(0.05, abs=2e-3)


@pytest.mark.parametrize("end", [0.0, 0.4, -1.0])
def test_no_response_is_worse_than_any(end: float) -> None:
    measured = recorded(lambda t: np.where(t > COMMAND_S + 0.1, end, 0.0), 3.0)
    found = step_response(measured, COMMAND_NS, 1.0, rest_s=1.0)
    assert (found.dead_s, found.rise_s, found.overshoot, found.settling_s) == (math.inf,) * 4
    assert found.error == pytest.approx(1.0 - end)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command_ns": 0}, "0 samples up to the command"),
        ({"rest_s": 3.9}, "begin before the command"),
        ({"rest_s": 30.0}, "are needed"),
        ({"target": 0.0}, "asks for no step"),
        ({"onset": 1e-6}, "strays by"),
    ],
)
def test_records_that_cannot_answer_are_refused(change: dict[str, float], words: str) -> None:
    measured = first_order(0.1, 0.0, 0.0, 1.0)
    before = measured.stamp_ns <= COMMAND_NS
    noisy = measured.map(
        lambda value: value + np.where(before, 1e-4 * (-1.0) ** np.arange(len(value)), 0)
    )
    noisy = noisy.map(lambda value: value - np.where(before, value[before].mean(), 0))
    asked = {"command_ns": COMMAND_NS, "target": 1.0, "rest_s": 0.5, **change}
    with pytest.raises(BadInput, match=words) as refused:
        step_response(noisy, asked.pop("command_ns"), asked.pop("target"), **asked)  # type: ignore[arg-type]
    assert refused.value.remedy


def test_steps_over_repeats() -> None:
    constants = (0.09, 0.1, 0.11)
    steps = [
        step_response(first_order(c, 0.05, 0.0, 0.5), COMMAND_NS, 0.52, rest_s=0.5)
        for c in constants
    ]
    dead, rise, overshoot, settling, error = step_measures(steps, "rad")
    assert rise.value == pytest.approx(math.log(9) * 0.1, abs=1e-3)
    assert rise.interval is not None
    half = 4.303 * math.log(9) * 0.01 / math.sqrt(3)
    assert rise.interval[1] - rise.value == pytest.approx(half, abs=1e-3)
    assert [one.unit for one in (dead, rise, overshoot, settling, error)] == [
        "s", "s", "1", "s", "rad",
    ]  # fmt: skip
    assert error.value == pytest.approx(0.02, abs=1e-4)
    with pytest.raises(BadInput, match="dead time: 2 repeats"):
        step_measures(steps[:2], "rad")


def test_absent_samples_are_bridged_and_counted() -> None:
    full = first_order(0.1, 0.05, 0.0, 1.0)
    value = full.value.copy()
    value[300:303] = math.nan
    value[10] = math.nan
    holed = Series.of("joint", full.stamp_ns, value)
    wanted = step_response(full, COMMAND_NS, 1.0, rest_s=0.5)
    got = step_response(holed, COMMAND_NS, 1.0, rest_s=0.5)
    assert got.absent == 4
    assert got.rise_s == pytest.approx(wanted.rise_s, abs=1e-3)
    assert step_measures([got, got, wanted], "rad")[1].absent == 8
