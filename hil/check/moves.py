"""Which way the joints can be moved for a check: poses near by, and poses that must stay out of
reach. Pure; arrays have shape (n,), rad."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray, JointLimits
from hil.loop.envelope import Workspace

STEP_RAD = math.radians(5.0)
LEAST_RAD = 0.05
"""A smaller step could not be told from a joint that stays where it is (arrived: 0.03 rad)."""

BEYOND_RAD = 0.2
FARTHEST_RAD = 1.1
"""A limit farther away is not gone to: that would be no small motion any more."""

_SCAN_RAD = 0.02
_OUTSIDE_M = 0.01


@dataclass(frozen=True, slots=True)
class Beyond:
    """A pose that must not be reached: `joint` (its place) alone leaves the `start`, in
    `direction` (+1 or -1), and is stopped after about `travel_rad`."""

    joint: int
    direction: int
    wish: FloatArray
    travel_rad: float


def small_moves(
    limits: JointLimits, start: FloatArray, allowed: Callable[[FloatArray], bool]
) -> list[list[FloatArray]]:
    """For each joint the poses that differ from `start` in that joint alone, by 5 degrees or a
    quarter of its range, and are `allowed`: towards the middle of its range first, then away
    from it. A joint without a way has none."""
    steps = np.minimum(STEP_RAD, (limits.upper - limits.lower) / 4)
    return [
        [pose for pose in _both_ways(limits, start, joint, float(step)) if allowed(pose)]
        for joint, step in enumerate(steps)
    ]


def beyond_range(limits: JointLimits, start: FloatArray) -> Beyond | None:
    """A pose outside of the range of the last joint that stands near enough to one of its ends:
    the farther out in the chain, the less moves with it. None where all are far from both."""
    for joint in reversed(range(len(start))):
        below = float(start[joint] - limits.lower[joint])
        above = float(limits.upper[joint] - start[joint])
        travel = min(below, above)
        if travel <= FARTHEST_RAD:
            direction = -1 if below <= above else 1
            wish = start.copy()
            wish[joint] += direction * (travel + BEYOND_RAD)
            return Beyond(joint, direction, wish, travel)
    return None


def beyond_workspace(workspace: Workspace, limits: JointLimits, start: FloatArray) -> Beyond | None:
    """A pose within the joints' range whose tool point is outside of the workspace, by the
    shortest turn of a single joint; None where no turn of a single joint leads out."""
    found = [
        way
        for joint in range(len(start))
        for direction in (-1, 1)
        for way in _ways_out(workspace, limits, start, joint, direction)
    ]
    return min(found, key=lambda way: way.travel_rad, default=None)


def _both_ways(
    limits: JointLimits, start: FloatArray, joint: int, step: float
) -> Iterator[FloatArray]:
    if step < LEAST_RAD:
        return
    inward = 1 if start[joint] < (limits.lower[joint] + limits.upper[joint]) / 2 else -1
    for direction in (inward, -inward):
        pose = start.copy()
        pose[joint] += direction * step
        if limits.lower[joint] <= pose[joint] <= limits.upper[joint]:
            yield pose


def _ways_out(
    workspace: Workspace, limits: JointLimits, start: FloatArray, joint: int, direction: int
) -> Iterator[Beyond]:
    """The first wish on the way of one joint that is clearly outside; nothing where none is."""
    end = limits.upper[joint] if direction > 0 else limits.lower[joint]
    room = min(abs(float(end - start[joint])), FARTHEST_RAD)
    for travel in np.arange(_SCAN_RAD, room, _SCAN_RAD):
        wish = start.copy()
        wish[joint] += direction * travel
        if workspace.outside_m(wish) > _OUTSIDE_M:
            yield Beyond(joint, direction, wish, float(travel))
            return
