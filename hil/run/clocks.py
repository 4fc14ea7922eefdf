"""What an episode notes so that its time can be told hop by hop: clocks, wires, first target.

The notes are events of the episode, raw as they were taken: the judge draws the conclusions.
Round trips are taken just before and just after the loop, and so at the start of a run, between
its episodes and at its end, and never in a tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import ClockSource, Device, FloatArray, WireTimes
from hil.errors import DeadlineMissed

EXCHANGES = 24
"""Round trips of one burst: the shortest of them counts, so some have to be undisturbed."""

_TRIP_WITHIN_NS = 50 * NS_PER_MS
_BURST_WITHIN_S = 0.5


def clock_events(
    devices: Mapping[str, Device],
    clock: Clock,
    stamping: str | None,
    moment: Literal["before", "after"],
) -> list[dict[str, Any]]:
    """A burst of round trips with every one of `devices` that has a clock of its own.

    `stamping` is the role whose stamps the rows of the ticks hold. On a virtual clock there is
    one clock and nothing to map. A round trip that is not answered in time is counted, and the
    burst is cut off after half a second. Errors: LinkLost.
    """
    if clock.virtual:
        return []
    return [
        {
            "event": "clock",
            "role": role,
            "stamps_ticks": role == stamping,
            "moment": moment,
            **_burst(device, clock),
        }
        for role, device in devices.items()
        if isinstance(device, ClockSource)
    ]


def _burst(device: ClockSource, clock: Clock) -> dict[str, Any]:
    whole = Deadline.after_s(clock, _BURST_WITHIN_S)
    exchanges: list[list[int]] = []
    unanswered = 0
    for _ in range(EXCHANGES):
        if whole.expired:
            break
        try:
            one = device.exchange(whole.sooner(_TRIP_WITHIN_NS))
        except DeadlineMissed:
            unanswered += 1
            continue
        exchanges.append([one.sent_ns, one.device_received_ns, one.device_sent_ns, one.received_ns])
    return {"exchanges": exchanges, "unanswered": unanswered}


def wire_events(devices: Mapping[str, Device]) -> list[dict[str, Any]]:
    """What each call of a tick puts on a line of known rate, for the devices that tell."""
    return [
        {
            "event": "wire",
            "role": role,
            "calls": {call: asdict(use) for call, use in device.wire_uses().items()},
        }
        for role, device in devices.items()
        if isinstance(device, WireTimes)
    ]


def start_event(target: FloatArray) -> dict[str, Any]:
    """Where the joints had been told to be when the loop began, rad."""
    return {"event": "start", "target": [float(angle) for angle in target]}
