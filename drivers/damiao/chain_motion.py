"""Between joint angles in SI units and what stands on the bus. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from drivers.damiao.chain_setup import Setup
from drivers.damiao.codec import POSITION_BITS, Feedback, decode_feedback, pack_mit
from drivers.damiao.ledger import Heard
from drivers.damiao.robots import Robot
from hil.contracts import FloatArray, IntArray

_EDGE = 1e-6
"""Share of a step by which a target may miss a code from below: what was decoded from a code
shall encode to it again, or a joint held at its last target would creep down step by step."""


def target_codes(robot: Robot, setup: Setup, position: FloatArray) -> IntArray:
    """Position codes of targets, shape (n,), rad: cut off as the motors' own code does, and
    held within what joint and motor allow."""
    return np.clip(_codes(setup, robot.to_motor(position)), setup.low, setup.high)


def hold_codes(robot: Robot, setup: Setup, states: Mapping[int, Feedback]) -> IntArray:
    """Position codes of where all motors are, within their joints' range or not: a joint that
    stands outside its range must not jump when it is energised."""
    return _codes(setup, np.array([states[motor].position for motor in robot.ids]))


def _codes(setup: Setup, motor: FloatArray) -> IntArray:
    steps = (1 << POSITION_BITS) - 1
    reach = np.array([each.position for each in setup.ranges])
    scaled = np.clip((motor + reach) * steps / (2 * reach), 0, steps)
    return np.asarray(np.floor(scaled + _EDGE), dtype=np.int64)


def targets(robot: Robot, setup: Setup, codes: IntArray) -> FloatArray:
    """Joint angles that position codes stand for, shape (n,), rad."""
    return robot.to_joint(np.array(setup.motor_angles(codes)))


def payloads(robot: Robot, setup: Setup, codes: IntArray) -> dict[int, bytes]:
    """The commands that go with position codes, by motor."""
    return {
        motor: pack_mit(replace(rest, position=int(code)))
        for motor, rest, code in zip(robot.ids, setup.rest, codes, strict=True)
    }


def decoded(robot: Robot, setup: Setup, heard: Mapping[int, Heard]) -> dict[int, Feedback]:
    """States of those motors that were heard, each in its own ranges."""
    ranges = dict(zip(robot.ids, setup.ranges, strict=True))
    states = {motor: decode_feedback(each.payload, ranges[motor]) for motor, each in heard.items()}
    return {motor: state for motor, state in states.items() if state is not None}


def joint_values(
    robot: Robot, setup: Setup, states: Mapping[int, Feedback]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Position (rad), velocity (rad/s) and effort of n joints, NaN where there is no state.

    Effort is the motor's torque as a fraction of its peak torque, or of its torque range where
    the peak is not known, held within [-1, 1].
    """
    values = np.full((3, len(robot.ids)), np.nan)
    for place, motor in enumerate(robot.ids):
        state = states.get(motor)
        if state is not None:
            values[:, place] = (state.position, state.velocity, state.torque)
    effort = values[2] * robot.sign / np.array(_peaks(robot, setup))
    return robot.to_joint(values[0]), values[1] * robot.sign, np.clip(effort, -1.0, 1.0)


def _peaks(robot: Robot, setup: Setup) -> Sequence[float]:
    pairs = zip(robot.motors, setup.ranges, strict=True)
    return [model.peak_torque or each.torque for model, each in pairs]
