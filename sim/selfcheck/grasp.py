"""A thing between the fingers of a parallel gripper: when it is pulled out, whether it stays,
and what it weighs at the wrist."""

from __future__ import annotations

import math

import numpy as np

from hil.contracts import FloatArray
from sim.drives import Motors
from sim.robots import gripper
from sim.robots.model import Robot
from sim.robots.so101 import GRAVITY
from sim.robots.urdf import Box, Shape, Sphere
from sim.selfcheck.bodies import free, place, settle
from sim.selfcheck.model import Reading
from sim.selfcheck.slip import Pull, slip_force
from sim.truth import WristTruth
from sim.world import Placed, Quaternion, Surface, World

_WIDE = 0.04  # m
_CUBE, _BALL = Box((_WIDE, _WIDE, _WIDE)), Sphere(_WIDE / 2)
_MASS = 0.1  # kg
_SLIPPERY, _USUAL = 0.5, 0.7
"""Frictions of the thing, the fingers' own being 1: what is pulled out, and what is held."""
_SETTLED_S = 0.3
_HEIGHT = 0.5  # m: of the gripper's flange
_DOWNWARDS: Quaternion = (1.0, 0.0, 0.0, 0.0)
_HELD_S = 3.0


def pulled_ball(world: World) -> Reading:
    """Force in N that pulls a ball down and out of a grip of 20 N. Each finger touches it in
    one point, so that nothing but the law of friction is asked."""
    return _pulled(world, _BALL, 0.8, 1e-4)


def pulled_cube(world: World) -> Reading:
    """The same of a cube, once it has moved by 2 mm. How the pressure is spread over the face
    of a pad is the solver's choice: the cube turns a little as it gives way."""
    return _pulled(world, _CUBE, 0.0, 2e-3)


def creep(world: World) -> Reading:
    """Way in mm by which a cube of 100 g moves within 3 s in a grip of 30 N."""
    cube = _held(world, _CUBE, _USUAL, gripper.GRIP)
    began = place(world, cube)
    settle(world, _HELD_S)
    return Reading(1e3 * math.dist(began, place(world, cube)), 0.0)


def wrist_weight(world: World, robot: Robot) -> Reading:
    """Weight in N of all that is behind the wrist joint of `robot`, which holds itself at home,
    by the joint's force."""
    world.rebuild()
    placed = world.put(robot.body, (0.0, 0.0, 0.0), fixed=True)
    motors = Motors(world, robot, placed)
    wrist = WristTruth(world, robot, placed)
    motors.stand(robot.home)
    limits = np.array([motor.torque for motor in robot.motors])
    _pull(motors, robot, robot.home, robot.home, limits)
    settle(world, _SETTLED_S)
    return Reading(float(np.linalg.norm(wrist.read()[:3])), GRAVITY * _behind(robot))


def _pulled(world: World, shape: Shape, first: float, slipped: float) -> Reading:
    thing = _held(world, shape, _SLIPPERY, gripper.WEAKEST_GRIP)
    expected = 2 * _SLIPPERY * gripper.WEAKEST_GRIP - _MASS * GRAVITY
    pull = Pull((0.0, 0.0, -1.0), first * expected, 1.2 * expected, 0.5, slipped)
    return Reading(slip_force(world, thing, _MASS, pull), expected)


def _held(world: World, shape: Shape, friction: float, force: float) -> Placed:
    """A thing in the middle of the closed pads of a gripper that hangs in the air."""
    world.rebuild()
    robot = gripper.gripper(force)
    placed = world.put(robot.body, (0.0, 0.0, _HEIGHT), _DOWNWARDS, fixed=True)
    motors = Motors(world, robot, placed)
    touching = np.array([gripper.angle_for(_WIDE)])
    motors.stand(touching)
    at = (0.0, 0.0, _HEIGHT - gripper.GRIP_CENTRE[2])
    thing = free(world, shape, _MASS, at, Surface(friction))
    _pull(motors, robot, np.zeros(1), touching, np.array([gripper.torque_for(force)]))
    settle(world, _SETTLED_S)
    return thing


def _pull(
    motors: Motors, robot: Robot, target: FloatArray, position: FloatArray, limits: FloatArray
) -> None:
    count = len(robot.motors)
    motors.pull(target, limits, np.ones(count, dtype=np.bool_), position, np.zeros(count))


def _behind(robot: Robot) -> float:
    """Mass in kg of the links that the wrist joint carries."""
    carried = {joint.child for joint in robot.body.joints if joint.name == robot.wrist}
    for joint in robot.body.joints:  # parents come before children
        if joint.parent in carried:
            carried.add(joint.child)
    return sum(link.inertial.mass for link in robot.body.links if link.name in carried)
