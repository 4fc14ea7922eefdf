"""What a serial adapter says of itself, as a finding."""

from __future__ import annotations

from hil.contracts import Finding

_FASTEST_MS = 1


def latency_finding(timer_ms: int | None) -> list[Finding]:
    """A finding on an adapter's latency timer; none where it has no such setting."""
    if timer_ms is None:
        return []
    quick = timer_ms <= _FASTEST_MS
    remedy = "" if quick else "set it to 1 ms by a udev rule; every answer waits for it"
    return [Finding("usb latency", quick, f"latency timer {timer_ms} ms", remedy)]
