"""Devices that watch over themselves: armed while the loop ticks, and only then.

Between episodes a scene may be arranged for minutes and a network sent for seconds, in which a
bus is rightly silent; a device that switched itself off for that would end the run for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from hil.contracts import SelfWatching
from hil.errors import DeadlineMissed, DeviceFault, LinkLost
from hil.failure import on_failure
from hil.rig import Bench

SHORTEST_S = 0.5
"""Time-out where the loop's longest tick allows it."""

_ARM_WITHIN_S = 1.0


@contextmanager
def self_watched(
    bench: Bench, longest_tick_s: float, events: list[dict[str, Any]]
) -> Iterator[None]:
    """While inside, every device that can makes itself safe once it hears nothing for twice the
    longest tick that is in order, or half a second. What each has obtained goes to `events`.

    Errors: those of `SelfWatching`, on the way in and, where nothing worse is under way, out.
    """
    asked_s = max(SHORTEST_S, 2 * longest_tick_s)
    devices = [one for one in bench.devices.values() if isinstance(one, SelfWatching)]
    for device in devices:
        has_s = device.arm_watchdog(asked_s, bench.deadline(_ARM_WITHIN_S))
        events.append(
            {
                "event": "self-watch",
                "role": device.role,
                "asked_ms": round(asked_s * 1000),
                "timeout_ms": round(has_s * 1000),
            }
        )
    with on_failure(partial(_disarm, devices, bench, events, still=False)):
        yield
    _disarm(devices, bench, events, still=True)


def _disarm(
    devices: list[SelfWatching], bench: Bench, events: list[dict[str, Any]], *, still: bool
) -> None:
    """Let go; an error is raised where `still` is true, and only noted where another is under
    way, which tells more."""
    for device in devices:
        try:
            device.disarm_watchdog(bench.deadline(_ARM_WITHIN_S))
        except (LinkLost, DeadlineMissed, DeviceFault) as error:
            if still:
                raise
            events.append({"event": "self-watch", "role": device.role, "left": error.message})
