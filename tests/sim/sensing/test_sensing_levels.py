"""A microphone that reports levels: the same sound, in a few numbers, late as its table has it."""

from __future__ import annotations

import numpy as np
import pytest

from hil.contracts import NEVER, Capability
from sim.sensing.audio import Impact
from sim.sensing.hearing import band_levels
from sim.sensing.levels import LABELS, LevelMeter, LevelModel
from sim.sensing.materials import load_materials
from sim.sensing.microphone import Microphone, MicrophoneModel

MS = 1_000_000
TABLE = {"rate_hz": 50.0, "full_scale_pa": 20.0, "snr_db": 30.0}
TAP = Impact(65 * MS, 0.005, "glass", 0.12)


def meter(**more: object) -> LevelMeter:
    model = LevelModel.model_validate({**TABLE, **more})
    found = LevelMeter("ear", model, load_materials(), 7)
    found.sound.strike(TAP)
    return found


def test_levels_are_those_of_the_microphones_own_blocks() -> None:
    plain = Microphone("ear.inside", MicrophoneModel.model_validate(TABLE), load_materials(), 7)
    plain.sound.strike(TAP)
    told = meter(resolution_db=0.0)
    for end_ms in (20, 40, 60, 80, 100):
        plain.offer(end_ms * MS)
        told.offer(end_ms * MS)
        levels = told.channel.newest(end_ms * MS).value[1:]
        block = plain.channel.newest(end_ms * MS).value
        np.testing.assert_allclose(levels, band_levels(block))


def test_an_onset_is_counted_once_and_the_count_stays() -> None:
    told = meter()
    assert told.facts.kind is Capability.MICROPHONE
    assert len(told.facts.units) == len(LABELS)
    counts = []
    for end_ms in range(20, 220, 20):
        told.offer(end_ms * MS)
        counts.append(told.channel.newest(end_ms * MS).value[0])
    assert counts == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]


def test_several_blocks_may_be_asked_for_at_once_and_come_late() -> None:
    told = meter(delay_s=0.03)
    told.offer(100 * MS)
    assert (told.channel.newest(20 * MS).age_ns == NEVER).all()
    newest = told.channel.newest(115 * MS)
    assert (newest.age_ns == 35 * MS).all()
    assert newest.value[1:] % 0.1 == pytest.approx(0, abs=0.1 + 1e-9)
