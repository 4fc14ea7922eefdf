"""A microphone that reports what it hears in numbers, as a sound level meter does: how many
sounds have begun, and how loud it is in every octave.

The sound is that of `sim.sensing.microphone`, block by block; what is made of a block
(`sim.sensing.hearing`) is what goes through the channel, with its delay, jitter and losses.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hil.clock import NS_PER_S
from hil.contracts import Capability, FloatArray, SensorFacts
from sim.sensing.audio import RATE_HZ, ContactSound
from sim.sensing.channel import Channel, ChannelModel, Noise
from sim.sensing.conversion import Conversion
from sim.sensing.hearing import OCTAVES_HZ, Ear, Heard, band_levels, listen
from sim.sensing.materials import Material
from sim.sensing.microphone import Microphone, MicrophoneModel
from sim.sensing.tables import NotNegative

LABELS = ("onsets", *(f"level_{low:g}_hz" for low in OCTAVES_HZ[:-1]))
"""`level_500_hz` is that of the octave from 500 to 1000 Hz."""
UNIT = " ".join(["1", *["dB"] * (len(LABELS) - 1)])


class LevelModel(MicrophoneModel):
    """A microphone as data, with what is made of its blocks: `ear` says what an onset is,
    `resolution_db` is the step between levels."""

    ear: Ear = Ear()
    resolution_db: NotNegative = 0.1


class LevelMeter:
    """One such microphone in one episode; arguments and errors as of `Microphone`.

    Attributes:
        facts, channel: what it measures; where its readings are had: the number of onsets since
            the first instant, and a level in dB re 20 µPa an octave, all of the block that ends
            at the sample's stamp.
        sound: what is to be heard; `strike` it.
    """

    def __init__(
        self,
        name: str,
        model: LevelModel,
        materials: Mapping[str, Material],
        seed: int,
        origin_ns: int = 0,
    ) -> None:
        self.facts = SensorFacts(Capability.MICROPHONE, LABELS, UNIT, model.rate_hz)
        steps = (1.0, *[model.resolution_db] * (len(LABELS) - 1))
        channel = ChannelModel.of(model, Noise(), Conversion(resolution=steps))
        self.channel = Channel(name, LABELS, channel, seed, origin_ns)
        at_once = {"delay_s": 0.0, "jitter_s": 0.0, "dropout": 0.0, "keep_s": None, "faults": ()}
        self._inside = Microphone(
            f"{name}.inside", model.model_copy(update=at_once), materials, seed, origin_ns
        )
        self._ear, self._heard, self._onsets = model.ear, Heard(), 0

    @property
    def sound(self) -> ContactSound:
        return self._inside.sound

    def offer(self, stamp_ns: int) -> bool:
        """As `Microphone.offer`."""
        finished = False
        while self._inside.channel.due(stamp_ns):
            end_ns = self._inside.channel.next_ns
            self._inside.offer(end_ns)
            self.channel.offer(
                end_ns, self._read(self._inside.channel.newest(end_ns).value, end_ns)
            )
            finished = True
        return finished

    def _read(self, block: FloatArray, end_ns: int) -> FloatArray:
        if not np.isfinite(block).all():
            return np.full(len(LABELS), np.nan)
        start_ns = end_ns - round(len(block) * NS_PER_S / RATE_HZ)
        onset_ns, self._heard = listen(block, start_ns, self._heard, self._ear)
        self._onsets += onset_ns is not None
        return np.array([self._onsets, *band_levels(block)])
