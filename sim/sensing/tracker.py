"""Object pose tracker: a pose with noise, a confidence that falls with occlusion, and lost sight.

What a tracker makes of a true pose is here, for the tracker of a scene (`sim.scenery.tracking`),
which follows all things at once on the plant's own grid, and for one that is a device of its own.

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
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from hil.contracts import Capability, FloatArray, SensorFacts
from hil.errors import HarnessError
from sim.sensing.channel import Channel, ChannelModel, Noise, Sampling
from sim.sensing.conversion import Conversion
from sim.sensing.faults import Window
from sim.sensing.rotation import from_vector, product, unit
from sim.sensing.streams import stream
from sim.sensing.tables import NotNegative, SpreadPerLabel, Table, spread

LABELS = ("x", "y", "z", "qx", "qy", "qz", "qw", "confidence")
UNIT = "m m m 1 1 1 1 1"


class Outliers(Window):
    """Samples that are wrong and confident: displaced by up to `distance_m` and turned by up to
    `angle_rad`, each evenly spread and in a direction of its own, with `probability` each."""

    probability: float = Field(1.0, gt=0, le=1)
    distance_m: NotNegative = 0.0
    angle_rad: float = Field(0.0, ge=0, le=math.pi)


class Errors(Table):
    """What a tracker makes of a pose, as data.

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


class TrackerModel(Sampling, Errors):
    """A tracker as data: `Errors`, and when it measures."""


class Gaze:
    """What one tracker makes of the poses that it looks at, in one episode.

    Args:
        noise: of the poses; it may be shared by all that a tracker follows.
        chance: of each of the table's outliers.
        what: for messages.

    Errors: BadInput where a list of the table has not three numbers.
    """

    def __init__(
        self,
        table: Errors,
        noise: np.random.Generator,
        chance: Sequence[np.random.Generator],
        what: str,
    ) -> None:
        self._table, self._noise, self._chance, self._what = table, noise, chance, what
        self._noise_m = spread(table.noise_m, 3, f"{what}: noise_m")
        self._noise_rad = spread(table.noise_rad, 3, f"{what}: noise_rad")

    def seen(self, pose: FloatArray, hidden: float, since_ns: int) -> tuple[FloatArray, float]:
        """A pose, and the confidence in it, of a true one with this fraction `hidden`, 0..1:
        a position (3,), with a yaw (4,), or with a quaternion x, y, z, w (7,); NaN where sight is
        lost. `since_ns` counts from the tracker's first instant.

        Errors: HarnessError for a fraction outside of 0..1.
        """
        if not 0 <= hidden <= 1:
            raise HarnessError(f"{self._what}: a fraction of {hidden} cannot be hidden")
        trust = confidence(self._table, hidden)
        told = self._displaced(since_ns, self._measured(pose, hidden))
        if trust == 0 or trust < self._table.least_confidence:
            told = np.full(len(pose), np.nan)
        return told, trust

    def _measured(self, pose: FloatArray, hidden: float) -> FloatArray:
        # all that can be hidden still has some noise; nobody will see that pose
        grown = 1 / math.sqrt(max(1 - hidden, 1e-3))
        found = pose.copy()
        found[:3] += self._noise.normal(0.0, 1.0, 3) * grown * self._noise_m
        if len(pose) == 4:
            found[3] += self._noise.normal() * grown * self._noise_rad[2]
        elif len(pose) == 7:
            turn = self._noise.normal(0.0, 1.0, 3) * grown * self._noise_rad
            found[3:] = _turned_a_little(pose[3:], turn)
        return found

    def _displaced(self, since_ns: int, pose: FloatArray) -> FloatArray:
        for table, rng in zip(self._table.outliers, self._chance, strict=True):
            # drawn every time, so that one outlier more or less moves no other
            struck, far, round_about = rng.random(3)
            directions = rng.normal(0.0, 1.0, (2, 3))
            if not (table.covers(since_ns) and struck < table.probability):
                continue
            away, axis = directions / np.linalg.norm(directions, axis=1, keepdims=True)
            pose = pose.copy()
            pose[:3] += away * far * table.distance_m
            if len(pose) == 4:
                pose[3] += math.copysign(round_about * table.angle_rad, axis[2])
            elif len(pose) == 7:
                turn = from_vector(axis * round_about * table.angle_rad)
                pose[3:] = product(turn, pose[3:])
        return pose


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
        self._origin_ns = origin_ns
        chance = [stream(seed, name, "outliers", str(n)) for n in range(len(model.outliers))]
        self._gaze = Gaze(model, stream(seed, name, "pose"), chance, name)

    def offer(
        self, stamp_ns: int, position: FloatArray, orientation: FloatArray, hidden: float
    ) -> bool:
        """The true pose: position (3,) in m and orientation as quaternion (4,) x, y, z, w, and
        the fraction of the object that is hidden, 0..1; as `Channel.offer`.

        Errors: HarnessError for a fraction outside of 0..1.
        """
        if not self.channel.due(stamp_ns):
            return False
        true = np.concatenate([np.asarray(position, dtype=np.float64), unit(orientation)])
        told, trust = self._gaze.seen(true, hidden, stamp_ns - self._origin_ns)
        return self.channel.offer(stamp_ns, np.array([*_one_of_two(told), trust]))


def confidence(table: Errors, hidden: float) -> float:
    """What the tracker says of itself, 0..1, with this fraction hidden."""
    return max(0.0, 1.0 - hidden / table.hidden_lost)


def _turned_a_little(quaternion: FloatArray, vector: FloatArray) -> FloatArray:
    """A quaternion x, y, z, w after a small rotation vector in rad: q + v q / 2, normalised."""
    x, y, z, w = quaternion.tolist()
    vx, vy, vz = (vector / 2).tolist()
    found = np.array(
        [
            x + vx * w + vy * z - vz * y,
            y - vx * z + vy * w + vz * x,
            z + vx * y - vy * x + vz * w,
            w - vx * x - vy * y - vz * z,
        ]
    )
    return np.asarray(found / math.sqrt(float(found.dot(found))))


def _one_of_two(pose: FloatArray) -> FloatArray:
    """Of the two quaternions of a rotation the one with qw >= 0."""
    sign = -1.0 if pose[6] < 0 else 1.0
    return np.concatenate([pose[:3], sign * pose[3:]])
