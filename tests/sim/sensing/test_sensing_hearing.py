"""Onsets and band levels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import periodogram

from sim.sensing.audio import RATE_HZ, ContactSound, Impact
from sim.sensing.hearing import HEARING_PA, OCTAVES_HZ, Ear, Heard, band_levels, listen
from sim.sensing.materials import load_materials

MATERIALS = load_materials()
NS = 1_000_000_000
BLOCK = 320
BLOCK_NS = 20_000_000
EAR = Ear()


def onsets(pressure: np.ndarray, origin_ns: int = 0) -> list[int]:
    """What an ear hears of a sound that it gets block by block."""
    heard, found = Heard(), []
    for place in range(0, len(pressure) - BLOCK + 1, BLOCK):
        start_ns = origin_ns + place * NS // RATE_HZ
        stamp, heard = listen(pressure[place : place + BLOCK], start_ns, heard, EAR)
        if stamp is not None:
            found.append(stamp)
    return found


def level(pressure: np.ndarray) -> float:
    return float(np.sqrt(np.mean(pressure[: RATE_HZ // 50] ** 2)))


def tap(material: str, size_m: float, stamp_ns: int, count: int) -> np.ndarray:
    sound = ContactSound(MATERIALS)
    sound.strike(Impact(stamp_ns, 0.005, material, size_m))
    return sound.render(count)


@pytest.mark.parametrize("snr_db", [14.0, 20.0])
@pytest.mark.parametrize("material", sorted(MATERIALS))
def test_an_onset_is_found_within_one_block_of_the_true_one(material: str, snr_db: float) -> None:
    """60 taps a material at random times. Ratio of the tap's first 20 ms to the noise."""
    rng = np.random.default_rng([int(snr_db), *material.encode()])
    late = []
    for _ in range(60):
        size = 0.2 if material != "rubber" else 0.04
        stamp_ns = int(rng.integers(200_000_000, 600_000_000))
        sound = tap(material, size, stamp_ns, RATE_HZ)
        noise = rng.normal(0, level(tap(material, size, 0, BLOCK)) / 10 ** (snr_db / 20), RATE_HZ)
        found = onsets(sound + noise)
        assert len(found) == 1, (stamp_ns, found)
        late.append(found[0] - stamp_ns)
    assert min(late) > -BLOCK_NS
    assert max(late) < BLOCK_NS
    # most are found far better than that
    assert np.median(np.abs(late)) < 2_000_000


def test_a_background_has_no_onsets() -> None:
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(0, 0.01, 60 * RATE_HZ)
        assert onsets(noise) == []


def test_silence_has_no_onsets_and_a_tap_in_silence_is_found_to_the_sample() -> None:
    assert onsets(np.zeros(RATE_HZ)) == []
    found = onsets(tap("steel", 0.15, 333_333_333, RATE_HZ), origin_ns=5 * NS)
    assert len(found) == 1
    assert 0 <= found[0] - 5 * NS - 333_333_333 < 3 * NS // RATE_HZ


def test_taps_in_a_row_are_told_apart_while_the_first_still_rings() -> None:
    sound = ContactSound(MATERIALS)
    stamps = [200_000_000, 300_000_000, 380_000_000]
    for stamp in stamps:
        sound.strike(Impact(stamp, 0.005, "steel", 0.15))
    noise = np.random.default_rng(0).normal(0, 0.005, RATE_HZ)
    found = onsets(sound.render(RATE_HZ) + noise)
    assert len(found) == 3
    np.testing.assert_allclose(found, stamps, atol=2_000_000)


def test_within_the_refractory_time_there_is_one_onset() -> None:
    sound = ContactSound(MATERIALS)
    for stamp in (200_000_000, 212_000_000, 224_000_000):
        sound.strike(Impact(stamp, 0.005, "plastic", 0.15))
    assert len(onsets(sound.render(RATE_HZ))) == 1


def test_a_sound_that_grows_slowly_is_no_onset() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 4 * RATE_HZ)
    assert onsets(noise * np.linspace(0.01, 0.1, len(noise))) == []


def test_an_absent_block_has_no_onset_and_changes_nothing() -> None:
    heard = Heard(1e-4, (1e-4,) * 4, 0)
    assert listen(np.full(BLOCK, np.nan), 0, heard, EAR) == (None, heard)
    assert np.isnan(band_levels(np.full(BLOCK, np.nan))).all()


def test_listening_is_a_pure_function() -> None:
    noise = np.random.default_rng(2).normal(0, 0.01, BLOCK)
    sound = noise + 5 * tap("wood", 0.2, 7_000_000, BLOCK)
    heard = Heard(1e-4, (1e-4,) * 4, 0)
    first, second = (listen(sound.copy(), 0, heard, EAR) for _ in range(2))
    assert first == second
    assert first[0] is not None
    assert heard == Heard(1e-4, (1e-4,) * 4, 0)


@given(st.integers(0, 2**32 - 1), st.sampled_from([160, 320, 333, 1600]))
@settings(max_examples=40, deadline=None)
def test_bands_sum_to_the_mean_square_and_are_those_of_a_periodogram(seed: int, count: int) -> None:
    block = np.random.default_rng(seed).normal(0, 0.3, count)
    edges = (0.0, 500.0, 1000.0, 3000.0, 8000.1)
    levels = band_levels(block, edges)
    power = HEARING_PA**2 * 10 ** (levels / 10)
    assert power.sum() == pytest.approx(np.mean(block**2), rel=1e-9)
    frequency, spectrum = periodogram(block, RATE_HZ, detrend=False, scaling="spectrum")
    for (low, high), found in zip(pairwise(edges), power, strict=True):
        inside = (frequency >= low) & (frequency < high)
        assert found == pytest.approx(spectrum[inside].sum(), rel=1e-9)


def test_a_tone_has_the_level_of_its_pressure_in_its_band() -> None:
    """1 Pa root mean square is 94 dB."""
    block = np.sqrt(2) * np.sin(2 * np.pi * 1500 * np.arange(BLOCK) / RATE_HZ)
    levels = band_levels(block)
    band = OCTAVES_HZ.index(1000.0)
    assert levels[band] == pytest.approx(93.98, abs=0.01)
    assert np.delete(levels, band).max() < 1.0


def test_silence_is_at_the_threshold_of_hearing() -> None:
    assert (band_levels(np.zeros(BLOCK)) == 0).all()


def test_materials_differ_in_their_bands() -> None:
    shapes = {}
    for name in sorted(MATERIALS):
        levels = band_levels(tap(name, 0.15, 0, BLOCK))
        shapes[name] = int(np.argmax(levels))
    assert shapes["rubber"] < shapes["plastic"] < shapes["steel"]
