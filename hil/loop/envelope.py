"""The envelope: what a joint target may be, checked before anything is sent. Pure.

Where limits disagree the harder one wins. From hard to soft: finite numbers, joint range, lead
over the measured position, effort, workspace, velocity, acceleration, jerk. So a joint that was
pushed away takes its target along at any speed, since only that bounds its torque.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.contracts import FloatArray, JointLimits, Joints, JointSample
from hil.errors import BadInput, HarnessError
from hil.kinematics import ToolPoint
from rigs.schema import Limits

_BISECTIONS = 6
"""Halvings of the last stride on which a target stops before a wall of the workspace."""

_FAR_M = 1e6


@runtime_checkable
class HasToolPoint(Protocol):
    """What an arm may offer besides `hil.contracts.Joints`: its forward kinematics."""

    @property
    def tool_point(self) -> ToolPoint | None:
        """Where the tool point is, (3,), m, base frame, at joint positions (n,), rad. None where
        the driver could know it and its arm's file does not say."""
        ...


@dataclass(frozen=True, slots=True)
class Workspace:
    """Box that the tool point may not leave; corners of shape (3,), m. Only this one point is
    bounded: an elbow may still stick out."""

    lower: FloatArray
    upper: FloatArray
    tool_point: ToolPoint

    def outside_m(self, position: FloatArray) -> float:
        """How far outside the box the tool point is, 0 inside; inf where it is not known."""
        point = self.tool_point(position)
        beyond = np.maximum(np.maximum(self.lower - point, point - self.upper), 0.0)
        distance = math.sqrt(float(beyond @ beyond))
        return distance if math.isfinite(distance) else math.inf


@dataclass(frozen=True, slots=True)
class Sent:
    """The target sent last, (n,), rad. `gave_way`: a joint was over its effort limit.

    `velocity` and `acceleration` of the target, (n,), rad/s and rad/s², stay 0 under an
    envelope that bounds neither.
    """

    target: FloatArray
    velocity: FloatArray
    acceleration: FloatArray
    gave_way: bool = False

    @classmethod
    def resting(cls, target: FloatArray) -> Sent:
        """A target that stands still."""
        return cls(target, np.zeros_like(target), np.zeros_like(target))


@dataclass(frozen=True, slots=True)
class Envelope:
    """Limits of joint targets.

    Position stays within the joints' own range. The target moves at most `velocity_rad_s` and
    lies at most `step_rad` from where the joint was measured: what the torque of a position
    servo follows is that lead, so bounding it bounds the torque against an obstacle. Optional:
    acceleration and jerk of the target; `effort` (fraction of stall torque), above which a
    measured joint gives way; a workspace.
    """

    joints: JointLimits
    step_rad: float
    velocity_rad_s: float
    acceleration_rad_s2: float | None = None
    jerk_rad_s3: float | None = None
    effort: float | None = None
    workspace: Workspace | None = None
    _top: FloatArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        top = np.minimum(self.velocity_rad_s, self.joints.velocity)
        object.__setattr__(self, "_top", top)

    @classmethod
    def of(cls, arm: Joints, limits: Limits) -> Envelope:
        """The envelope of a rig's arm. Errors: BadInput for a workspace without kinematics."""
        return cls(
            arm.limits,
            limits.step_rad,
            limits.velocity_rad_s,
            limits.acceleration_rad_s2,
            limits.jerk_rad_s3,
            limits.effort,
            _workspace(arm, limits),
        )

    def overloaded(self, effort: FloatArray) -> NDArray[np.bool_] | None:
        """Which joints, shape (n,), were measured above the effort limit; None where none was.
        A silent one (NaN) cannot be said to be."""
        if self.effort is None:
            return None
        over = np.abs(effort) > self.effort
        return over if over.any() else None

    def apply(
        self, desired: FloatArray, sent: Sent, measured: JointSample, period_s: float
    ) -> Sent:
        """The target that may be sent next, `period_s` > 0 after `sent`; `desired` (n,), rad.

        A joint whose wish is no finite number stays at its last target. While any joint is over
        its effort limit, it is sent where it was measured and the others stay. A silent joint
        (NaN in `measured`) is taken to be at its last target. Errors: HarnessError where no
        finite target can be derived.
        """
        last, top = sent.target, self._top
        here = _finite_or(measured.position, last)
        over = self.overloaded(measured.effort)
        if over is not None:
            target = np.where(over, here, last)
        else:
            wish = _finite_or(desired, last)
            if self.acceleration_rad_s2 is not None:
                wish = self._smooth(wish, sent, top, period_s)
            stride = top * period_s
            target = np.minimum(np.maximum(wish, last - stride), last + stride)
        target = self._near(target, here)
        if self.workspace is not None:
            target = _stay_in(self.workspace, self._near(last, here), target)
        if not all_finite(target):
            raise HarnessError(f"no finite target follows from {desired!r} after {last!r}")
        return self._moved(sent, target, top, period_s, over is not None)

    def _moved(
        self, sent: Sent, target: FloatArray, top: FloatArray, period_s: float, gave_way: bool
    ) -> Sent:
        limit = self.acceleration_rad_s2
        if limit is None:
            return Sent(target, sent.velocity, sent.acceleration, gave_way)
        velocity = (target - sent.target) / period_s
        # a jump that a harder limit forced is no speed to coast on with
        velocity = np.where(np.abs(velocity) > top * (1 + 1e-9), 0.0, velocity)
        acceleration = np.clip((velocity - sent.velocity) / period_s, -limit, limit)
        return Sent(target, velocity, acceleration, gave_way)

    def _near(self, target: FloatArray, here: FloatArray) -> FloatArray:
        """`target` within the lead over the measured position and within the joints' range."""
        led = np.minimum(np.maximum(target, here - self.step_rad), here + self.step_rad)
        return np.minimum(np.maximum(led, self.joints.lower), self.joints.upper)

    def _smooth(self, wish: FloatArray, sent: Sent, top: FloatArray, period_s: float) -> FloatArray:
        """The way to `wish` with bounded acceleration and jerk.

        It brakes so as to stop at the wish: with deceleration a, v² <= 2 a (e - v dt), that is
        v <= sqrt((a dt)² + 2 a e) - a dt. The braking law knows no jerk; with a jerk limit the
        target may therefore run past the wish a little before it turns, never out of range.
        """
        limit = self.acceleration_rad_s2 or math.inf
        error = np.clip(wish, self.joints.lower, self.joints.upper) - sent.target
        step = limit * period_s
        brake = np.sqrt(step**2 + 2 * limit * np.abs(error)) - step
        speed = np.minimum(np.minimum(top, brake), np.abs(error) / period_s)
        wanted = (np.copysign(speed, error) - sent.velocity) / period_s
        bounded = np.clip(wanted, -limit, limit)
        if self.jerk_rad_s3 is not None:
            change = self.jerk_rad_s3 * period_s
            lowest = -_easing(top + sent.velocity, self.jerk_rad_s3, period_s)
            highest = _easing(top - sent.velocity, self.jerk_rad_s3, period_s)
            lowest = np.maximum(sent.acceleration - change, lowest)
            bounded = np.clip(bounded, lowest, np.minimum(sent.acceleration + change, highest))
        return sent.target + (sent.velocity + bounded * period_s) * period_s


