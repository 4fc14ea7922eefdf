"""Inverse kinematics of a robot's tools: joints for a place, and joint steps for a motion.

Both solve J dq = e by damped least squares, dq = J' (J J' + damping² I)^-1 e, which stays
bounded where the arm is stretched out (Nakamura and Hanafusa, ASME J. Dyn. Sys. 108(3), 1986).
Joints that would leave their range are held at its end and the rest is solved again. Turns are
weighed as `LEVER` metres a radian against ways. Nothing here is random: equal questions have
equal answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.kinematics import Chain
from sim.robots.kinematics import Pose, tool_pose
from sim.robots.model import Robot

LEVER = 0.2
"""m: a turn of 1 rad counts as much as a way of this length."""
NEAR = 1e-5
"""m (and `NEAR` / `LEVER` rad): how near a solution is to what was asked for."""

_ROUNDS = 80
_LEAST_DAMPING, _FIRST_DAMPING, _MOST_DAMPING = 1e-6, 1e-3, 10.0
_LARGEST_STEP = 0.5  # rad
_STEP_DAMPING = 0.01  # m
_TRIES = 12


@dataclass(frozen=True, slots=True)
class Limb:
    """A tool with the limits of the motors that move it: all that reaching asks for.

    Arrays (n,): range in rad and speed in rad/s of the tool's joints, and where they rest.
    """

    chain: Chain
    motors: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    speed: FloatArray
    home: FloatArray


def limb(robot: Robot, tool: str | None = None) -> Limb:
    """The limb to a robot's tool, its first unless named.

    Errors: BadInput for a tool that it lacks.
    """
    name = next(iter(robot.tools)) if tool is None else tool
    if name not in robot.tools:
        raise BadInput(
            f"robot {robot.name!r} has no tool {name!r}", f"it has {', '.join(robot.tools)}"
        )
    found = robot.tools[name]
    places = robot.places(found.motors)
    speed = np.array([robot.motors[place].speed for place in places])
    return Limb(
        found.chain,
        found.motors,
        robot.lower[places],
        robot.upper[places],
        speed,
        robot.home[places],
    )


def reach(
    limb: Limb,
    position: FloatArray,
    turned: FloatArray | None = None,
    seed: FloatArray | None = None,
    tries: int = _TRIES,
) -> FloatArray | None:
    """Joints (n,) in rad within their ranges that bring the tool to `position` (3,) m.

    `turned` is (3, 3) for the tool's axes, (3,) for the direction alone in which its z points
    (of any length but 0), or None for any. The search starts from `seed` (n,), or the joints at
    rest, and then, up to `tries` times in all, from places spread evenly over the ranges; each
    search takes a bounded number of rounds. With `tries` = 1 the answer is the one next to the
    seed or none.

    Returns None where the place is out of reach: no search came within `NEAR` of it.
    """
    first = limb.home if seed is None else seed
    for number in range(tries):
        found = _search(limb, position, turned, first if number == 0 else _start(limb, number))
        if found is not None:
            return found
    return None


def joint_step(limb: Limb, joints: FloatArray, twist: FloatArray, seconds: float) -> FloatArray:
    """Change of the joints (n,) in rad that moves the tool by `twist` for `seconds`.

    `twist` is (6,), m/s then rad/s, in the base's axes, at the tool's origin; or (3,), m/s, with
    the tool free to turn. No joint leaves its range or goes faster than its motor can: where
    one would, all go slower alike, so that the way stays straight.
    """
    pose = tool_pose(limb.chain, joints)
    jacobian, wanted = pose.jacobian[:3], twist[:3] * seconds
    if len(twist) == 6:
        jacobian = np.vstack([jacobian, LEVER * pose.jacobian[3:]])
        wanted = np.concatenate([wanted, LEVER * twist[3:] * seconds])
    most = limb.speed * seconds
    wanted = wanted / _excess(_solved(jacobian, wanted, _STEP_DAMPING), most)
    step = _inside(limb, joints, jacobian, wanted, _STEP_DAMPING)
    return step / _excess(step, most)


def rotation_vector(matrix: FloatArray) -> FloatArray:
    """Axis times angle (3,) in rad of a rotation (3, 3); the angle is at most half a turn."""
    sines = np.array(
        [
            matrix[2, 1] - matrix[1, 2],
            matrix[0, 2] - matrix[2, 0],
            matrix[1, 0] - matrix[0, 1],
        ]
    )
    twice = float(np.linalg.norm(sines))
    angle = math.atan2(twice, float(np.trace(matrix)) - 1.0)
    if twice > 1e-6:
        turn: FloatArray = sines * (angle / twice)
        return turn
    if angle < 1.0:
        return sines / 2.0
    # half a turn: R + I = 2 a a', so its longest column points along the axis
    columns = matrix + np.eye(3)
    axis = columns[:, int(np.argmax(np.linalg.norm(columns, axis=0)))]
    return np.asarray(axis * (angle / np.linalg.norm(axis)))


def _search(
    limb: Limb, position: FloatArray, turned: FloatArray | None, seed: FloatArray
) -> FloatArray | None:
    """Levenberg and Marquardt's way: less damping after a step that helped, more after one
    that did not."""
    joints = np.clip(seed, limb.lower, limb.upper)
    damping = _FIRST_DAMPING
    jacobian, error = _gap(tool_pose(limb.chain, joints), position, turned)
    size = float(np.linalg.norm(error))
    for _ in range(_ROUNDS):
        if size <= NEAR:
            return joints
        if damping > _MOST_DAMPING:
            return None
        step = _inside(limb, joints, jacobian, error, damping)
        step *= min(1.0, _LARGEST_STEP / max(float(np.abs(step).max(initial=0.0)), 1e-12))
        ahead = np.clip(joints + step, limb.lower, limb.upper)
        new_jacobian, new_error = _gap(tool_pose(limb.chain, ahead), position, turned)
        new_size = float(np.linalg.norm(new_error))
        if new_size < size:
            joints, jacobian, error, size = ahead, new_jacobian, new_error, new_size
            damping = max(damping / 4.0, _LEAST_DAMPING)
        else:
            damping *= 8.0
    return joints if size <= NEAR else None


def _gap(
    pose: Pose, position: FloatArray, turned: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Jacobian (m, n) and what is missing (m,), in m."""
    way = position - pose.position
    if turned is None:
        return pose.jacobian[:3], way
    turning = pose.jacobian[3:]
    if turned.ndim == 2:
        turn = rotation_vector(turned @ pose.axes.T)
    else:
        pointing = pose.axes[:, 2]
        turn = _turn_between(pointing, turned / np.linalg.norm(turned))
        turning = turning - np.outer(pointing, pointing @ turning)
    return np.vstack([pose.jacobian[:3], LEVER * turning]), np.concatenate([way, LEVER * turn])


