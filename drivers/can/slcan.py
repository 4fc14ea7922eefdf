"""A CAN bus behind an slcan adapter: lines out, lines in, each within its deadline.

What adapters do differently, and how this copes:

* Some acknowledge every command and frame (CR, `z`, `Z`), some nothing at all. One that
  acknowledges while its channel is opened is held to it: a missing acknowledgement and a
  refusal (BEL) are counted. One that never does is taken at its silence.
* A refusal comes later than the frame it is about, so it is counted and not raised; whoever
  sent the frame misses its answer.
* A line that a process before this one broke off would swallow our first: a CR comes first.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.can.bus import BusSettings
from drivers.can.codec import (
    BIT_RATES,
    CR,
    DATA_BIT_RATES,
    Ack,
    Command,
    FrameLine,
    Malformed,
    Nak,
    Other,
    Reply,
    Status,
    StatusFlag,
    Version,
    encode_command,
    encode_frame,
)
from drivers.can.decoder import ReplyDecoder
from drivers.can.frames import CanFrame, Received
from drivers.transport.base import Transport
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import Finding
from hil.errors import BadInput, DeadlineMissed, HilError, RigError
from hil.failure import on_failure

_ANSWER_NS = 300 * NS_PER_MS
"""How long an adapter may take over one command before it counts as silent."""

_QUIET_NS = 30 * NS_PER_MS
"""How long one that acknowledges nothing is given to refuse a command."""

_LOST_NS = 500 * NS_PER_MS
"""How long an acknowledgement may take before it counts as lost."""

_KEPT_FRAMES = 4096
_READS_AT_ONCE = 16
"""Bound of taking what is pending: an adapter that floods the line must not hold us."""

_CHANNEL_FAULTS = (
    StatusFlag.BUS_ERROR | StatusFlag.ERROR_PASSIVE | StatusFlag.ERROR_WARNING
) | StatusFlag.DATA_OVERRUN


@dataclass(slots=True)
class _Counts:
    """`naks`: frames and commands refused; `lost_acks`: acknowledgements that did not come;
    `stray_acks`: ones that nothing was sent for; `dropped_frames`: received and not fetched."""

    sent: int = 0
    received: int = 0
    naks: int = 0
    lost_acks: int = 0
    stray_acks: int = 0
    dropped_frames: int = 0
    restarts: int = 0


class SlcanBus:
    """One channel of an adapter (`drivers.can.bus.CanBus`). Owns the transport.

    It is usable at once, with the adapter as it happens to be; `restart` opens the channel.
    """

    def __init__(self, transport: Transport, settings: BusSettings, clock: Clock) -> None:
        self._transport = transport
        self._settings = settings
        self._clock = clock
        self._decoder = ReplyDecoder()
        self._counts = _Counts()
        self._ready: deque[Received] = deque(maxlen=_KEPT_FRAMES)
        self._replies: deque[Reply] = deque(maxlen=64)
        self._unacknowledged: deque[int] = deque()
        self._acknowledges = False
        self._up = True
        self._broken_line = True
        self._version = ""

    @property
    def description(self) -> str:
        """Where the adapter is connected."""
        return f"slcan on {self._transport.description}"

    @property
    def adapter(self) -> str:
        return f"slcan {self._version}".rstrip()

    def send(self, frames: Sequence[CanFrame], deadline: Deadline) -> None:
        self._expire()
        lines = b"".join(encode_frame(frame) for frame in frames)
        self._write(lines, deadline)
        self._counts.sent += len(frames)
        if self._acknowledges:
            self._unacknowledged.extend([self._clock.now_ns()] * len(frames))

    def receive(self, deadline: Deadline) -> list[Received]:
        reads = 0
        while not self._ready and self._pump(deadline):
            reads += 1
            if reads >= _READS_AT_ONCE and deadline.expired:
                break
        found = list(self._ready)
        self._ready.clear()
        return found

    def restart(self, deadline: Deadline) -> None:
        """Close the channel, set the rates and open it, whatever state it is in.

        Errors: RigError (the adapter refuses, or nothing that speaks slcan answers), LinkLost.
        """
        self._counts.restarts += 1
        self._unacknowledged.clear()
        self._up = False
        self._wake(deadline)
        self._order(Command("S", BIT_RATES[self._settings.bit_rate]), deadline)
        if self._settings.data_bit_rate is not None:
            self._order(Command("Y", DATA_BIT_RATES[self._settings.data_bit_rate]), deadline)
        self._order(Command("O"), deadline)
        self._up = True
        self._ready.clear()

    def findings(self, deadline: Deadline) -> Sequence[Finding]:
        self._replies.clear()
        owed = bool(self._unacknowledged)
        limit = deadline.sooner(_ANSWER_NS)
        self._write(encode_command(Command("F")), limit)
        while not limit.expired:
            self._pump(limit)
            for reply in self._replies:
                if isinstance(reply, Status):
                    return [_channel(reply.flags)]
                if isinstance(reply, Nak) and not owed:
                    return [Finding("can channel", True, "the adapter tells no status")]
        return [Finding("can channel", True, "the adapter tells no status")]

    def counters(self) -> Mapping[str, int]:
        self._expire()
        counts, decoder = self._counts, self._decoder.counters
        return {
            "frames_sent": counts.sent,
            "frames_received": counts.received,
            "naks": counts.naks,
            "lost_acks": counts.lost_acks,
            "stray_acks": counts.stray_acks,
            "malformed_lines": decoder.malformed,
            "broken_bytes": decoder.broken_bytes,
            "dropped_frames": counts.dropped_frames,
            "restarts": counts.restarts,
        }

    def close(self) -> None:
        """Close the channel if the line still takes that, and release the transport."""
        with contextlib.suppress(HilError):
            self._write(encode_command(Command("C")), Deadline.after(self._clock, 0))
        self._transport.close()

    def _wake(self, deadline: Deadline) -> None:
        """Close the channel, and find out whether anything answers and acknowledges.

        The answer to `V` is a mark: what was acknowledged or refused before it is of the past.
        """
        self._broken_line = True
        self._replies.clear()
        self._write(encode_command(Command("C")) + encode_command(Command("V")), deadline)
        limit = deadline.sooner(_ANSWER_NS)
        version = None
        while version is None and not limit.expired:
            self._pump(limit)
            version = next((r.text for r in self._replies if isinstance(r, Version | Other)), None)
        self._version = version or ""
        self._acknowledges = any(isinstance(reply, Ack | Nak) for reply in self._replies)
        if version is None and not self._acknowledges:
            raise RigError(
                f"{self.description}: no adapter answers",
                "check that it runs slcan firmware; with gs_usb (candleLight) firmware it is a"
                " network interface, named as can:socketcan:can0",
            )

    def _order(self, command: Command, deadline: Deadline) -> None:
        """One command of the channel's setup.

        Errors: RigError (refused), DeadlineMissed (no answer of one that acknowledges),
        LinkLost.
        """
        line = encode_command(command)
        named = f"{self.description}: the adapter"
        self._replies.clear()
        self._write(line, deadline)
        limit = deadline.sooner(_ANSWER_NS if self._acknowledges else _QUIET_NS)
        while not limit.expired:
            self._pump(limit)
            for reply in self._replies:
                if isinstance(reply, Ack):
                    return
                if isinstance(reply, Nak):
                    raise RigError(
                        f"{named} refuses {line.decode().strip()!r}",
                        "check that it knows this bit rate; if it hangs, plug it in anew",
                    )
        if self._acknowledges:
            raise DeadlineMissed(f"{named} did not answer {line.decode().strip()!r} in time")

    def _write(self, data: bytes, deadline: Deadline) -> None:
        prefix = CR if self._broken_line else b""
        self._broken_line = True  # until all of it is out
        self._transport.write(prefix + data, deadline)
        self._broken_line = False

    def _pump(self, deadline: Deadline) -> bool:
        """Take one read's worth of lines; False where nothing came. Errors: LinkLost."""
        data = self._transport.read(deadline)
        stamp_ns = self._clock.now_ns()
        for reply in self._decoder.feed(data):
            self._take(reply, stamp_ns)
        return bool(data)

    def _take(self, reply: Reply, stamp_ns: int) -> None:
        if isinstance(reply, FrameLine):
            self._counts.received += 1
            self._counts.dropped_frames += len(self._ready) == _KEPT_FRAMES
            self._ready.append(Received(reply.frame, stamp_ns, reply.stamp_ms))
            return
        if isinstance(reply, Malformed):
            return  # counted by the decoder
        if self._up and isinstance(reply, Ack | Nak):  # else it is about the channel's setup
            self._settle(refused=isinstance(reply, Nak))
        self._replies.append(reply)

    def _settle(self, *, refused: bool) -> None:
        """Credit an acknowledgement or a refusal to the oldest frame without one."""
        self._counts.naks += refused
        if self._unacknowledged:
            self._unacknowledged.popleft()
        elif self._acknowledges and not refused:
            self._counts.stray_acks += 1

    def _expire(self) -> None:
        """Count acknowledgements that did not come as lost."""
        oldest_ns = self._clock.now_ns() - _LOST_NS
        while self._unacknowledged and self._unacknowledged[0] < oldest_ns:
            self._unacknowledged.popleft()
            self._counts.lost_acks += 1


