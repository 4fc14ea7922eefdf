"""Sending joints towards a pose that must stay out of reach, and writing down what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.contracts import FloatArray, Joints
from hil.loop.envelope import Envelope, Sent
from hil.loop.pacing import Cycle, Turn, periodic
from hil.run.attendance import Attendance, ticking
from hil.run.motion import read_all

_PERIOD_NS = 20 * NS_PER_MS
_LONGEST_TICK_NS = 3 * _PERIOD_NS
_STILL_TICKS = 15
_SAME_RAD = 2e-4
_AT_REST_RAD_S = 0.15


@dataclass(frozen=True, slots=True)
class Pushed:
    """Targets as the device applied them and positions as measured, shape (ticks, n), rad; NaN
    where a joint did not answer. `rested` says that it had come to a stop by itself."""

    applied: FloatArray
    measured: FloatArray
    rested: bool


def push(
    arm: Joints,
    wish: FloatArray,
    envelope: Envelope,
    clock: Clock,
    deadline: Deadline,
    stop: Attendance,
) -> Pushed:
    """Command `wish` (n,), rad, through the envelope until the target stands still and the joints
    rest, or the deadline has passed.

    A stop request ends it. Errors: DeviceFault (a joint is silent at the start), LinkLost.
    """
    sent = Sent.resting(read_all(arm, deadline).position)
    applied: list[FloatArray] = []
    measured: list[FloatArray] = []
    cycle, last, still = Cycle(clock.now_ns(), _PERIOD_NS), None, 0
    with ticking(stop, _LONGEST_TICK_NS):
        while still < _STILL_TICKS and not stop() and not deadline.expired:
            last = _wait(cycle, last, clock)
            sample = arm.read(deadline.sooner(_PERIOD_NS))
            before = sent.target
            sent = envelope.apply(wish, sent, sample, _PERIOD_NS / NS_PER_S)
            applied.append(arm.command(sent.target, deadline.sooner(_PERIOD_NS)))
            measured.append(sample.position)
            resting = bool((np.abs(sample.velocity) <= _AT_REST_RAD_S).all())
            steady = bool((np.abs(sent.target - before) <= _SAME_RAD).all())
            still = still + 1 if resting and steady else 0
    shape = (-1, len(arm.names))
    return Pushed(
        np.array(applied).reshape(shape), np.array(measured).reshape(shape), still >= _STILL_TICKS
    )


def _wait(cycle: Cycle, last: Turn | None, clock: Clock) -> Turn:
    turn = periodic(cycle, last, clock.now_ns())
    clock.sleep_until(turn.at_ns)
    return turn
