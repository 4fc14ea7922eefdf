"""One channel of a sensor: sampled on a grid, with noise, in steps, late, and not always there.

A channel is fed with the truth and asked for the newest reading that may be known:

    truth -> offset faults -> bias, drift, white noise -> dead band, range, resolution
          -> frozen, stuck or silent labels -> lost, or under way for a while -> seen

Nothing depends on who asks and when: what is drawn follows from the episode's seed, the
channel's name and the number of samples taken.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from hil.clock import NS_PER_S
from hil.contracts import NEVER, FloatArray, SensorSample
from hil.errors import HarnessError
from sim.sensing.conversion import Conversion, Converter
from sim.sensing.faults import Fault, Faults
from sim.sensing.streams import stream
from sim.sensing.tables import Positive, SpreadPerLabel, Table, spread


class Sampling(Table):
    """When a sensor measures, and when that is known; the keys that every sensor's table has.

    Attributes:
        rate_hz: samples a second, on a grid from the sensor's first instant on.
        delay_s: least time from an instant to where its value can be read.
        jitter_s: most that comes on top of it, evenly spread; no sample overtakes another.
        dropout: probability that a sample is lost on its way.
        keep_s: age above which a value counts as absent; None keeps it, with its age, for ever.
        faults: what is wrong with it, and when.
    """

    rate_hz: float = Field(gt=0, le=100_000)
    delay_s: float = Field(0.0, ge=0, le=10)
    jitter_s: float = Field(0.0, ge=0, le=10)
    dropout: float = Field(0.0, ge=0, le=1)
    keep_s: Positive | None = None
    faults: tuple[Fault, ...] = ()


class Noise(Table):
    """Errors that add to the signal, for all labels or one a label, Gaussian.

    Attributes:
        white: standard deviation of each sample, in the label's unit.
        bias: standard deviation of a constant, drawn once.
        walk: standard deviation after one second of a random walk from 0, unit/sqrt(s).
    """

    white: SpreadPerLabel = 0.0
    bias: SpreadPerLabel = 0.0
    walk: SpreadPerLabel = 0.0

    def terms(self, count: int, what: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        """White, bias and walk, (count,) each. Errors: BadInput for a list of another length."""
        return (
            spread(self.white, count, f"{what}: white noise"),
            spread(self.bias, count, f"{what}: bias"),
            spread(self.walk, count, f"{what}: walk"),
        )


class ChannelModel(Sampling):
    """A channel as data."""

    noise: Noise = Noise()
    conversion: Conversion = Conversion()

    @classmethod
    def of(cls, sampling: Sampling, noise: Noise, conversion: Conversion) -> ChannelModel:
        """The channel of a sensor whose own table says when it samples."""
        when = {key: getattr(sampling, key) for key in Sampling.model_fields}
        return cls(**when, noise=noise, conversion=conversion)


@dataclass(frozen=True, slots=True)
class _Sent:
    arrives_ns: int
    stamp_ns: int
    value: FloatArray


class Channel:
    """n values that are measured together.

    Args:
        name: of the sensor in its episode; decides on its random streams, so it must be its own.
        seed: the episode's, >= 0.
        origin_ns: stamp of the first sample instant; the k-th is round(k / rate) after it.

    Errors: BadInput where the model does not fit the labels.
    """

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        model: ChannelModel,
        seed: int,
        origin_ns: int = 0,
    ) -> None:
        count = len(labels)
        self._name, self._model, self._origin_ns = name, model, origin_ns
        self._white, bias, self._walk = model.noise.terms(count, name)
        self._converter = Converter.of(model.conversion, count, name)
        self._faults = Faults.of(model.faults, labels, name)
        self._fates = stream(seed, name, "fate")
        self._whites = stream(seed, name, "white")
        self._walks = stream(seed, name, "walk")
        self._drift = stream(seed, name, "bias").normal(0.0, 1.0, count) * bias
        self._keep_ns = math.inf if model.keep_s is None else round(model.keep_s * NS_PER_S)
        self._wanders, self._hisses = bool(self._walk.any()), bool(self._white.any())
        self._index = -1
        self.next_ns = self._instant(0)
        """The sample instant that is waited for."""
        self._taken_ns = origin_ns
        self._last = np.full(count, np.nan)
        self._sent: deque[_Sent] = deque()
        self._counts = {"samples": 0, "missed": 0, "lost": 0}

    def due(self, stamp_ns: int) -> bool:
        """Whether an offer at `stamp_ns` would be taken."""
        return stamp_ns >= self.next_ns

    def offer(self, stamp_ns: int, value: FloatArray) -> bool:
        """The truth (n,) at `stamp_ns`, NaN where there is none; whether it was sampled.

        It is, if it is the first at or after a sample instant; its stamp is its own, so that a
        grid finer than the physics is not claimed. Instants that passed without an offer are
        missed and counted. Errors: HarnessError for another shape or an infinite value.
        """
        if not self.due(stamp_ns):
            return False
        truth = self._checked(value)
        index = self._index_at(stamp_ns)
        self._counts["missed"] += index - self._index - 1
        self._counts["samples"] += 1
        reading = self._measured(stamp_ns, truth)
        self._index, self._taken_ns, self._last = index, stamp_ns, reading
        self.next_ns = self._instant(index + 1)
        self._send(stamp_ns, reading)
        return True

    def newest(self, now_ns: int) -> SensorSample:
        """The newest reading that has arrived by `now_ns`; arrays (n,).

        Asking takes nothing away. Time goes forward: of an instant before the last offer's, what
        was known may be forgotten, and is then absent.
        """
        known = next((one for one in reversed(self._sent) if one.arrives_ns <= now_ns), None)
        if known is None or now_ns - known.stamp_ns > self._keep_ns:
            count = len(self._last)
            return SensorSample(now_ns, np.full(count, np.nan), np.full(count, NEVER))
        age = np.where(np.isnan(known.value), NEVER, now_ns - known.stamp_ns)
        return SensorSample(now_ns, known.value.copy(), age)

    def counters(self) -> Mapping[str, int]:
        """Samples taken, instants missed, samples lost on their way."""
        return dict(self._counts)

    def _instant(self, index: int) -> int:
        return self._origin_ns + round(index * NS_PER_S / self._model.rate_hz)

    def _index_at(self, stamp_ns: int) -> int:
        """Number of the newest sample instant at or before a stamp."""
        index = int((stamp_ns - self._origin_ns) * self._model.rate_hz / NS_PER_S)
        # a float may be off by one instant either way
        while self._instant(index) > stamp_ns:
            index -= 1
        while self._instant(index + 1) <= stamp_ns:
            index += 1
        return index

    def _checked(self, value: FloatArray) -> FloatArray:
        truth = np.asarray(value, dtype=np.float64)
        if truth.shape != self._last.shape:
            raise HarnessError(
                f"{self._name}: {self._last.shape} values are expected, given were {truth.shape}"
            )
        # a sum is the quick question, and is not finite of NaN or very large numbers either
        if not math.isfinite(sum(truth.tolist())) and np.isinf(truth).any():
            raise HarnessError(f"{self._name}: infinite truth {truth}", "the physics has blown up")
        return truth

    def _measured(self, stamp_ns: int, truth: FloatArray) -> FloatArray:
        since_ns = stamp_ns - self._origin_ns
        count = len(truth)
        lasted_s = (stamp_ns - self._taken_ns) / NS_PER_S
        if self._wanders:
            self._drift += self._walk * math.sqrt(lasted_s) * self._walks.normal(0.0, 1.0, count)
        noise = self._drift
        if self._hisses:
            noise = noise + self._white * self._whites.normal(0.0, 1.0, count)
        reading = self._converter.read(self._faults.offset(since_ns, truth) + noise)
        return self._faults.spoil(since_ns, reading, self._last)

    def _send(self, stamp_ns: int, reading: FloatArray) -> None:
        # both are drawn every time: a fault or another probability leaves later draws alone
        late, lost = self._fates.random(2)
        if lost < self._model.dropout or self._faults.silent(stamp_ns - self._origin_ns):
            self._counts["lost"] += 1
            return
        under_way_s = self._model.delay_s + late * self._model.jitter_s
        arrives_ns = stamp_ns + round(under_way_s * NS_PER_S)
        if self._sent:
            arrives_ns = max(arrives_ns, self._sent[-1].arrives_ns)
        self._sent.append(_Sent(arrives_ns, stamp_ns, reading))
        while len(self._sent) > 1 and self._sent[1].arrives_ns <= stamp_ns:
            self._sent.popleft()