def open_slcan(
    transport: Transport, settings: BusSettings, clock: Clock, deadline: Deadline
) -> SlcanBus:
    """An adapter with its channel open; the transport is closed where that fails.

    Errors: BadInput (a rate that slcan has no command for), RigError, DeadlineMissed, LinkLost.
    """
    with on_failure(transport.close):
        check_rates(settings)
        bus = SlcanBus(transport, settings, clock)
        bus.restart(deadline)
    return bus


def check_rates(settings: BusSettings) -> None:
    """Errors: BadInput naming the rates that there are commands for."""
    for name, rate, known in (
        ("bit_rate", settings.bit_rate, BIT_RATES),
        ("data_bit_rate", settings.data_bit_rate, DATA_BIT_RATES),
    ):
        if rate is not None and rate not in known:
            listed = ", ".join(map(str, sorted(known)))
            raise BadInput(f"{name} = {rate} has no slcan command", f"one of {listed} bit/s")


def _channel(flags: StatusFlag) -> Finding:
    words = [str(flag.name).lower().replace("_", " ") for flag in StatusFlag if flag in flags]
    bad = bool(flags & _CHANNEL_FAULTS)
    remedy = "check bit rate, wiring, termination (60 ohm between H and L) and the motors' supply"
    return Finding("can channel", not bad, ", ".join(words) or "in order", remedy if bad else "")
