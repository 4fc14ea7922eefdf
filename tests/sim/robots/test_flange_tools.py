"""The arms with a knife, a screwdriver and a scoop: their tables against PyBullet's."""

from __future__ import annotations

import numpy as np
import pytest
from robots_in_world import joints_at, loaded

from hil.kinematics import transform
from sim.robots import driver, knife, scoop
from sim.robots.model import Robot
from sim.robots.urdf import Sphere

ARM_KG = 4.0 + 17.7


@pytest.mark.parametrize(
    ("made", "mass", "motors"),
    [
        (knife.robot(), ARM_KG + 0.10 + 0.22 + 4 * 0.01 + 0.002, 6),
        (driver.robot(), ARM_KG + 0.10 + 0.75 + 0.040 + 0.015, 7),
        (scoop.robot(), ARM_KG + 0.10 + 0.12 + 0.06 + 0.03 + 2 * 0.04, 6),
    ],
    ids=["knife", "driver", "scoop"],
)
def test_tables_are_those_of_the_bodies(made: Robot, mass: float, motors: int) -> None:
    assert sum(link.inertial.mass for link in made.body.links) == pytest.approx(mass)
    assert len(made.motors) == motors
    with loaded(made.body) as body:
        body.stand(joints_at(made, made.home))
        assert body.overlaps() == {}
        for position in np.random.default_rng(3).uniform(-1.0, 1.0, (6, motors)):
            body.stand(joints_at(made, position))
            for tool in made.tools.values():
                *_, end = tool.chain.frames(position[made.places(tool.motors)])
                placed = transform(tool.placed.xyz, tool.placed.rpy)
                np.testing.assert_allclose(end, body.frame(tool.link) @ placed, atol=1e-6)


def test_the_rotor_behind_its_gear_counts_about_the_bits_axis() -> None:
    made = driver.robot()
    with loaded(made.body) as body:
        across, _, along = body.dynamics(driver.BIT)[2]
    assert 5e-4 < along < 5.1e-4
    assert 2 * across >= along


def test_the_tip_does_not_turn_with_the_spindle() -> None:
    assert driver.SPINDLE not in driver.robot().tools[driver.TOOL].motors


def test_the_blade_reaches_below_its_shoe() -> None:
    made = knife.knife()
    balls = [part for part in made.body.links[0].parts if isinstance(part.shape, Sphere)]
    assert len(balls) == 2
    for ball in balls:
        assert isinstance(ball.shape, Sphere)
        assert knife.TIP - ball.at[2] - ball.shape.radius == pytest.approx(knife.DEPTH)
