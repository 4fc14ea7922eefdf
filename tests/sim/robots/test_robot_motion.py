"""Every robot of the catalogue in a plant: it holds its pose and stays in its ranges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sim.layout import Layout, Mount
from sim.plant import Plant
from sim.robots.catalogue import ROBOTS, robot
from sim.world import View

HZ = 1000


@pytest.fixture(params=sorted(ROBOTS))
def plant(request: pytest.FixtureRequest) -> Iterator[Plant]:
    view = View((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    # high above the table, which whole-range motions would drive an arm into
    mount = Mount(robot(request.param), (0.0, 0.0, 2.0))
    made = Plant(Layout(request.param, (mount,), view), HZ)
    yield made
    made.close()


def drive(plant: Plant, target: np.ndarray, seconds: float) -> np.ndarray:
    plant.drive(target, plant.most_torque, np.ones(len(target), dtype=bool))
    for _ in range(round(seconds * HZ)):
        plant.step()
    return plant.joints()[0]


def test_home_is_held(plant: Plant) -> None:
    """A drive holds against gravity; hobby servos sag by what their stiffness lets them."""
    servos = any(motor.stiffness is not None for motor in plant.robots[0].motors)
    reached = drive(plant, plant.home, 0.5)
    np.testing.assert_allclose(reached, plant.home, atol=0.02 if servos else 1e-3)


def test_no_motor_leaves_its_range_or_outruns_its_speed(plant: Plant) -> None:
    made = plant.robots[0]
    rng = np.random.default_rng(4)
    speed = np.array([motor.speed for motor in made.motors])
    for _ in range(6):
        beyond = np.where(rng.random(len(made.home)) < 0.5, made.lower - 0.3, made.upper + 0.3)
        reached = drive(plant, np.clip(beyond, -2.5, 2.5), 0.25)
        assert (reached >= made.lower - 0.01).all()
        assert (reached <= made.upper + 0.01).all()
        assert (np.abs(plant.joints()[1]) <= 1.05 * speed).all()
