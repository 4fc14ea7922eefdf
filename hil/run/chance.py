"""Chance as policy: what somebody reaches who looks at nothing."""

from __future__ import annotations

import numpy as np

from hil.clock import Deadline
from hil.contracts import FloatArray
from hil.loop.envelope import Envelope
from hil.run.embodied import Decision, Policy, seen_ns
from hil.run.stimulus import Answer, Look
from hil.task import StimulusTask, View


def random_policy(envelope: Envelope, period_s: float, rng: np.random.Generator) -> Policy:
    """Every tick a target uniform among those that the envelope's range, speed and lead allow.

    Where a joint was pushed away so far that none is left, and where acceleration, effort or
    workspace are bounded too, the envelope has the last word as with any other policy.
    """
    joints = envelope.joints
    stride = np.minimum(envelope.velocity_rad_s, joints.velocity) * period_s

    def target(view: View) -> FloatArray:
        here, last = view.joints.position, view.target
        low = np.maximum(np.maximum(last - stride, here - envelope.step_rad), joints.lower)
        high = np.minimum(np.minimum(last + stride, here + envelope.step_rad), joints.upper)
        return np.asarray(low + rng.random(len(low)) * (high - low))

    return lambda view, _deadline: Decision(target(view), None, seen_ns(view))


class RandomAnswers:
    """A guess of its own at every stimulus."""

    waiting = False

    def __init__(self, task: StimulusTask, rng: np.random.Generator) -> None:
        self._task, self._rng = task, rng

    def __call__(self, look: Look, deadline: Deadline) -> Answer | None:
        if look.shown is None:
            return None
        return Answer(look.row, self._task.guess(self._rng), None, look.seen_ns)
