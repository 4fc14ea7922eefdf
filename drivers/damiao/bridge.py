"""A CAN bus behind Damiao's USB-to-CAN bridge (`drivers.can.bus.CanBus`).

The bridge has its bit rate from its maker's tool and not from here. It has no channel to open
and nothing to ask it, so whether it is there shows when a motor answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.can.frames import CanFrame, Received
from drivers.damiao.bridge_codec import SENT_LENGTH, BridgeDecoder, Report, encode_sent
from drivers.transport.base import Transport
from hil.clock import Clock, Deadline
from hil.contracts import Finding

BAUD = 921_600

_READS_AT_ONCE = 16
"""Bound of taking what is pending: a bridge that floods the line must not hold us."""


@dataclass(slots=True)
class _Counts:
    """`send_failed`, `receive_failed`, `bridge_errors`: the bridge's own reports."""

    sent: int = 0
    received: int = 0
    send_failed: int = 0
    receive_failed: int = 0
    bridge_errors: int = 0


class DamiaoBridge:
    """One bridge. Owns the transport."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._decoder = BridgeDecoder()
        self._counts = _Counts()
        self._ready: deque[Received] = deque()
        self._broken_line = True

    @property
    def description(self) -> str:
        """Where the bridge is connected."""
        return f"damiao bridge on {self._transport.description}"

    @property
    def adapter(self) -> str:
        return "damiao bridge"

    def send(self, frames: Sequence[CanFrame], deadline: Deadline) -> None:
        # a frame that was broken off swallows what follows: zeros until it must be over
        prefix = bytes(SENT_LENGTH) if self._broken_line else b""
        self._broken_line = True
        data = b"".join(encode_sent(frame) for frame in frames)
        self._transport.write(prefix + data, deadline)
        self._broken_line = False
        self._counts.sent += len(frames)

    def receive(self, deadline: Deadline) -> list[Received]:
        reads = 0
        while not self._ready:
            data = self._transport.read(deadline)
            self._take(data)
            reads += 1
            if not data or (reads >= _READS_AT_ONCE and deadline.expired):
                break
        found = list(self._ready)
        self._ready.clear()
        return found

    def restart(self, deadline: Deadline) -> None:
        """Nothing: the bridge has no channel that could be closed."""

    def findings(self, deadline: Deadline) -> Sequence[Finding]:
        failed = self._counts.send_failed + self._counts.bridge_errors
        detail = f"{failed} failures reported by the bridge" if failed else "no failure reported"
        remedy = "check bit rate, wiring, termination and the motors' supply" if failed else ""
        return [Finding("can channel", not failed, detail, remedy)]

    def counters(self) -> Mapping[str, int]:
        return {
            "frames_sent": self._counts.sent,
            "frames_received": self._counts.received,
            "send_failed": self._counts.send_failed,
            "receive_failed": self._counts.receive_failed,
            "bridge_errors": self._counts.bridge_errors,
            "broken_bytes": self._decoder.counters.skipped_bytes,
        }

    def close(self) -> None:
        """Release the transport; never raises."""
        self._transport.close()

    def _take(self, data: bytes) -> None:
        stamp_ns = self._clock.now_ns()
        for message in self._decoder.feed(data):
            if message.report is Report.RECEIVED:
                self._counts.received += 1
                self._ready.append(Received(message.frame, stamp_ns))
            elif message.report is Report.SEND_FAILED:
                self._counts.send_failed += 1
            elif message.report is Report.RECEIVE_FAILED:
                self._counts.receive_failed += 1
            elif message.report is Report.ERROR:
                self._counts.bridge_errors += 1
