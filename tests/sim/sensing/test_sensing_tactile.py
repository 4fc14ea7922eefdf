"""Tactile pads: forces are kept, patterns lie where the contacts are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from hil.contracts import NEVER, Capability
from hil.errors import HarnessError
from sim.sensing.defaults import load_defaults
from sim.sensing.tactile import Contacts, Pad, PadModel, labels, press, taxels
from sim.sensing.touch import centre_of_pressure, grid, total_force

NS = 1_000_000_000
PAD = PadModel(
    rate_hz=100,
    rows=4,
    cols=6,
    pitch_m=0.004,
    size_m=(0.024, 0.016),
    spread_m=0.003,
    shear=True,
    saturation_n=50,
)


def one(x: float, y: float, normal: float, shear: tuple[float, float] = (0.0, 0.0)) -> Contacts:
    return Contacts(np.array([[x, y]]), np.array([normal]), np.array([shear]))


@st.composite
def contacts_on(draw: st.DrawFn, pad: PadModel) -> Contacts:
    count = draw(st.integers(0, 6))
    half = np.array(pad.size_m) / 2
    unit = draw(arrays(float, (count, 2), elements=st.floats(-1, 1)))
    normal = draw(arrays(float, count, elements=st.floats(0, 100)))
    shear = draw(arrays(float, (count, 2), elements=st.floats(-50, 50)))
    return Contacts(unit * half, normal, shear)


@given(st.integers(1, 8), st.integers(1, 8), st.floats(1e-5, 0.05), st.data())
@settings(max_examples=200, deadline=None)
def test_the_taxels_of_a_plane_sum_to_the_force(
    rows: int, cols: int, spread: float, data: st.DataObject
) -> None:
    pad = PadModel(
        rate_hz=100, rows=rows, cols=cols, pitch_m=0.004, size_m=(0.04, 0.03),
        spread_m=spread, shear=True, saturation_n=1,
    )  # fmt: skip
    contacts = data.draw(contacts_on(pad))
    forces = press(pad, contacts)
    assert forces.shape == (3, rows, cols)
    wanted = [contacts.normal.sum(), *contacts.shear.sum(axis=0)]
    np.testing.assert_allclose(forces.sum(axis=(1, 2)), wanted, rtol=1e-12, atol=1e-10)
    assert (forces[0] >= 0).all()


@given(contacts_on(PAD), contacts_on(PAD))
@settings(deadline=None)
def test_contacts_add_up(first: Contacts, second: Contacts) -> None:
    both = Contacts(
        np.concatenate([first.position, second.position]),
        np.concatenate([first.normal, second.normal]),
        np.concatenate([first.shear, second.shear]),
    )
    np.testing.assert_allclose(press(PAD, both), press(PAD, first) + press(PAD, second), atol=1e-9)


def test_the_pattern_is_the_gaussian_of_the_docstring() -> None:
    x, y, force = 0.0031, -0.0017, 7.0
    cols, rows = taxels(PAD)
    weights = np.exp(-((rows[:, None] - y) ** 2 + (cols - x) ** 2) / (2 * PAD.spread_m**2))
    np.testing.assert_allclose(
        press(PAD, one(x, y, force))[0], force * weights / weights.sum(), rtol=1e-12
    )


def test_a_spread_far_below_the_pitch_gives_all_to_the_nearest_taxel() -> None:
    sharp = PAD.model_copy(update={"spread_m": 1e-6})
    forces = press(sharp, one(0.0061, 0.0021, 3.0))
    assert forces[0, 2, 4] == 3.0
    assert np.count_nonzero(forces[0]) == 1


def test_a_contact_beside_the_pad_is_not_felt() -> None:
    assert press(PAD, one(0.0121, 0.0, 5.0)).sum() == 0
    assert press(PAD, one(0.0, -0.0081, 5.0)).sum() == 0
    assert press(PAD, one(0.012, 0.008, 5.0))[0].sum() == pytest.approx(5.0)
    assert press(PAD, Contacts.none()).shape == (3, 4, 6)


def test_without_shear_there_is_one_plane() -> None:
    plain = PAD.model_copy(update={"shear": False})
    assert press(plain, one(0, 0, 2.0, (1.0, 1.0))).shape == (1, 4, 6)
    assert labels(plain)[:7] == (*(f"z.r0.c{c}" for c in range(6)), "z.r1.c0")
    assert len(labels(PAD)) == len(set(labels(PAD))) == 72


def test_the_centre_of_pressure_is_that_of_the_contacts_where_no_edge_is_near() -> None:
    fine = PadModel(
        rate_hz=100, rows=41, cols=41, pitch_m=0.001, size_m=(0.05, 0.05),
        spread_m=0.002, saturation_n=100,
    )  # fmt: skip
    contacts = Contacts(
        np.array([[0.004, -0.003], [-0.005, 0.001]]), np.array([3.0, 1.0]), np.zeros((2, 2))
    )
    found = centre_of_pressure(fine, press(fine, contacts).ravel())
    np.testing.assert_allclose(found, [0.00175, -0.002], atol=1e-6)


def test_contacts_of_the_world_are_those_of_a_turned_pad() -> None:
    rng = np.random.default_rng(4)
    turn = Rotation.random(rng=rng)
    at = np.array([0.3, -0.1, 0.2])
    local = np.column_stack([rng.uniform(-0.01, 0.01, (5, 2)), np.zeros(5)])
    felt = np.column_stack([rng.normal(0, 1, (5, 2)), -rng.uniform(0, 9, 5)])
    found = Contacts.of_world(turn.apply(local) + at, turn.apply(felt), at, turn.as_matrix())
    np.testing.assert_allclose(found.position, local[:, :2], atol=1e-12)
    np.testing.assert_allclose(found.normal, -felt[:, 2], atol=1e-12)
    np.testing.assert_allclose(found.shear, felt[:, :2], atol=1e-12)


def test_a_force_that_pulls_presses_nothing() -> None:
    pulled = Contacts.of_world(
        np.zeros((1, 3)), np.array([[1.0, 0.0, 2.0]]), np.zeros(3), np.eye(3)
    )
    assert pulled.normal.tolist() == [0.0]
    assert (
        len(Contacts.of_world(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(3), np.eye(3)).normal)
        == 0
    )
    with pytest.raises(HarnessError, match="never pulls"):
        one(0, 0, -1.0)
    with pytest.raises(HarnessError, match="do not fit"):
        Contacts(np.zeros((2, 2)), np.zeros(1), np.zeros((2, 2)))


def test_a_reading_has_threshold_range_and_steps() -> None:
    model = PAD.model_copy(
        update={"threshold_n": 0.05, "saturation_n": 2.0, "resolution_n": 0.01, "spread_m": 1e-6}
    )
    pad = Pad("tip", model, seed=1)
    assert pad.facts.kind is Capability.TACTILE
    for stamp, normal, shear in ((0, 0.049, -0.049), (1, 0.123, -0.127), (2, 9.0, -9.0)):
        pad.offer(stamp * NS // 100, one(0.002, 0.002, normal, (shear, 0.0)))
        planes = grid(model, pad.channel.newest(stamp * NS // 100).value)
        wanted = {0: (0.0, 0.0), 1: (0.12, -0.13), 2: (2.0, -2.0)}[stamp]
        np.testing.assert_allclose((planes[0, 2, 3], planes[1, 2, 3]), wanted, atol=1e-12)
        assert planes.sum() == pytest.approx(sum(wanted))


def test_an_untouched_pad_reads_no_pull_however_noisy_it_is() -> None:
    model = PAD.model_copy(update={"noise_n": 0.1, "threshold_n": 0.02})
    pad = Pad("tip", model, seed=1)
    pad.offer(0, Contacts.none())
    planes = grid(model, pad.channel.newest(0).value)
    assert planes[0].min() == 0 < planes[0].max()
    assert planes[1].min() < 0 < planes[1].max()


def test_the_default_pad_measures_a_grip_within_its_noise() -> None:
    model = load_defaults().tactile
    pad = Pad("tip", model, seed=3)
    read = []
    for k in range(400):
        stamp = k * NS // 100
        pad.offer(stamp, one(0.001, -0.001, 4.0, (0.8, 0.0)))
        sample = pad.channel.newest(stamp)
        if sample.present.all():
            read.append(total_force(model, sample.value))
    assert len(read) > 390
    mean = np.mean(read, axis=0)
    # taxels under the threshold are not told: that much of a plane's force can be missing
    most_missing = model.threshold_n * model.rows * model.cols
    assert 4.0 - most_missing < mean[0] < 4.0 + 0.1
    assert 0.8 - most_missing < mean[1] < 0.8 + 0.1


def test_nothing_was_felt_before_anything_arrived() -> None:
    model = load_defaults().tactile
    sample = Pad("tip", model, seed=3).channel.newest(NS)
    assert np.isnan(sample.value).all()
    assert (sample.age_ns == NEVER).all()
    assert np.isnan(total_force(model, sample.value)).all()


def test_taxels_that_do_not_fit_on_the_pad_are_refused() -> None:
    with pytest.raises(ValueError, match="more than size_m"):
        PadModel(
            rate_hz=100, rows=4, cols=4, pitch_m=0.01, size_m=(0.02, 0.04),
            spread_m=0.01, saturation_n=1,
        )  # fmt: skip
