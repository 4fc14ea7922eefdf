"""What is made of a pad's readings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.sensing.tactile import Contacts, PadModel, press
from sim.sensing.touch import Slip, centre_of_pressure, slip, total_force

PAD = PadModel(
    rate_hz=100, rows=5, cols=5, pitch_m=0.003, size_m=(0.016, 0.016),
    spread_m=0.002, shear=True, saturation_n=100,
)  # fmt: skip


def read(x: float, y: float, normal: float, shear: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    contacts = Contacts(np.array([[x, y]]), np.array([normal]), np.array([shear]))
    return press(PAD, contacts).ravel()


@given(st.floats(0.1, 50), st.floats(0.1, 50), st.floats(-0.006, 0.006))
@settings(deadline=None)
def test_gripping_harder_moves_nothing(before: float, now: float, x: float) -> None:
    assert slip(PAD, read(x, 0, before), read(x, 0, now)).moved == pytest.approx(0, abs=1e-12)


@given(st.floats(0, 0.004), st.floats(0, 0.004))
@settings(deadline=None)
def test_a_pattern_that_goes_farther_moves_more(first: float, second: float) -> None:
    near, far = sorted([first, second])
    start = read(-0.002, 0, 5)
    moved = [slip(PAD, start, read(-0.002 + way, 0, 5)).moved for way in (near, far)]
    assert 0 <= moved[0] <= moved[1] + 1e-12 <= 1 + 1e-9


def test_a_pattern_that_has_left_its_place_moved_entirely() -> None:
    sharp = PAD.model_copy(update={"spread_m": 1e-6})
    here, there = (
        press(sharp, Contacts(np.array([[x, 0.0]]), np.array([4.0]), np.zeros((1, 2)))).ravel()
        for x in (-0.006, 0.006)
    )
    assert slip(sharp, here, there).moved == 1.0


@given(st.floats(0.5, 50), st.floats(0, 1.5), st.floats(0, 2 * np.pi))
@settings(deadline=None)
def test_the_shear_ratio_is_friction_over_normal_force(
    normal: float, ratio: float, angle: float
) -> None:
    shear = (normal * ratio * np.cos(angle), normal * ratio * np.sin(angle))
    now = read(0.001, 0.002, normal, shear)
    assert slip(PAD, now, now).shear_ratio == pytest.approx(ratio, abs=1e-9)


def test_the_indicator_takes_the_worse_sign_and_leaves_out_what_is_absent() -> None:
    assert Slip(0.05, 0.2).indicator(0.1, 0.5) == 0.5
    assert Slip(0.02, 0.6).indicator(0.1, 0.5) == pytest.approx(1.2)
    assert Slip(0.2, np.nan).indicator(0.1, 0.5) == 2.0
    assert np.isnan(Slip(np.nan, np.nan).indicator(0.1, 0.5))


def test_nothing_pressing_has_no_centre_and_no_slip() -> None:
    nothing = np.zeros(75)
    assert np.isnan(centre_of_pressure(PAD, nothing)).all()
    assert np.isnan(slip(PAD, nothing, read(0, 0, 1)).moved)
    assert np.isnan(slip(PAD, read(0, 0, 1), nothing).shear_ratio)
    assert total_force(PAD, nothing).tolist() == [0, 0, 0]


def test_a_dead_taxel_makes_the_sum_absent_and_never_smaller() -> None:
    value = read(0, 0, 5, (1, 2))
    value[12] = np.nan
    assert np.isnan(total_force(PAD, value)[0])
    np.testing.assert_allclose(total_force(PAD, value)[1:], [1, 2])
    assert np.isnan(centre_of_pressure(PAD, value)).all()
    assert np.isnan(slip(PAD, value, read(0, 0, 5)).moved)
    assert np.isnan(slip(PAD, read(0, 0, 5), value).indicator(0.1, 0.5))


def test_a_pad_without_shear_tells_no_ratio() -> None:
    plain = PAD.model_copy(update={"shear": False})
    value = read(0, 0, 5)[:25]
    found = slip(plain, value, value)
    assert found.moved == 0
    assert np.isnan(found.shear_ratio)


def test_the_centre_follows_the_contact() -> None:
    centres = [centre_of_pressure(PAD, read(x, -x / 2, 3)) for x in np.linspace(-0.004, 0.004, 9)]
    along = np.array(centres)
    assert (np.diff(along[:, 0]) > 0).all()
    assert (np.diff(along[:, 1]) < 0).all()
    np.testing.assert_allclose(along[4], 0, atol=1e-12)