def all_finite(values: FloatArray) -> bool:
    """Whether no value of shape (n,) is NaN or infinite, and neither is their sum.

    The sum tells in a fifth of the time that numpy takes to look at each of a dozen, and the
    loop asks several times a tick.
    """
    return math.isfinite(sum(values.tolist()))


def _finite_or(values: FloatArray, otherwise: FloatArray) -> FloatArray:
    """`values`, and `otherwise` in place of those that are no finite numbers."""
    if all_finite(values):
        return values
    return np.where(np.isfinite(values), values, otherwise)


def _easing(gap: FloatArray, jerk: float, period_s: float) -> FloatArray:
    """The most acceleration with which a speed may approach its bound, `gap` away, and still
    ease off in steps of c = jerk dt: the steps a, a - c, ... for dt each add at most
    a² / (2 jerk) + a dt / 2 + c dt / 8 to the speed."""
    change = jerk * period_s
    room = np.maximum(gap - change * period_s / 8, 0.0)
    return np.asarray(np.sqrt(change**2 / 4 + 2 * jerk * room) - change / 2)


def _stay_in(workspace: Workspace, start: FloatArray, target: FloatArray) -> FloatArray:
    """`target`, or the farthest point found on the straight way to it from `start` (joint
    space) at which the tool point is in the box; from outside it may only come nearer."""
    # where not even the start is known, a place that is known is allowed, and no other
    allowed_m = min(workspace.outside_m(start), _FAR_M)
    if workspace.outside_m(target) <= allowed_m:
        return target
    inside, beyond = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (inside + beyond) / 2
        if workspace.outside_m(start + middle * (target - start)) <= allowed_m:
            inside = middle
        else:
            beyond = middle
    return start + inside * (target - start)


def _workspace(arm: Joints, limits: Limits) -> Workspace | None:
    box = limits.workspace_m
    if box is None:
        return None
    tool_point = arm.tool_point if isinstance(arm, HasToolPoint) else None
    if tool_point is None:
        raise BadInput(
            f"limits.workspace_m: the driver of {arm.role!r} offers no forward kinematics",
            "leave it out, or use a driver that has `tool_point` and an arm file with its chain",
        )
    corners = np.array([box.x, box.y, box.z])
    return Workspace(corners[:, 0], corners[:, 1], tool_point)
