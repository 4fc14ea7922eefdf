"""A microphone: contact sound, background noise and a converter, in blocks of 16 kHz mono.

The background is white and Gaussian, and is there whether or not something sounds. Its level is
set by a signal-to-noise ratio to a reference tap: the ratio of their root mean squares, that of
the tap over its first 20 ms. Real rooms and fans are louder at low frequencies.

It is no model of a capsule: flat from 0 Hz to half the rate, without noise of its own, ringing,
automatic gain or compression; it clips hard at full scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from hil.contracts import Capability, FloatArray, SensorFacts
from sim.sensing.audio import RATE_HZ, ContactSound, Impact
from sim.sensing.channel import Channel, ChannelModel, Noise, Sampling
from sim.sensing.conversion import Conversion
from sim.sensing.materials import Material
from sim.sensing.streams import stream
from sim.sensing.tables import Positive, Table

REFERENCE_S = 0.02
"""Part of the reference tap over which its level is taken."""


class Tap(Table):
    """A tap on a body: the reference of a signal-to-noise ratio."""

    material: str = "wood"
    size_m: Positive = 0.15
    impulse_n_s: Positive = 0.005


class MicrophoneModel(Sampling):
    """A microphone as data; `rate_hz` is that of its blocks, a divisor of 16000.

    Attributes:
        full_scale_pa: pressure at which it clips, either way.
        bits: of the converter.
        snr_db: of the reference tap over the background; None for silence.
        reference: the tap that is meant.
    """

    full_scale_pa: Positive
    bits: int = Field(16, ge=4, le=32)
    snr_db: FiniteFloat | None = None
    reference: Tap = Tap()

    @model_validator(mode="after")
    def _blocks_are_whole(self) -> Self:
        if RATE_HZ % self.rate_hz != 0:
            raise ValueError(f"rate_hz must divide {RATE_HZ}, so that a block has whole samples")
        return self

    @property
    def block(self) -> int:
        """Samples in a block."""
        return round(RATE_HZ / self.rate_hz)


class Microphone:
    """One microphone in one episode.

    Args:
        name: its own in the episode; seed: the episode's; origin_ns: of its first sample.

    Attributes:
        facts, channel: what it measures; where its blocks are had: pressures in Pa, oldest
            first, the last of which was taken 1/16000 s before the sample's stamp.
        sound: what is to be heard; `strike` it.
        noise_pa: standard deviation of the background.

    Errors: BadInput for an unknown material.
    """

    def __init__(
        self,
        name: str,
        model: MicrophoneModel,
        materials: Mapping[str, Material],
        seed: int,
        origin_ns: int = 0,
    ) -> None:
        labels = tuple(f"p{number}" for number in range(model.block))
        self.facts = SensorFacts(Capability.MICROPHONE, labels, "Pa", model.rate_hz)
        self.channel = Channel(name, labels, channel_model(model), seed, origin_ns)
        self.sound = ContactSound(materials, origin_ns)
        self.noise_pa = background(model, materials)
        self._noise = stream(seed, name, "background")
        self._block = model.block
        self._begun = False

    def offer(self, stamp_ns: int) -> bool:
        """All that has to be struck before `stamp_ns` was struck; whether a block was finished.

        Nothing was heard before the first instant: the block that would end there is absent.
        Errors: as `Channel.offer`.
        """
        finished = False
        while self.channel.due(stamp_ns):
            heard = self._hear() if self._begun else np.full(self._block, np.nan)
            self._begun = finished = True
            self.channel.offer(self.channel.next_ns, heard)
        return finished

    def _hear(self) -> FloatArray:
        background_pa: FloatArray = self._noise.normal(0.0, 1.0, self._block) * self.noise_pa
        return self.sound.render(self._block) + background_pa


def background(model: MicrophoneModel, materials: Mapping[str, Material]) -> float:
    """Standard deviation of the background, Pa. Errors: BadInput for an unknown material."""
    if model.snr_db is None:
        return 0.0
    tap = model.reference
    sound = ContactSound(materials)
    sound.strike(Impact(0, tap.impulse_n_s, tap.material, tap.size_m))
    level_pa = float(np.sqrt(np.mean(sound.render(round(REFERENCE_S * RATE_HZ)) ** 2)))
    return float(level_pa / 10 ** (model.snr_db / 20))


def channel_model(model: MicrophoneModel) -> ChannelModel:
    """The channel behind the membrane."""
    conversion = Conversion(
        lower=-model.full_scale_pa,
        upper=model.full_scale_pa,
        resolution=model.full_scale_pa / 2 ** (model.bits - 1),
    )
    return ChannelModel.of(model, Noise(), conversion)
