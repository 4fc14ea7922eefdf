"""The yaw gait of `sim.tasks.in_hand_expert` without a memory: what to do next in any state.

The script is told as a sequence; a teacher has to answer for states that the script would never
have come into. So the same cycle is a law here: of where the fingertips were sent last and how
the cube lies now. It may know the truth, which the network it teaches does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.robots.hand4 import PLAN, finger_joints
from sim.tasks.in_hand_expert import (
    AWRY,
    BELOW_TOP_M,
    DEEP_M,
    FARTHEST,
    GAIN,
    NEAR_M,
    OPEN_M,
    QUARTER,
    SQUARE,
    nearest,
    sweep,
)

TICK_S = 0.02
DONE_RAD, AGAIN_RAD = 0.015, 0.06
"""What is left of a turn when fingers that press let go, and when fingers that do not begin."""
PRESS_M_S, MOVE_M_S, SWEEP_RAD_S, RETURN_M_S = 0.03, 0.12, 1.6, 0.14
SLOWLY_RAD_S, BRAKING_S = 0.1, 0.25
"""A sweep is slower the nearer it is to its end, because a tracker is late."""
SETTLED_RAD, AT_END_RAD, SETTLED_M = 0.012, 0.05, 0.002
WORTH = 0.6
"""A start that allows this share of the best sweep is good enough."""


@dataclass(frozen=True, slots=True)
class Lies:
    """How a cube of edge `edge` m lies: `yaw`, and `left` rad to turn, signed."""

    edge: float
    yaw: float
    left: float


def next_target(target: FloatArray, lies: Lies) -> FloatArray:
    """Where all joints (16,) go from `target` (16,) in this tick, rad."""
    rows = np.array([_place(joints) for joints in target.reshape(-1, 4)])
    along, aside, height = rows.mean(axis=0).tolist()
    along, aside, height = _next(along, aside, height, lies)
    try:
        joints = finger_joints(along, height, math.atan2(aside, height - PLAN.height))
    except BadInput:
        return target
    return np.tile(joints, PLAN.fingers)


def _place(joints: FloatArray) -> tuple[float, float, float]:
    """Along the finger's line, aside of it, and height over the palm of a tip, m: the inverse of
    `finger_joints`."""
    lean = np.cumsum(joints[1:])
    lengths = np.array(PLAN.lengths)
    up = float(lengths @ np.cos(lean))
    return (
        PLAN.radius - float(lengths @ np.sin(lean)),
        up * math.sin(joints[0]),
        up * math.cos(joints[0]) + PLAN.height,
    )


def _next(along: float, aside: float, height: float, lies: Lies) -> tuple[float, float, float]:
    level = lies.edge - BELOW_TOP_M
    height += _step(level - height, MOVE_M_S)
    radius, bearing = math.hypot(along, aside), _bearing(along, aside, lies)
    touch = _touch(lies, bearing)
    near = touch + NEAR_M
    pressing = radius < touch - 0.4 * DEEP_M
    ahead = max(-FARTHEST, min(FARTHEST, bearing + lies.left / GAIN)) - bearing
    whole = abs(lies.left) / GAIN
    enough = SETTLED_RAD if whole <= abs(ahead) + SETTLED_RAD else AT_END_RAD
    if pressing and abs(lies.left) > DONE_RAD and abs(ahead) > enough:
        turn = _step(ahead, min(SWEEP_RAD_S, SLOWLY_RAD_S + whole / BRAKING_S))
        return _polar(touch - DEEP_M, bearing + turn, height)
    if abs(lies.left) <= AGAIN_RAD:
        return _towards(near, along, aside, height)
    first, last = sweep(lies.yaw, lies.left, FARTHEST)
    off = abs(nearest(lies.yaw - bearing, QUARTER))
    good = off <= SQUARE + 0.05 and abs(ahead) >= WORTH * abs(last - first) - SETTLED_RAD
    if good and not pressing:
        return _towards(touch - DEEP_M, along, aside, height)
    if radius < touch:
        return _polar(radius + PRESS_M_S * TICK_S, bearing, height)
    if along < OPEN_M - SETTLED_M:
        return along + _step(OPEN_M - along, MOVE_M_S), aside, height
    there = _touch(lies, first) * math.sin(first)
    along += _step(OPEN_M - along, MOVE_M_S)
    return along, aside + _step(there - aside, RETURN_M_S), height


def _bearing(along: float, aside: float, lies: Lies) -> float:
    """At which a tip presses, or would once it has come in along its finger's line."""
    found = math.atan2(aside, along)
    for _ in range(2):
        touch = _touch(lies, found)
        if along * along + aside * aside <= (touch + NEAR_M) ** 2:
            return math.atan2(aside, along)
        found = math.asin(max(-1.0, min(1.0, aside / touch)))
    return found


def _towards(
    radius: float, along: float, aside: float, height: float
) -> tuple[float, float, float]:
    """In or out to `radius`: along the finger's line where it is far, and straight from or to
    the middle, slowly, where it is near."""
    here = math.hypot(along, aside)
    if here > radius + 2 * NEAR_M:
        return along - min(MOVE_M_S * TICK_S, here - radius - NEAR_M), aside, height
    return _polar(here + _step(radius - here, PRESS_M_S), math.atan2(aside, along), height)


def _touch(lies: Lies, bearing: float) -> float:
    off = abs(nearest(lies.yaw - bearing, QUARTER))
    return (lies.edge / 2 + PLAN.thickness) / math.cos(min(off, AWRY))


def _polar(radius: float, bearing: float, height: float) -> tuple[float, float, float]:
    return radius * math.cos(bearing), radius * math.sin(bearing), height


def _step(way: float, speed: float) -> float:
    most = speed * TICK_S
    return max(-most, min(most, way))
