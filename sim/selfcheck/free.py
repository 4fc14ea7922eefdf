"""Motion without contact: a free fall and a pendulum."""

from __future__ import annotations

import math

from sim.robots.so101 import GRAVITY
from sim.robots.urdf import Body, Box, Inertial, Joint, Link, Part, Sphere
from sim.selfcheck.bodies import ball, place, velocity
from sim.selfcheck.model import Reading
from sim.world import Placed, Surface, World

_FALL_S = 0.5
_FROM = 3.0  # m

_LENGTH, _RADIUS, _BOB = 0.1, 0.02, 0.2  # m, m, kg
_AMPLITUDE = 0.5  # rad
_PERIODS = 8
_GIVEN_UP_S = 20.0


def fall(world: World) -> Reading:
    """Kinetic energy of a ball after half a second of free fall, as a share of the potential
    energy it has lost.

    A step changes the velocity first and the place with it (semi-implicit Euler), so that the
    ball falls deeper by v dt / 2 than it should: 1 / (1 + dt / t) is what is found.
    """
    world.rebuild()
    thing = ball(world, 0.02, 0.1, (0.0, 0.0, _FROM), Surface())
    world.step(round(_FALL_S / world.step_s))
    fallen, speed = _FROM - place(world, thing)[2], velocity(world, thing)[2]
    return Reading(speed**2 / (2 * GRAVITY * fallen), 1.0)


def pendulum(world: World) -> Reading:
    """Period in s of a pendulum that swings half a radian to either side, mean of eight."""
    world.rebuild()
    placed = world.place(_pendulum(), (0.0, 0.0, 1.0))
    joint = placed.joints["pin"]
    bullet, client = world.bullet, world.client
    bullet.setJointMotorControl2(
        placed.uid, joint, bullet.VELOCITY_CONTROL, force=0.0, physicsClientId=client
    )
    bullet.changeDynamics(placed.uid, joint, jointDamping=0.0, physicsClientId=client)
    bullet.resetJointState(placed.uid, joint, _AMPLITUDE, physicsClientId=client)
    return Reading(_period(world, placed, joint), exact_period())


def exact_period() -> float:
    """Period in s of the pendulum of these checks: 2 pi sqrt(I / (m g l)) / M(1, cos(a / 2)),
    M being the arithmetic-geometric mean and a the amplitude; the same as the complete elliptic
    integral (D. G. Cox, "The Arithmetic-Geometric Mean of Gauss", 1984)."""
    inertia = _BOB * (_LENGTH**2 + 2 * _RADIUS**2 / 5)
    one, other = 1.0, math.cos(_AMPLITUDE / 2)
    while abs(one - other) > 1e-12:
        one, other = (one + other) / 2, math.sqrt(one * other)
    return 2 * math.pi * math.sqrt(inertia / (_BOB * GRAVITY * _LENGTH)) / one


def _period(world: World, placed: Placed, joint: int) -> float:
    """Mean over `_PERIODS` of the time between passages of the lowest point in one direction;
    NaN where they do not come."""
    passages: list[float] = []
    before, steps = _AMPLITUDE, 0
    while len(passages) <= _PERIODS and steps * world.step_s < _GIVEN_UP_S:
        world.step()
        steps += 1
        now = world.bullet.getJointState(placed.uid, joint, physicsClientId=world.client)[0]
        if before > 0 >= now:
            passages.append((steps - now / (now - before)) * world.step_s)
        before = now
    if len(passages) <= _PERIODS:
        return math.nan
    return (passages[-1] - passages[0]) / _PERIODS


def _pendulum() -> Body:
    """A ball on a rod without mass; the pin is along y."""
    bob = Part(Sphere(_RADIUS), (0.0, 0.0, -_LENGTH))
    links = (
        Link("stand", Inertial.of(Box((0.01, 0.01, 0.01)), 1.0)),
        Link("bob", Inertial.of(bob.shape, _BOB, bob.at), (bob,)),
    )
    pin = Joint("pin", "revolute", "stand", "bob", axis=(0.0, 1.0, 0.0), lower=-3.0, upper=3.0)
    return Body("pendulum", links, (pin,))
