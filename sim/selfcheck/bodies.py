"""The things that checks are made with, and what is asked of them."""

from __future__ import annotations

from sim.robots.urdf import Body, Box, Inertial, Link, Part, Shape, Sphere, Vector
from sim.world import Placed, Surface, World

_TABLE = Box((4.0, 4.0, 0.02))


def body(shape: Shape, mass: float) -> Body:
    """One homogeneous primitive of `mass` kg."""
    part = Part(shape)
    return Body("body", [Link("body", Inertial.of(shape, mass), (part,))])


def table(world: World, surface: Surface) -> Placed:
    """A fixed table whose top is at height 0."""
    placed = world.place(body(_TABLE, 1.0), (0.0, 0.0, -_TABLE.size[2] / 2))
    world.surface(placed, -1, surface)
    return placed


def free(world: World, shape: Shape, mass: float, at: Vector, surface: Surface) -> Placed:
    """A free thing of `mass` kg whose middle is `at` m."""
    placed = world.put(body(shape, mass), at, fixed=False)
    world.surface(placed, -1, surface)
    return placed


def ball(world: World, radius: float, mass: float, at: Vector, surface: Surface) -> Placed:
    """A free ball."""
    return free(world, Sphere(radius), mass, at, surface)


def place(world: World, thing: Placed) -> Vector:
    """Where the middle of a thing is, m."""
    found: Vector = world.bullet.getBasePositionAndOrientation(
        thing.uid, physicsClientId=world.client
    )[0]
    return found


def velocity(world: World, thing: Placed) -> Vector:
    """Of the middle of a thing, m/s."""
    found: Vector = world.bullet.getBaseVelocity(thing.uid, physicsClientId=world.client)[0]
    return found


def settle(world: World, seconds: float) -> None:
    """Let time pass."""
    world.step(round(seconds / world.step_s))


def along(vector: Vector, way: Vector) -> float:
    """Component along a direction of length 1."""
    return sum(a * b for a, b in zip(vector, way, strict=True))
