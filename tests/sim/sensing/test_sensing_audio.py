"""Contact sound: what rings, how long, and that it does not depend on how it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, hilbert, sosfiltfilt

from hil.errors import BadInput, HarnessError
from sim.sensing.audio import RATE_HZ, ContactSound, Impact, impulse_of_step
from sim.sensing.materials import load_materials, tap_spectrum

MATERIALS = load_materials()
NS = 1_000_000_000


def sound_of(*impacts: Impact, count: int = RATE_HZ) -> np.ndarray:
    sound = ContactSound(MATERIALS)
    for impact in impacts:
        sound.strike(impact)
    return sound.render(count)


def formula(impact: Impact, count: int) -> np.ndarray:
    """The sum of the module's docstring, written out."""
    material = MATERIALS[impact.material]
    scale = impact.size_m / material.size_m
    contact = max(MATERIALS[n].contact_s for n in (impact.material, impact.striker) if n)
    since = np.arange(count) / RATE_HZ - impact.stamp_ns / NS
    pressure = np.zeros(count)
    for mode in material.modes:
        frequency, decay = mode.frequency_hz / scale, mode.decay_s * scale
        if frequency >= RATE_HZ / 2:
            continue
        share = tap_spectrum(np.array([frequency]), contact)[0]
        gain = impact.impulse_n_s * material.loudness_pa_per_n_s * mode.gain * share
        ringing = np.where(since >= 0, np.exp(-np.maximum(since, 0) / decay), 0)
        pressure += gain * ringing * np.sin(2 * np.pi * frequency * since)
    return pressure


impacts = st.builds(
    Impact,
    stamp_ns=st.integers(0, 100_000_000),
    impulse_n_s=st.floats(0, 0.1),
    material=st.sampled_from(sorted(MATERIALS)),
    size_m=st.sampled_from([0.03, 0.08, 0.15, 0.4]),
    striker=st.sampled_from(["", *sorted(MATERIALS)]),
)


@given(st.lists(impacts, max_size=5), st.lists(st.integers(1, 700), max_size=8))
@settings(max_examples=60, deadline=None)
def test_it_is_the_sum_of_decaying_sines_however_it_is_cut(
    struck: list[Impact], cuts: list[int]
) -> None:
    whole = sound_of(*struck, count=2400)
    sound = ContactSound(MATERIALS)
    for impact in struck:
        sound.strike(impact)
    pieces = [sound.render(count) for count in cuts]
    pieces.append(sound.render(max(0, 2400 - sum(cuts))))
    joined = np.concatenate(pieces)[:2400]
    # a mode that has ended is let go at 1e-7 Pa
    np.testing.assert_allclose(joined, whole, atol=2e-7)
    wanted = sum((formula(one, 2400) for one in struck), np.zeros(2400))
    np.testing.assert_allclose(whole, wanted, atol=1e-9)


