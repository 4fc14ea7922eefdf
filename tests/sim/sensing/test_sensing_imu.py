"""Inertial sensor: at rest, falling, and integrated back to the motion it came from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hil.contracts import NEVER, Capability
from sim.sensing.defaults import load_defaults
from sim.sensing.imu import GRAVITY, Imu, ImuModel, InertialModel

NS = 1_000_000_000
IDEAL = ImuModel(
    rate_hz=200, accelerometer=InertialModel(range=1000), gyroscope=InertialModel(range=1000)
)
STILL = np.array([0.0, 0.0, 0.0, 1.0])


def readings(
    model: ImuModel, motion: list[tuple[np.ndarray, np.ndarray]], seed: int = 1
) -> np.ndarray:
    """(len(motion) - 1, 6): what is read of a motion given at the sample instants."""
    sensor = Imu("imu", model, seed)
    rows = []
    for orientation, velocity in motion:
        stamp = sensor.channel.next_ns
        assert sensor.offer(stamp, orientation, velocity)
        rows.append(sensor.channel.newest(stamp + NS).value)
    return np.array(rows[1:])


def test_at_rest_it_feels_what_holds_it_up() -> None:
    tilted = Rotation.from_euler("x", 30, degrees=True)
    rows = readings(IDEAL, [(tilted.as_quat(), np.zeros(3))] * 4)
    wanted = [0, 9.81 * np.sin(np.pi / 6), 9.81 * np.cos(np.pi / 6), 0, 0, 0]
    np.testing.assert_allclose(rows, [wanted] * 3, atol=1e-12)


def test_in_free_fall_it_feels_nothing() -> None:
    motion = [(STILL, np.array(GRAVITY) * k / 200) for k in range(5)]
    np.testing.assert_allclose(readings(IDEAL, motion), 0, atol=1e-12)


def test_a_steady_turn_is_read_in_the_bodys_own_frame() -> None:
    start = Rotation.from_euler("xyz", [0.4, -0.7, 1.1])
    rate = np.array([0.3, -2.0, 1.2])  # rad/s about the body's axes
    motion = [
        ((start * Rotation.from_rotvec(rate * k / 200)).as_quat(), np.zeros(3)) for k in range(9)
    ]
    np.testing.assert_allclose(readings(IDEAL, motion)[:, 3:], [rate] * 8, atol=1e-9)


def test_the_first_sample_has_nothing_to_compare_with() -> None:
    sensor = Imu("imu", IDEAL, 1)
    sensor.offer(0, STILL, np.zeros(3))
    sample = sensor.channel.newest(0)
    assert np.isnan(sample.value).all()
    assert (sample.age_ns == NEVER).all()
    assert sensor.facts.kind is Capability.IMU


def wandering(count: int) -> tuple[list[Rotation], np.ndarray]:
    """A smooth motion in closed form, at 200 Hz: orientations, velocities (count, 3)."""
    t = np.arange(count) / 200
    angles = np.column_stack([0.8 * np.sin(2 * t), 0.5 * np.sin(3 * t + 1), 1.5 * t])
    velocity = np.column_stack([0.4 * np.cos(4 * t), 0.6 * np.sin(3 * t), 0.2 * np.sin(7 * t)])
    return [Rotation.from_euler("xyz", one) for one in angles], velocity


def test_dead_reckoning_gives_the_motion_back() -> None:
    """Strapdown integration with SciPy's rotations: 5 s, 1000 samples."""
    turns, velocity = wandering(1001)
    motion = [(turn.as_quat(), v) for turn, v in zip(turns, velocity, strict=True)]
    orientation, speed = turns[0], velocity[0].copy()
    for row in readings(IDEAL, motion):
        step = Rotation.from_rotvec(row[3:] / 200)
        half_way = orientation * Rotation.from_rotvec(row[3:] / 400)
        speed += (half_way.apply(row[:3]) + np.array(GRAVITY)) / 200
        orientation = orientation * step
    assert (orientation.inv() * turns[-1]).magnitude() < 1e-9
    np.testing.assert_allclose(speed, velocity[-1], atol=1e-9)


def test_the_specific_force_is_that_of_calculus() -> None:
    """Against R^T (a - g) from derivatives in closed form half-way between the samples.

    The means of the model differ from it by terms of second order in the period: some
    1e-3 m/s² of some 10 here.
    """
    turns, velocity = wandering(400)
    motion = [(turn.as_quat(), v) for turn, v in zip(turns, velocity, strict=True)]
    t = (np.arange(399) + 0.5) / 200
    acceleration = np.column_stack([-1.6 * np.sin(4 * t), 1.8 * np.cos(3 * t), 1.4 * np.cos(7 * t)])
    angles = np.column_stack([0.8 * np.sin(2 * t), 0.5 * np.sin(3 * t + 1), 1.5 * t])
    wanted = Rotation.from_euler("xyz", angles).inv().apply(acceleration - np.array(GRAVITY))
    np.testing.assert_allclose(readings(IDEAL, motion)[:, :3], wanted, atol=2e-3)


@pytest.mark.parametrize("bandwidth_hz", [None, 40.0])
def test_noise_follows_from_its_density_and_the_bandwidth(bandwidth_hz: float | None) -> None:
    model = ImuModel(
        rate_hz=200,
        accelerometer=InertialModel(range=100, noise_density=2e-3),
        gyroscope=InertialModel(range=100, noise_density=1.7e-4),
        bandwidth_hz=bandwidth_hz,
    )
    rows = readings(model, [(STILL, np.zeros(3))] * 8001)
    root = np.sqrt(bandwidth_hz or 100.0)
    wanted = np.array([2e-3] * 3 + [1.7e-4] * 3) * root
    np.testing.assert_allclose(rows.std(axis=0) / wanted, 1, atol=4 / np.sqrt(2 * 8000))


def test_ranges_clip_and_steps_count() -> None:
    default = load_defaults().imu
    quick = readings(default, [(STILL, np.zeros(3)), (STILL, np.array([50.0, 0, 0]))])
    most = default.accelerometer.range
    assert most - default.accelerometer.resolution < quick[0, 0] <= most
    rows = readings(default, [(STILL, np.zeros(3))] * 10)
    steps = rows[:, 3:] / default.gyroscope.resolution
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