def _turn_between(now: FloatArray, wanted: FloatArray) -> FloatArray:
    """Shortest turn, axis times angle (3,), from one unit vector to another."""
    across = np.cross(now, wanted)
    sine, cosine = float(np.linalg.norm(across)), float(now @ wanted)
    if sine > 1e-9:
        turn: FloatArray = across * (math.atan2(sine, cosine) / sine)
        return turn
    if cosine > 0:
        return np.zeros(3)
    side = np.cross(now, np.eye(3)[int(np.argmin(np.abs(now)))])
    return np.asarray(side * (math.pi / np.linalg.norm(side)))


def _inside(
    limb: Limb, joints: FloatArray, jacobian: FloatArray, wanted: FloatArray, damping: float
) -> FloatArray:
    """Damped least squares with the joints kept in their ranges, each held at its end once it
    would pass it: at most one round a joint."""
    step = np.zeros(len(joints))
    free = np.ones(len(joints), dtype=np.bool_)
    while free.any():
        rest = wanted - jacobian[:, ~free] @ step[~free]
        step[free] = _solved(jacobian[:, free], rest, damping)
        ahead = joints + step
        out = free & ((ahead < limb.lower) | (ahead > limb.upper))
        if not out.any():
            break
        step[out] = np.clip(ahead, limb.lower, limb.upper)[out] - joints[out]
        free &= ~out
    return step


def _solved(jacobian: FloatArray, wanted: FloatArray, damping: float) -> FloatArray:
    square = jacobian @ jacobian.T + damping**2 * np.eye(len(jacobian))
    return np.asarray(jacobian.T @ np.linalg.solve(square, wanted))


def _excess(step: FloatArray, most: FloatArray) -> float:
    """How many times too large a step is for its fastest joint; at least 1."""
    return float((np.abs(step) / most).max(initial=1.0))


def _start(limb: Limb, number: int) -> FloatArray:
    """A place in the ranges (n,): the additive recurrence of Roberts, which spreads evenly in
    any number of dimensions n. Its step is 1 / g^k for the k-th, with g^(n+1) = g + 1."""
    count = len(limb.lower)
    root = 2.0
    for _ in range(30):
        root = (1.0 + root) ** (1.0 / (count + 1))
    part = (0.5 + number * root ** -np.arange(1.0, count + 1.0)) % 1.0
    return np.asarray(limb.lower + part * (limb.upper - limb.lower))
