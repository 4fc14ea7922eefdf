"""What a policy makes of the blocks of a microphone: when something began to sound, and how loud
it is in which band.

Pure functions of a block and of what was heard before it. An absent block (NaN) has no onset and
no levels: NaN, never silence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from sim.sensing.audio import RATE_HZ
from sim.sensing.tables import Positive, Table

HEARING_PA = 20e-6
"""Reference of sound pressure levels: 0 dB."""

OCTAVES_HZ = (62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
"""Edges of seven bands, an octave each."""

_RECENT = 4
"""Frames before one that it has to stand out from."""

_SLOW, _FAST = 0.1, 0.5
"""Parts of the way that the background's estimate goes in a block: up, and down."""


class Ear(Table):
    """How an onset is recognised.

    Attributes:
        frame_s: time over which power is taken; how finely an onset is found at first.
        rise_db: power over the background.
        jump_db: power over the mean of the four frames before, so that what rings on is no onset.
        refractory_s: time after an onset in which no other is looked for.
        least_pa: root mean square below which nothing is a sound, for quiet rooms.
    """

    frame_s: float = Field(default=0.001, ge=0.0005, le=0.01)
    rise_db: Positive = 9.0
    jump_db: Positive = 6.0
    refractory_s: Positive = 0.03
    least_pa: Positive = 0.002


@dataclass(frozen=True, slots=True)
class Heard:
    """What is kept from block to block: power of the background and of the last frames, Pa², and
    the stamp up to which no onset is looked for. As made, nothing has been heard yet."""

    background: float = math.nan
    recent: tuple[float, ...] = ()
    deaf_until_ns: int = -(2**62)


def listen(block: FloatArray, start_ns: int, heard: Heard, ear: Ear) -> tuple[int | None, Heard]:
    """The stamp of the first onset in a block, or None, and what is kept for the next block.

    Args:
        block: pressures (n,) in Pa at `audio.RATE_HZ`, n at least one frame; what is left over
            after the last whole frame is not looked at.
        start_ns: stamp of its first sample.
        heard: what the call for the block before gave, or `Heard()`.

    The stamp is of the first sample that stands out of the background by four standard
    deviations, within the frame that does or the one before it.
    """
    size = round(ear.frame_s * RATE_HZ)
    if not np.isfinite(block).all() or len(block) < size:
        return None, heard
    frames = block[: len(block) // size * size].reshape(-1, size)
    power = np.mean(frames**2, axis=1)
    median = float(np.median(power))
    background = median if math.isnan(heard.background) else heard.background
    floor = max(background, ear.least_pa**2 / _ratio(ear.rise_db))
    recent = heard.recent or (floor,) * _RECENT
    ends_ns = start_ns + (np.arange(len(power)) + 1) * size * NS_PER_S / RATE_HZ
    found = np.flatnonzero(_begins(power, recent, floor, ear) & (ends_ns > heard.deaf_until_ns))
    kept = (*recent, *power.tolist())[-_RECENT:]
    level = _followed(background, median)
    if not len(found):
        return None, Heard(level, kept, heard.deaf_until_ns)
    sample = _refined(block, int(found[0]), size, floor)
    stamp_ns = start_ns + round(sample * NS_PER_S / RATE_HZ)
    return stamp_ns, Heard(level, kept, stamp_ns + round(ear.refractory_s * NS_PER_S))


def band_levels(block: FloatArray, edges_hz: Sequence[float] = OCTAVES_HZ) -> FloatArray:
    """Sound pressure level in each band, (len(edges_hz) - 1,), dB re 20 µPa, never under 0 dB.

    Args:
        block: pressures (n,) in Pa at `audio.RATE_HZ`.
        edges_hz: rising; a band has the frequencies from one edge up to the next. One that is
            narrower than RATE_HZ / n may have none, and is then at 0 dB.

    No window is put on the block, so that a tap counts alike wherever in it it falls, and the
    powers of all bands and of what lies outside of them add up to the mean square. Strong
    sounds therefore leak into other bands, some 20 dB down an octave away.
    """
    if not np.isfinite(block).all():
        return np.full(len(edges_hz) - 1, np.nan)
    count = len(block)
    spectrum = np.abs(np.fft.rfft(block)) ** 2
    # one-sided: every line but 0 Hz and half the rate stands for two
    doubled = np.full(len(spectrum), 2.0)
    doubled[0] = 1.0
    if count % 2 == 0:
        doubled[-1] = 1.0
    power = doubled * spectrum / count**2
    bands = np.searchsorted(edges_hz, np.fft.rfftfreq(count, 1 / RATE_HZ), side="right") - 1
    sums = np.array([power[bands == band].sum() for band in range(len(edges_hz) - 1)])
    levels: FloatArray = 10 * np.log10(np.maximum(sums / HEARING_PA**2, 1.0))
    return levels


def _begins(
    power: FloatArray, recent: Sequence[float], floor: float, ear: Ear
) -> NDArray[np.bool_]:
    """Which frames stand out of the background and of those before them."""
    before = np.concatenate([recent, power])
    means = np.convolve(before, np.full(_RECENT, 1 / _RECENT), mode="valid")[: len(power)]
    begins: NDArray[np.bool_] = (power > floor * _ratio(ear.rise_db)) & (
        power > means * _ratio(ear.jump_db)
    )
    return begins


def _refined(block: FloatArray, frame: int, size: int, floor: float) -> int:
    """The sample at which a frame's sound begins."""
    first = max(0, (frame - 1) * size)
    loud = np.flatnonzero(np.abs(block[first : (frame + 1) * size]) > 4 * math.sqrt(floor))
    return first + int(loud[0]) if len(loud) else frame * size


def _followed(background: float, median: float) -> float:
    """The background's power after a block: quick to fall, slow to rise, so that what rings for
    long hardly counts."""
    if median < background:
        return background + _FAST * (median - background)
    return background + _SLOW * (min(median, 2 * background) - background)


def _ratio(decibels: float) -> float:
    return float(10 ** (decibels / 10))
