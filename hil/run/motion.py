"""Brings the joints to a pose between episodes, within the envelope and in bounded time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.contracts import FloatArray, Joints, JointSample
from hil.errors import DeviceFault
from hil.loop.envelope import Envelope, Sent
from hil.loop.pacing import Cycle, Turn, periodic
from hil.run.attendance import ticking

_PERIOD_NS = 20 * NS_PER_MS
_LONGEST_TICK_NS = 3 * _PERIOD_NS  # a read, a command, and the wait for the next point
_BLIND_TICKS = 10  # in a row with a joint that does not answer; then nothing is moved any more
_ARRIVED_RAD = 0.03
_AT_REST_RAD_S = 0.15


def read_all(arm: Joints, deadline: Deadline) -> JointSample:
    """A sample in which every joint answered. Errors: DeviceFault naming the silent ones."""
    while True:
        sample = arm.read(deadline.sooner(_PERIOD_NS))
        if sample.present.all():
            return sample
        if deadline.expired:
            raise _silent(arm, sample)


def move_to(
    arm: Joints,
    pose: FloatArray,
    envelope: Envelope,
    clock: Clock,
    deadline: Deadline,
    stop: Callable[[], bool],
) -> tuple[JointSample, Sent]:
    """Drive all joints to `pose` (rad, shape (n,)) and wait until they rest there.

    Returns the last sample and the target sent last. A stop request ends the motion where it is.
    Errors: DeviceFault naming the joints that did not arrive by the deadline.
    """
    first = read_all(arm, deadline)
    with ticking(stop, _LONGEST_TICK_NS):
        arrived, sent = _drive(arm, pose, envelope, clock, deadline, stop, first)
    return arrived or read_all(arm, deadline), sent


def _drive(
    arm: Joints,
    pose: FloatArray,
    envelope: Envelope,
    clock: Clock,
    deadline: Deadline,
    stop: Callable[[], bool],
    first: JointSample,
) -> tuple[JointSample | None, Sent]:
    """The motion of `move_to`; no sample where it was asked to end before it arrived."""
    sent = Sent.resting(first.position)
    cycle = Cycle(clock.now_ns(), _PERIOD_NS)
    last: Turn | None = None
    blind = 0
    while not stop():
        last = periodic(cycle, last, clock.now_ns())
        clock.sleep_until(last.at_ns)
        sample = arm.read(Deadline.after(clock, _PERIOD_NS))
        blind = 0 if sample.present.all() else blind + 1
        if blind > _BLIND_TICKS:
            raise _silent(arm, sample)
        sent = envelope.apply(pose, sent, sample, _PERIOD_NS / NS_PER_S)
        arm.command(sent.target, deadline.sooner(_PERIOD_NS))
        if _rests_at(sample, pose):
            return sample, sent
        if deadline.expired:
            raise DeviceFault(
                f"{arm.role} did not reach its start pose: {_distances(arm, sample, pose)}",
                "is something in the way, a joint stiff, or its supply weak? `hil check` tells",
            )
    return None, sent


def _silent(arm: Joints, sample: JointSample) -> DeviceFault:
    silent = [n for n, here in zip(arm.names, sample.present, strict=True) if not here]
    return DeviceFault(
        f"{arm.role}: no answer from {', '.join(silent)}",
        "check the cable and the supply of that servo; `hil check` shows the bus",
    )


def _rests_at(sample: JointSample, pose: FloatArray) -> bool:
    near = np.abs(sample.position - pose) <= _ARRIVED_RAD
    still = np.abs(sample.velocity) <= _AT_REST_RAD_S
    # a silent joint is NaN, and NaN compares false: not arrived
    return bool((near & still).all())


def _distances(arm: Joints, sample: JointSample, pose: FloatArray) -> str:
    errors = sample.position - pose
    return ", ".join(
        f"{name} silent" if np.isnan(error) else f"{name} off by {error:+.3f} rad"
        for name, error in zip(arm.names, errors, strict=True)
        if not abs(error) <= _ARRIVED_RAD
    )
