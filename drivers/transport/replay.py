"""A captured session as a transport: the same driver against the same bytes, without a device."""

from __future__ import annotations

from drivers.transport.descriptor import CHUNK
from drivers.transport.wire import Capture, Kind, Record
from hil.clock import Clock, Deadline
from hil.errors import BadInput, DeadlineMissed, HarnessError, LinkLost

_SHOWN = 16
_INPUT = (Kind.READ, Kind.DISCARDED)
_LOST = (Kind.READ_LOST, Kind.DISCARD_LOST)


class Divergence(HarnessError):
    """The driver wrote something else than in the captured session.

    Attributes:
        offset: place in the stream of written bytes at which they differ.
        expected: what the capture has from there on; b"" where it ends.
        got: what the driver wrote from there on; b"" where it ended.
    """

    def __init__(self, name: str, offset: int, expected: bytes, got: bytes) -> None:
        super().__init__(
            f"{name}: at byte {offset} of what is written, the capture has {_shown(expected)}"
            f" and the driver wrote {_shown(got)}",
            "if the driver was meant to change, capture the session again",
        )
        self.offset, self.expected, self.got = offset, expected, got


class Replay:
    """A `drivers.transport.base.Transport` that answers as the capture says.

    What the driver writes has to be, byte for byte and in order, what it wrote then; how it is
    cut into calls does not matter. What it read then is there as soon as all that it had
    written before that is written again: at once, or with `keep_time` after as long as then.
    A read that ended in silence then ends in silence again, at its own deadline. Works on a
    wall clock and on a virtual one.

    A driver that draws random numbers or looks at the date does not write the same twice, and
    cannot be replayed.

    Errors of making one: BadInput for a capture with a gap.
    """

    low_latency = False

    def __init__(
        self, capture: Capture, clock: Clock, *, keep_time: bool = False, name: str = "replay"
    ) -> None:
        gap = next((one for one in capture.records if one.kind is Kind.GAP), None)
        if gap is not None:
            raise BadInput(
                f"{name}: the capture has a gap at {gap.stamp_ns} ns and cannot be replayed",
                "capture again with a larger capture_mb",
            )
        self._name = name
        self._records = capture.records
        self._link = str(capture.header.get("link", "unknown"))
        self._clock = clock
        self._keep_time = keep_time
        self._next = 0
        self._within = 0
        self._written = 0
        self._waiting = bytearray()
        opened = capture.header.get("opened_ns")
        self._then_ns = opened if isinstance(opened, int) else 0
        self._now_ns = clock.now_ns()
        self._closed = False
        self.divergence: Divergence | None = None

    @property
    def description(self) -> str:
        return f"{self._name}, captured on {self._link}"

    @property
    def untimed(self) -> str:
        return f"{self._name}: it replays a captured session; there is no device behind it"

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Compare with what was written then. Errors: Divergence; and what the write of then
        ended in (DeadlineMissed, LinkLost)."""
        if self._closed:
            raise LinkLost(f"{self._name} is closed")
        rest = bytes(data)
        while rest:
            record = self._next_written()
            expected = b"" if record is None else record.data[self._within :]
            same = _common(expected, rest)
            if same < min(len(expected), len(rest)) or record is None:
                raise self._diverged(expected[same:], rest[same:], same)
            self._written += same
            self._within += same
            rest = rest[same:]
            if self._within == len(record.data):
                self._pass(record)
        self._fail_as_then()

    def read(self, deadline: Deadline) -> bytes:
        if self._closed:
            raise LinkLost(f"{self._name} is closed")
        if self._waiting:
            return self._hand_over()
        record = self._peek()
        while record is not None and record.kind is Kind.DISCARDED and not record.data:
            self._pass(record)
            record = self._peek()
        if record is not None and record.kind in _LOST:
            raise self._lost_as_then(record)
        if record is None or record.kind not in _INPUT:
            self._clock.sleep_until(deadline.at_ns)
            if record is not None and record.kind is Kind.SILENCE:
                self._pass(record)
            return b""
        due_ns = self._due_ns(record)
        if due_ns > deadline.at_ns:
            self._clock.sleep_until(deadline.at_ns)
            return b""
        self._clock.sleep_until(due_ns)
        self._waiting += record.data
        self._pass(record)
        return self._hand_over()

    def discard(self) -> int:
        if self._closed:
            raise LinkLost(f"{self._name} is closed")
        dropped = len(self._waiting)
        self._waiting.clear()
        record = self._peek()
        if record is not None and record.kind is Kind.DISCARDED:
            dropped += len(record.data)
            self._pass(record)
            record = self._peek()
        if record is not None and record.kind is Kind.DISCARD_LOST:
            raise self._lost_as_then(record)
        return dropped

    def close(self) -> None:
        self._closed = True

    def finish(self) -> None:
        """Check that the driver wrote all that it wrote then.

        Errors: Divergence: the first there was, also where the driver has kept it to itself.
        """
        if self.divergence is not None:
            raise self.divergence
        rest = self._records[self._next :]
        left = b"".join(record.data for record in rest if record.kind is Kind.WRITTEN)
        if left[self._within :]:
            raise self._diverged(left[self._within :], b"", 0)

    def _peek(self) -> Record | None:
        return self._records[self._next] if self._next < len(self._records) else None

    def _pass(self, record: Record) -> None:
        """The record has happened again, now."""
        self._next += 1
        self._within = 0
        self._then_ns, self._now_ns = record.stamp_ns, self._clock.now_ns()

    def _due_ns(self, record: Record) -> int:
        if not self._keep_time:
            return self._clock.now_ns()
        return self._now_ns + max(0, record.stamp_ns - self._then_ns)

    def _next_written(self) -> Record | None:
        """The next record of written bytes. What was read before it is there by now, whether
        the driver has looked or not; silences that it did not wait for are passed over."""
        while (record := self._peek()) is not None and record.kind is not Kind.WRITTEN:
            if record.kind is Kind.END:
                return None
            if record.kind in _INPUT:
                self._waiting += record.data
            elif record.kind in _LOST:
                raise self._lost_as_then(record)
            self._pass(record)
        return record

    def _fail_as_then(self) -> None:
        record = self._peek()
        if record is None or record.kind not in (Kind.WRITE_LATE, Kind.WRITE_LOST):
            return
        self._pass(record)
        kind = DeadlineMissed if record.kind is Kind.WRITE_LATE else LinkLost
        raise kind(record.data.decode(errors="replace"))

    def _lost_as_then(self, record: Record) -> LinkLost:
        self._pass(record)
        return LinkLost(record.data.decode(errors="replace"))

    def _hand_over(self) -> bytes:
        data = bytes(self._waiting[:CHUNK])
        del self._waiting[:CHUNK]
        return data

    def _diverged(self, expected: bytes, got: bytes, same: int) -> Divergence:
        found = Divergence(self._name, self._written + same, expected, got)
        self.divergence = self.divergence or found
        return found


def _common(one: bytes, other: bytes) -> int:
    """Length of the common beginning."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    return next(n for n in range(length) if one[n] != other[n])


def _shown(data: bytes) -> str:
    if not data:
        return "nothing"
    return data[:_SHOWN].hex(" ") + (" ..." if len(data) > _SHOWN else "")
