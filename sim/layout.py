"""What a plant is made of, as data, and how its robots and its table are put into a world."""

from __future__ import annotations

from dataclasses import dataclass

from sim.robots.model import Robot
from sim.robots.urdf import Body, Box, Inertial, Link, Part, Vector
from sim.world import Placed, Surface, View, World

_PLAIN = Surface().friction


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a robot stands: its base frame's `at` in m and `yaw` in rad."""

    robot: Robot
    at: Vector = (0.0, 0.0, 0.0)
    yaw: float = 0.0


@dataclass(frozen=True, slots=True)
class Layout:
    """What a plant is made of: its name, its robots, and the camera that takes its pictures.

    `table` is the size of the table's top in m, whose surface is at height 0, and its middle.
    """

    name: str
    mounts: tuple[Mount, ...]
    view: View
    table: tuple[float, float] = (0.9, 0.9)
    table_at: tuple[float, float] = (0.2, 0.0)
    table_friction: float = _PLAIN
    iterations: int = 150
    """Of the contact solver, see `sim.world.World`."""


def robot_in(world: World, mount: Mount) -> Placed:
    """The robot in the world, its base fixed."""
    turn = world.bullet.getQuaternionFromEuler((0.0, 0.0, mount.yaw))
    return world.put(
        mount.robot.body,
        mount.at,
        turn,
        fixed=True,
        self_collision=mount.robot.self_collision,
    )


def table_in(world: World, layout: Layout) -> Placed:
    """The table in the world."""
    (length, width), (x, y) = layout.table, layout.table_at
    top = Part(Box((length, width, 0.02)), (x, y, -0.011), colour=(0.62, 0.56, 0.48, 1.0))
    body = Body("bench", [Link("bench", Inertial.of(top.shape, 5.0, top.at), (top,))])
    table = world.place(body, (0.0, 0.0, 0.0))
    if layout.table_friction != _PLAIN:
        world.bullet.changeDynamics(
            table.uid, -1, lateralFriction=layout.table_friction, physicsClientId=world.client
        )
    return table