@given(st.lists(impacts, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_impacts_may_be_told_block_by_block(struck: list[Impact]) -> None:
    sound = ContactSound(MATERIALS)
    waiting = sorted(struck, key=lambda one: one.stamp_ns)
    blocks = []
    for block in range(8):
        end_ns = (block + 1) * 20_000_000
        while waiting and waiting[0].stamp_ns < end_ns:
            sound.strike(waiting.pop(0))
        blocks.append(sound.render(320))
    np.testing.assert_allclose(np.concatenate(blocks), sound_of(*struck, count=2560), atol=2e-7)


@pytest.mark.parametrize("name", ["steel", "glass"])
def test_decay_times_measured_back_from_the_sound(name: str) -> None:
    """Band-pass, Hilbert envelope, slope of its logarithm: within 3 % of the table's."""
    pressure = sound_of(Impact(10_000_000, 0.01, name, 0.15), count=RATE_HZ)
    measured = 0
    for mode in MATERIALS[name].modes:
        if mode.frequency_hz > 7000:  # too near to half the rate for a filter
            continue
        band = [mode.frequency_hz * 0.8, min(mode.frequency_hz * 1.2, 7900)]
        heard = sosfiltfilt(butter(3, band, "bandpass", fs=RATE_HZ, output="sos"), pressure)
        envelope = np.abs(hilbert(heard))
        since = np.arange(RATE_HZ) / RATE_HZ - 0.01
        ringing = (since > 0.2 * mode.decay_s) & (since < 2.2 * mode.decay_s)
        slope = np.polyfit(since[ringing], np.log(envelope[ringing]), 1)[0]
        assert -1 / slope == pytest.approx(mode.decay_s, rel=0.03)
        measured += 1
    assert measured == 2


@pytest.mark.parametrize("name", sorted(MATERIALS))
def test_frequency_and_decay_of_every_material_by_linear_prediction(name: str) -> None:
    """Prony's method on a body so large that all its modes are heard: within 0.1 %.

    A sum of m decaying sines obeys a linear recursion of 2 m terms, whose roots are
    exp((-1/tau + 2 pi i f)/rate): found from the samples alone.
    """
    size = 0.15 * 4 if name != "rubber" else 0.15 / 6
    pressure = sound_of(Impact(0, 1.0, name, size), count=1600)
    modes = [
        (mode.frequency_hz * 0.15 / size, mode.decay_s * size / 0.15)
        for mode in MATERIALS[name].modes
        if mode.frequency_hz * 0.15 / size < RATE_HZ / 2
    ]
    order = 2 * len(modes)
    rows = np.lib.stride_tricks.sliding_window_view(pressure[:400], order + 1)
    recursion = np.linalg.lstsq(rows[:, :-1], -rows[:, -1], rcond=None)[0]
    roots = np.roots(np.concatenate([[1.0], recursion[::-1]]))
    found = sorted(
        (np.angle(root) * RATE_HZ / (2 * np.pi), -1 / (np.log(np.abs(root)) * RATE_HZ))
        for root in roots
        if root.imag > 0
    )
    np.testing.assert_allclose(found, modes, rtol=1e-3)


def test_nothing_sounds_before_it_is_struck() -> None:
    pressure = sound_of(Impact(62_500_001, 0.01, "steel", 0.15), count=2000)
    assert (pressure[:1001] == 0).all()
    assert pressure[1001] != 0


def test_sound_grows_with_the_impulse_and_adds_up() -> None:
    one, two = Impact(0, 0.01, "wood", 0.2), Impact(3_333_333, 0.02, "wood", 0.2)
    np.testing.assert_allclose(
        sound_of(one, two), sound_of(one) + sound_of(two), rtol=0, atol=1e-12
    )
    twice = Impact(0, 0.02, "wood", 0.2)
    np.testing.assert_allclose(sound_of(twice), 2 * sound_of(one), atol=1e-12)


def test_a_soft_striker_takes_the_high_tones_away() -> None:
    def high(striker: str) -> float:
        spectrum = np.abs(np.fft.rfft(sound_of(Impact(0, 0.01, "steel", 0.15, striker)))) ** 2
        return float(spectrum[3000:].sum() / spectrum.sum())

    assert high("") == high("glass") > 3 * high("plastic") > 0


def test_a_body_with_no_mode_in_the_band_is_silent() -> None:
    assert (sound_of(Impact(0, 1.0, "steel", 0.02)) == 0).all()


def test_only_a_force_that_grows_sounds() -> None:
    assert impulse_of_step(0.0, 50.0, 0.001) == 0.05
    assert impulse_of_step(50.0, 50.0, 0.001) == 0.0
    assert impulse_of_step(50.0, 10.0, 0.001) == 0.0


def test_what_cannot_be_is_refused() -> None:
    sound = ContactSound(MATERIALS)
    sound.render(160)
    with pytest.raises(HarnessError, match=r"0\.004938 s after"):
        sound.strike(Impact(5_000_000, 0.1, "wood", 0.1))
    sound.strike(Impact(9_950_000, 0.1, "wood", 0.1))  # between the last sample and the next
    for impulse in (-1.0, float("nan"), float("inf")):
        with pytest.raises(HarnessError, match="an impulse of"):
            sound.strike(Impact(10_000_000, impulse, "wood", 0.1))
    with pytest.raises(HarnessError, match="cannot sound"):
        sound.strike(Impact(10_000_000, 0.1, "wood", 0.0))
    with pytest.raises(BadInput, match="'water' sounds"):
        sound.strike(Impact(10_000_000, 0.1, "water", 0.1))
    with pytest.raises(BadInput, match="'felt' sounds"):
        sound.strike(Impact(10_000_000, 0.1, "wood", 0.1, striker="felt"))
