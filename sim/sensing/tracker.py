"""Object pose tracker: a pose with noise, a confidence that falls with occlusion, and lost sight.

    confidence = max(0, 1 - hidden / hidden_lost)
    standard deviations = those of the table / sqrt(1 - hidden)

`hidden` is the fraction of the object that the camera does not see. The noise grows as if a pose
were the mean of what each visible part says. Below `least_confidence` there is no pose, but the
confidence is still told.

It is no camera model: nothing is rendered or detected, errors of successive frames are
independent, and there is neither motion blur nor a calibration error that would move every pose
alike. The two forms are estimates, chosen for their shape.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hil.contracts import Capability, FloatArray, SensorFacts
from hil.errors import HarnessError
from sim.sensing.channel import Channel, ChannelModel, Noise, Sampling
from sim.sensing.conversion import Conversion
from sim.sensing.faults import Window
from sim.sensing.rotation import from_vector, product, unit
from sim.sensing.streams import stream
from sim.sensing.tables import NotNegative, SpreadPerLabel, spread

LABELS = ("x", "y", "z", "qx", "qy", "qz", "qw", "confidence")
UNIT = "m m m 1 1 1 1 1"


class Outliers(Window):
    """Samples that are wrong and confident: displaced by up to `distance_m` and turned by up to
    `angle_rad`, each evenly spread and in a direction of its own, with `probability` each."""

    probability: float = Field(1.0, gt=0, le=1)
    distance_m: NotNegative = 0.0
    angle_rad: float = Field(0.0, ge=0, le=math.pi)


class TrackerModel(Sampling):
    """A tracker as data.

    Attributes:
        noise_m: standard deviation of the position in full view, one number or one an axis.
        noise_rad: of the rotation, about each axis of the world.
        hidden_lost: fraction hidden at which the confidence is 0.
        least_confidence: confidence below which no pose is given.
        outliers: as faults, beside those of the channel.
    """

    noise_m: SpreadPerLabel = 0.0
    noise_rad: SpreadPerLabel = 0.0
    hidden_lost: float = Field(1.0, gt=0, le=1)
    least_confidence: float = Field(0.0, ge=0, le=1)
    outliers: tuple[Outliers, ...] = ()


class Tracker:
    """The tracker of one object in one episode.

    Args:
        name: its own in the episode; seed: the episode's; origin_ns: its first sample instant.

    Attributes:
        facts, channel: what it measures; where its poses are had.

    Errors: BadInput where a list of the model has not three numbers.
    """

    def __init__(self, name: str, model: TrackerModel, seed: int, origin_ns: int = 0) -> None:
        self.facts = SensorFacts(Capability.TRACKER, LABELS, UNIT, model.rate_hz)
        channel = ChannelModel.of(model, Noise(), Conversion())
        self.channel = Channel(name, LABELS, channel, seed, origin_ns)
        self._name, self._model, self._origin_ns = name, model, origin_ns
        self._noise_m = spread(model.noise_m, 3, f"{name}: noise_m")
        self._noise_rad = spread(model.noise_rad, 3, f"{name}: noise_rad")
        self._noise = stream(seed, name, "pose")
        self._outliers = [
            stream(seed, name, "outliers", str(n)) for n in range(len(model.outliers))
        ]

    def offer(
        self, stamp_ns: int, position: FloatArray, orientation: FloatArray, hidden: float
    ) -> bool:
        """The true pose: position (3,) in m and orientation as quaternion (4,) x, y, z, w, and
        the fraction of the object that is hidden, 0..1; as `Channel.offer`.

        Errors: HarnessError for a fraction outside of 0..1.
        """
        if not self.channel.due(stamp_ns):
            return False
        if not 0 <= hidden <= 1:
            raise HarnessError(f"{self._name}: a fraction of {hidden} cannot be hidden")
        trust = confidence(self._model, hidden)
        pose = self._measured(np.asarray(position, dtype=np.float64), unit(orientation), hidden)
        pose = self._displaced(stamp_ns - self._origin_ns, pose)
        if trust == 0 or trust < self._model.least_confidence:
            pose = np.full(7, np.nan)
        return self.channel.offer(stamp_ns, np.array([*pose, trust]))

    def _measured(self, position: FloatArray, rotation: FloatArray, hidden: float) -> FloatArray:
        # all that can be hidden still has some noise; nobody will see that pose
        grown = 1 / math.sqrt(max(1 - hidden, 1e-3))
        drawn = self._noise.normal(0.0, 1.0, 6) * grown
        turn = from_vector(drawn[3:] * self._noise_rad)
        return _pose(position + drawn[:3] * self._noise_m, product(turn, rotation))

    def _displaced(self, since_ns: int, pose: FloatArray) -> FloatArray:
        for table, rng in zip(self._model.outliers, self._outliers, strict=True):
            # drawn every time, so that one outlier more or less moves no other
            struck, far, round_about = rng.random(3)
            directions = rng.normal(0.0, 1.0, (2, 3))
            if table.covers(since_ns) and struck < table.probability:
                away, axis = directions / np.linalg.norm(directions, axis=1, keepdims=True)
                turn = from_vector(axis * round_about * table.angle_rad)
                pose = _pose(pose[:3] + away * far * table.distance_m, product(turn, pose[3:]))
        return pose


def confidence(model: TrackerModel, hidden: float) -> float:
    """What the tracker says of itself, 0..1, with this fraction hidden."""
    return max(0.0, 1.0 - hidden / model.hidden_lost)


def _pose(position: FloatArray, rotation: FloatArray) -> FloatArray:
    """Of the two quaternions of a rotation the one with qw >= 0."""
    sign: NDArray[np.float64] = np.where(rotation[3] < 0, -1.0, 1.0)
    return np.concatenate([position, sign * rotation])
