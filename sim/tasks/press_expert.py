"""Scripted expert of the press-turn archetype: a funnel in front of the switch.

Memoryless: the next change of the joints' targets follows from where the joints are, how far
their targets lead, and the goal. The tip is drawn to the switch's axis; the further off the
axis it is, the further it keeps off the wall, so that it always arrives along the normal.
There is no force sensor: the push is judged by how much more the targets lead the joints
than gravity explains.
"""

from __future__ import annotations

import numpy as np

from hil.contracts import FloatArray
from hil.task import View
from sim.robots import so101
from sim.robots.kinematics import Pose, holding_torque, tool_pose
from sim.tasks.press_scene import pushing_direction

TICK_S = 0.02
"""The expert and the policies taught by it are for a loop of 50 Hz."""

CHANGE_LIMIT = 0.03
"""rad a tick: 1.5 rad/s."""

PRESS_DEPTH = 0.009
"""m behind the face of the switch at rest: deeper than its travel, so that it trips in spite
of the tracker's error, and of targets that are rounded to whole encoder counts."""

PRESS_FORCE = 9.0
"""N; where the push ends."""

_GAIN = 6.0  # 1/s
_SPEED = 0.22  # m/s
_FUNNEL_MOUTH = 0.030  # m, distance kept from the face when off the axis
_FUNNEL_SLOPE = 5.0
_ON_AXIS = 0.004  # m
_LEVEL_GAIN = 5.0  # 1/s
_DAMPING = 0.01  # of the least squares, in m per rad
_LEVEL_WEIGHT = 0.1  # m: how much of a position error one rad of tilt is worth
_FORCE_GAIN = 18.0  # 1/s
_APPROACH_LEAD = 0.5  # lead allowed for each metre still to go to the face

_ARM = so101.ARM_JOINTS


class PressExpert:
    """Control law for one arm; holds its kinematics and nothing that changes."""

    def __init__(self) -> None:
        self._chain = so101.tip_chain()
        self._weights = so101.carried_weights()

    def __call__(self, view: View) -> FloatArray:
        """Joint targets (6,) in rad."""
        return view.target + self.change(view.joints.position, view.target, view.goal["switch"])

    def change(self, position: FloatArray, target: FloatArray, goal: FloatArray) -> FloatArray:
        """Change of the targets in rad for one tick, (6,).

        `position` and `target` have shape (6,), rad; `goal` is the switch's x, y, z, yaw.
        """
        tip = tool_pose(self._chain, position[:_ARM])
        sag = holding_torque(tip.links, self._weights) / so101.SERVO_STIFFNESS
        normal = pushing_direction(float(goal[3]))
        velocity = _velocity(tip, goal[:3] - tip.position, normal, (target - position)[:_ARM] - sag)
        step = np.empty(len(position))
        step[:_ARM] = _joint_rates(tip, velocity)
        step[_ARM - 1] = -_LEVEL_GAIN * target[_ARM - 1]
        step[_ARM] = _LEVEL_GAIN * (so101.JAW_CLOSED - target[_ARM])
        step *= TICK_S
        return step * min(1.0, CHANGE_LIMIT / max(float(np.abs(step).max()), 1e-9))


def _velocity(tip: Pose, offset: FloatArray, normal: FloatArray, lag: FloatArray) -> FloatArray:
    """Wanted velocity (3,) of the tip in m/s; `offset` leads from it to the goal."""
    gap = float(offset @ normal)
    aside = offset - gap * normal
    off_axis = max(0.0, float(np.linalg.norm(aside)) - _ON_AXIS)
    depth = max(PRESS_DEPTH - _FUNNEL_SLOPE * off_axis, -_FUNNEL_MOUTH)
    inward = min(_GAIN * (gap + depth), _FORCE_GAIN * _spare_lead(tip, lag, normal, gap))
    velocity = _GAIN * aside + inward * normal
    return velocity * min(1.0, _SPEED / max(float(np.linalg.norm(velocity)), 1e-9))


def _spare_lead(tip: Pose, lag: FloatArray, normal: FloatArray, gap: float) -> float:
    """By how much (m) the target may lead the tip more than it does, along the normal.

    At the wall a lead of |J^T n|^2 / k a newton is the push of springs of stiffness k in all
    joints; away from it the lead is only the servos' delay.
    """
    row = normal @ tip.jacobian[:3]
    compliance = float(row @ row) / so101.SERVO_STIFFNESS
    return PRESS_FORCE * compliance + _APPROACH_LEAD * max(0.0, gap) - float(row @ lag)


def _joint_rates(tip: Pose, velocity: FloatArray) -> FloatArray:
    """Rates (5,) in rad/s that move the tip with `velocity` and level it, by damped least
    squares; the wrist's roll is left out, or it would be used to reach aside."""
    pointing = tip.axes[:, 2]
    # rate of the pointing axis' height: z of omega x pointing
    level = tip.jacobian[3] * pointing[1] - tip.jacobian[4] * pointing[0]
    rows = np.vstack([tip.jacobian[:3], _LEVEL_WEIGHT * level])
    rows[:, -1] = 0.0
    wanted = np.append(velocity, -_LEVEL_WEIGHT * _LEVEL_GAIN * pointing[2])
    rates: FloatArray = rows.T @ np.linalg.solve(
        rows @ rows.T + _DAMPING**2 * np.eye(len(rows)), wanted
    )
    return rates
