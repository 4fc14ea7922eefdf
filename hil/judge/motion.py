"""When a joint was first seen to move after a command told it to, from the record alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_MS
from hil.contracts import FloatArray, IntArray

MOVED_RAD = 0.005
"""A joint has moved, and a target has changed, by more than this: three counts of 4096 a turn,
above the flicker of an encoder at rest."""

REST_TICKS = 3
"""So many ticks before the command both target and joint must have stood still."""

WITHIN_NS = 500 * NS_PER_MS
"""A joint that has not moved by then is blocked, or moves by another command."""


def motion_onsets_ns(
    act_ns: IntArray, told: FloatArray, position: FloatArray, seen_ns: IntArray
) -> IntArray:
    """Times from commands that set a resting joint in motion to the read that showed it, ns.

    `act_ns` (n,) is when the command of each tick was written; `told` (1 + n, joints) the target
    before the first tick and after each; `position` (n, joints) what each tick read, before its
    command; `seen_ns` (n, joints) when the host had that. Absent values are NaN.

    The motion began up to one read earlier than it was seen, and includes the time the joint
    needs for its first `MOVED_RAD`. Commands that creep, and joints that move already, give
    nothing.
    """
    parts = [
        _joint(act_ns, told[:, joint], position[:, joint], seen_ns[:, joint])
        for joint in range(position.shape[1])
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _joint(act_ns: IntArray, told: FloatArray, position: FloatArray, seen_ns: IntArray) -> IntArray:
    change = np.diff(told)
    found, busy_until = [], -1
    for row in np.flatnonzero((np.abs(change) > MOVED_RAD) & _rested(change, position)).tolist():
        if row <= busy_until:
            continue
        end = int(np.searchsorted(act_ns, act_ns[row] + WITHIN_NS))
        ahead = (position[row + 1 : end] - position[row]) * np.sign(change[row])
        moved = np.flatnonzero(ahead > MOVED_RAD)
        busy_until = row + 1 + int(moved[0]) if len(moved) else end
        if len(moved):
            found.append(int(seen_ns[busy_until] - act_ns[row]))
    return np.array(found, dtype=np.int64)


def _rested(change: FloatArray, position: FloatArray) -> NDArray[np.bool_]:
    """Whether target and joint stood still over the ticks before each; a NaN is no rest."""
    rested = ~np.isnan(position)
    for back in range(1, min(REST_TICKS, len(position) - 1) + 1):
        rested[back:] &= np.abs(change[:-back]) <= MOVED_RAD / 2
        rested[back:] &= np.abs(position[back:] - position[:-back]) <= MOVED_RAD / 2
    return rested
