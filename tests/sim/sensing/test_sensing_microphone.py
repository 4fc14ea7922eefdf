"""The microphone: its blocks, its background, its converter."""

from __future__ import annotations

import numpy as np
import pytest

from hil.contracts import NEVER, Capability
from hil.errors import BadInput
from sim.sensing.audio import RATE_HZ, ContactSound, Impact
from sim.sensing.defaults import load_defaults
from sim.sensing.materials import load_materials
from sim.sensing.microphone import REFERENCE_S, Microphone, MicrophoneModel, Tap

MATERIALS = load_materials()
NS = 1_000_000_000
QUIET = MicrophoneModel(rate_hz=50, full_scale_pa=20, bits=24)
NOISY = QUIET.model_copy(update={"snr_db": 20.0})
TAP = Impact(105_000_000, 0.01, "steel", 0.15)


def blocks(model: MicrophoneModel, seconds: float, *impacts: Impact, seed: int = 1) -> np.ndarray:
    """All blocks but the first, which is absent, joined; physics steps of 1 ms."""
    microphone = Microphone("mic", model, MATERIALS, seed)
    waiting, heard = list(impacts), []
    for step in range(round(seconds * 1000) + 1):
        now = step * 1_000_000
        while waiting and waiting[0].stamp_ns <= now:
            microphone.sound.strike(waiting.pop(0))
        if microphone.offer(now):
            heard.append(microphone.channel.newest(now).value)
    return np.concatenate(heard[1:])


def test_blocks_join_without_a_gap() -> None:
    heard = blocks(QUIET, 0.4, TAP)
    sound = ContactSound(MATERIALS)
    sound.strike(TAP)
    assert len(heard) == round(0.4 * RATE_HZ)
    np.testing.assert_allclose(heard, sound.render(len(heard)), atol=20 / 2**23)


def test_a_block_ends_at_its_stamp_and_the_first_is_absent() -> None:
    microphone = Microphone("mic", QUIET, MATERIALS, 1)
    assert microphone.facts.kind is Capability.MICROPHONE
    assert len(microphone.facts.labels) == 320
    assert microphone.offer(0)
    assert (microphone.channel.newest(0).age_ns == NEVER).all()
    microphone.sound.strike(Impact(19_000_000, 0.01, "steel", 0.15))
    assert not microphone.offer(19_999_999)
    assert microphone.offer(20_000_000)
    block = microphone.channel.newest(20_000_000)
    assert (block.age_ns == 0).all()
    loud = np.flatnonzero(np.abs(block.value) > 0.01)
    # a millisecond before the end, and a sine begins at nought
    assert loud[0] == 320 - 16 + 1


def test_blocks_that_are_late_in_being_asked_for_are_all_rendered() -> None:
    patient = Microphone("mic", NOISY, MATERIALS, 1)
    patient.sound.strike(TAP)
    assert patient.offer(200_000_000)
    assert patient.channel.counters() == {"samples": 11, "missed": 0, "lost": 0}
    np.testing.assert_array_equal(
        patient.channel.newest(200_000_000).value, blocks(NOISY, 0.2, TAP)[-320:]
    )


@pytest.mark.parametrize("snr_db", [0.0, 12.0, 30.0])
def test_the_background_has_the_level_that_the_ratio_asks_for(snr_db: float) -> None:
    """Measured: root mean square of the reference tap's first 20 ms over that of the noise."""
    model = QUIET.model_copy(
        update={"snr_db": snr_db, "reference": Tap(material="plastic", size_m=0.1)}
    )
    noise = blocks(model, 4.0)
    sound = ContactSound(MATERIALS)
    sound.strike(Impact(0, 0.005, "plastic", 0.1))
    tap = sound.render(round(REFERENCE_S * RATE_HZ))
    found = 10 * np.log10(np.mean(tap**2) / np.mean(noise**2))
    # four standard errors of the noise's power, in dB
    assert abs(found - snr_db) < 4 * 4.34 * np.sqrt(2 / len(noise))


def test_the_background_is_white() -> None:
    noise = blocks(NOISY, 8.0)
    octaves = [(500, 1000), (1000, 2000), (2000, 4000), (4000, 8000)]
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    frequency = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    density = [spectrum[(frequency >= a) & (frequency < b)].mean() for a, b in octaves]
    np.testing.assert_allclose(density / np.mean(density), 1, atol=4 / np.sqrt(8 * 500))


def test_the_background_does_not_depend_on_what_sounds() -> None:
    difference = blocks(NOISY, 0.4, TAP) - blocks(NOISY, 0.4)
    sound = ContactSound(MATERIALS)
    sound.strike(TAP)
    np.testing.assert_allclose(difference, sound.render(len(difference)), atol=20 / 2**22)


def test_it_clips_at_full_scale_and_counts_in_steps() -> None:
    loud = Impact(105_000_000, 10.0, "steel", 0.15)
    heard = blocks(QUIET.model_copy(update={"bits": 8}), 0.2, loud)
    assert heard.max() == 20
    assert heard.min() == -20
    steps = heard * 128 / 20
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)


def test_equal_seeds_hear_equally_and_others_do_not() -> None:
    assert (blocks(NOISY, 0.1, seed=3) == blocks(NOISY, 0.1, seed=3)).all()
    assert (blocks(NOISY, 0.1, seed=3) != blocks(NOISY, 0.1, seed=4)).any()


def test_a_block_is_heard_after_its_delay() -> None:
    model = load_defaults().microphone
    microphone = Microphone("mic", model, MATERIALS, 1)
    microphone.offer(40_000_000)
    early = microphone.channel.newest(40_000_000)
    assert (early.age_ns == NEVER).all() or (early.age_ns >= 20_000_000).all()
    late = microphone.channel.newest(40_000_000 + round((model.delay_s + model.jitter_s) * NS))
    assert (late.age_ns == 25_000_000).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="must divide 16000"):
        MicrophoneModel(rate_hz=30, full_scale_pa=20)
    stone = QUIET.model_copy(update={"snr_db": 1.0, "reference": Tap(material="stone")})
    with pytest.raises(BadInput, match="stone"):
        Microphone("mic", stone, MATERIALS, 1)
