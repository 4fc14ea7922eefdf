"""Wrist force and torque sensor: an imperfect calibration, an offset that drifts, noise, steps.

    reading = A w + b(t) + noise,     A = S (1 + G + K) S^-1

with w the wrench (fx, fy, fz, tx, ty, tz) in the sensor's frame and S = diag(full scale), so that
the gain errors G on the diagonal and the crosstalk K beside it are fractions of full scale, as
data sheets give them.

It is no strain-gauge model: there is no hysteresis, no temperature, no resonance of the sensor
with the tool on it, and no low-pass filter. The tool's weight is in the truth or was taken from
it by whoever feeds the sensor; a bias left after taring is an error, not a weight.
"""

from __future__ import annotations

import numpy as np

from hil.contracts import Capability, FloatArray, SensorFacts
from sim.sensing.channel import Channel, ChannelModel, Noise, Sampling
from sim.sensing.conversion import Conversion
from sim.sensing.streams import stream
from sim.sensing.tables import NotNegative, Positive

LABELS = ("fx", "fy", "fz", "tx", "ty", "tz")
UNIT = "N N N N·m N·m N·m"

_Row = tuple[float, float, float, float, float, float]


class WrenchModel(Sampling):
    """A force and torque sensor as data; `_n` is for the three forces, `_nm` for the torques.

    Attributes:
        range_n, range_nm: full scale, at which the reading saturates.
        resolution_n, resolution_nm: step between readings, 0 for none.
        noise_n, noise_nm: standard deviation of a sample.
        bias_n, bias_nm: standard deviation of the offset that taring leaves.
        walk_n, walk_nm: standard deviation of its drift after 1 s, growing with the root of time.
        gain_error: standard deviation of an axis's gain error, fraction.
        crosstalk: standard deviation of what full scale on one axis does to another, fraction
            of that one's full scale.
        matrix: A itself, where it was measured, in place of the last two.
    """

    range_n: Positive
    range_nm: Positive
    resolution_n: NotNegative = 0.0
    resolution_nm: NotNegative = 0.0
    noise_n: NotNegative = 0.0
    noise_nm: NotNegative = 0.0
    bias_n: NotNegative = 0.0
    bias_nm: NotNegative = 0.0
    walk_n: NotNegative = 0.0
    walk_nm: NotNegative = 0.0
    gain_error: NotNegative = 0.0
    crosstalk: NotNegative = 0.0
    matrix: tuple[_Row, _Row, _Row, _Row, _Row, _Row] | None = None


class Wrench:
    """One sensor in one episode.

    Args:
        name: its own in the episode; seed: the episode's; origin_ns: its first sample instant.

    Attributes:
        facts, channel: what it measures; where its readings are had.
        calibration: A, (6, 6); truth, for tests, which no policy is shown.
    """

    def __init__(self, name: str, model: WrenchModel, seed: int, origin_ns: int = 0) -> None:
        self.facts = SensorFacts(Capability.FORCE_TORQUE, LABELS, UNIT, model.rate_hz)
        self.calibration = _calibration(model, stream(seed, name, "calibration"))
        self.channel = Channel(name, LABELS, channel_model(model), seed, origin_ns)

    def offer(self, stamp_ns: int, wrench: FloatArray) -> bool:
        """The true wrench (6,) on the sensor in its own frame, N and N·m; as `Channel.offer`."""
        if not self.channel.due(stamp_ns):
            return False
        return self.channel.offer(stamp_ns, self.calibration @ np.asarray(wrench))


def channel_model(model: WrenchModel) -> ChannelModel:
    """The channel behind the calibration."""
    full_scale = _both(model.range_n, model.range_nm)
    noise = Noise(
        white=_both(model.noise_n, model.noise_nm),
        bias=_both(model.bias_n, model.bias_nm),
        walk=_both(model.walk_n, model.walk_nm),
    )
    conversion = Conversion(
        lower=tuple(-end for end in full_scale),
        upper=full_scale,
        resolution=_both(model.resolution_n, model.resolution_nm),
    )
    return ChannelModel.of(model, noise, conversion)


def _both(force: float, torque: float) -> tuple[float, ...]:
    return (force,) * 3 + (torque,) * 3


def _calibration(model: WrenchModel, rng: np.random.Generator) -> FloatArray:
    drawn = rng.normal(0.0, 1.0, (6, 6))
    if model.matrix is not None:
        return np.array(model.matrix)
    spread = np.where(np.eye(6, dtype=np.bool_), model.gain_error, model.crosstalk)
    scale = np.array(_both(model.range_n, model.range_nm))
    found: FloatArray = scale[:, None] * (np.eye(6) + spread * drawn) / scale
    return found
