"""Inertial sensor: specific force and angular rate of a body in its own frame, from its motion.

Both are means over the time since the sample before, which is what a sensor with a filter below
half its rate comes to:

    f = R_mid^T ((v1 - v0) / dt - g),      w = log(R0^T R1) / dt

so that integrating the readings gives the motion back. R_mid is the orientation half-way. At rest
f points up with 9.81 m/s².

It is no model of the sensing element: no scale error, misalignment, g-sensitivity, temperature,
vibration rectification, and no shape of the filter. The motion is that of the point where the
sensor sits; who feeds it adds the lever arm.
"""

from __future__ import annotations

import math

import numpy as np

from hil.clock import NS_PER_S
from hil.contracts import Capability, FloatArray, SensorFacts
from sim.sensing.channel import Channel, ChannelModel, Noise, Sampling
from sim.sensing.conversion import Conversion
from sim.sensing.rotation import from_vector, inverse, matrix, product, to_vector, unit
from sim.sensing.tables import NotNegative, Positive, Table

LABELS = ("ax", "ay", "az", "gx", "gy", "gz")
UNIT = "m/s² m/s² m/s² rad/s rad/s rad/s"

GRAVITY = (0.0, 0.0, -9.81)
"""m/s², in the world's frame; the value of the physics."""


class InertialModel(Table):
    """Accelerometer (unit U = m/s²) or gyroscope (U = rad/s), the same for its three axes.

    Attributes:
        range: end of the range either way, U.
        resolution: step between readings, U, 0 for none.
        noise_density: one-sided, U/sqrt(Hz).
        bias: standard deviation of the offset that is there from the start, U.
        walk: standard deviation of its random walk after 1 s, U/sqrt(s).
    """

    range: Positive
    resolution: NotNegative = 0.0
    noise_density: NotNegative = 0.0
    bias: NotNegative = 0.0
    walk: NotNegative = 0.0


class ImuModel(Sampling):
    """An inertial sensor as data. `bandwidth_hz` turns noise densities into standard deviations:
    density * sqrt(bandwidth); None is half the rate, as data sheets have it."""

    accelerometer: InertialModel
    gyroscope: InertialModel
    bandwidth_hz: Positive | None = None


class Imu:
    """One inertial sensor in one episode.

    Args:
        name: its own in the episode; seed: the episode's; origin_ns: its first sample instant.
        gravity: (3,) m/s² in the world's frame.

    Attributes:
        facts, channel: what it measures; where its readings are had.
    """

    def __init__(
        self,
        name: str,
        model: ImuModel,
        seed: int,
        origin_ns: int = 0,
        gravity: tuple[float, float, float] = GRAVITY,
    ) -> None:
        self.facts = SensorFacts(Capability.IMU, LABELS, UNIT, model.rate_hz)
        self.channel = Channel(name, LABELS, channel_model(model), seed, origin_ns)
        self._gravity = np.array(gravity)
        self._before: tuple[int, FloatArray, FloatArray] | None = None

    def offer(self, stamp_ns: int, orientation: FloatArray, velocity: FloatArray) -> bool:
        """The true motion: orientation as quaternion (4,) x, y, z, w, and velocity (3,) in m/s,
        both of the sensor in the world; as `Channel.offer`.

        The first sample has nothing before it and is absent. A body that turns by more than half
        a turn between samples is taken to turn the shorter way. Errors: HarnessError for a
        quaternion of length 0.
        """
        if not self.channel.due(stamp_ns):
            return False
        now = (stamp_ns, unit(orientation), np.array(velocity, dtype=np.float64))
        before, self._before = self._before, now
        if before is None:
            return self.channel.offer(stamp_ns, np.full(len(LABELS), np.nan))
        return self.channel.offer(stamp_ns, self._mean(before, now))

    def _mean(
        self, before: tuple[int, FloatArray, FloatArray], now: tuple[int, FloatArray, FloatArray]
    ) -> FloatArray:
        lasted_s = (now[0] - before[0]) / NS_PER_S
        turn = to_vector(product(inverse(before[1]), now[1]))
        half_way = matrix(product(before[1], from_vector(turn / 2)))
        specific_force = half_way.T @ ((now[2] - before[2]) / lasted_s - self._gravity)
        return np.concatenate([specific_force, turn / lasted_s])


def channel_model(model: ImuModel) -> ChannelModel:
    """The channel behind the mechanics."""
    both = (model.accelerometer, model.gyroscope)
    bandwidth_hz = model.bandwidth_hz or model.rate_hz / 2
    noise = Noise(
        white=_three(*(one.noise_density * math.sqrt(bandwidth_hz) for one in both)),
        bias=_three(*(one.bias for one in both)),
        walk=_three(*(one.walk for one in both)),
    )
    ends = _three(*(one.range for one in both))
    conversion = Conversion(
        lower=tuple(-end for end in ends),
        upper=ends,
        resolution=_three(*(one.resolution for one in both)),
    )
    return ChannelModel.of(model, noise, conversion)


def _three(accelerometer: float, gyroscope: float) -> tuple[float, ...]:
    return (accelerometer,) * 3 + (gyroscope,) * 3
