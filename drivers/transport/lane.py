"""What faults do to the bytes of one direction. Pure: no clock, no transport.

Chances do not come of a running generator but of the place in the stream where a chunk
begins: the same seed and the same chunks give the same bytes, and a chunk that the operating
system happens to split changes nothing for those after it.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hil.clock import NS_PER_MS, NS_PER_S
from rigs.link import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Fault,
    Jitter,
    Stall,
    Truncate,
    Unplug,
)

HELD_BYTES = 1 << 20
"""Most that delays and stalls hold back; a device that floods the link must not fill memory."""

NEVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Parcel:
    data: bytes
    due_ns: int


class Lane:
    """The faults of one direction and what they hold back.

    Args:
        faults: all faults of the link; those of the other direction are left out here.
        seed: of their chances.
        way: the direction of this lane.
        origin_ns: the instant from which their times count.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        seed: int,
        way: Literal["to-device", "from-device"],
        origin_ns: int,
    ) -> None:
        here = [(n, fault) for n, fault in enumerate(faults) if fault.direction in (way, "both")]
        self._unplugs = [(n, fault) for n, fault in here if isinstance(fault, Unplug)]
        self._faults = [(n, fault) for n, fault in here if not isinstance(fault, Unplug)]
        self._key = hashlib.sha256(f"{seed}/{way}".encode()).digest()
        self._origin_ns = origin_ns
        self._queue: deque[_Parcel] = deque()
        self._held = 0
        self._bytes = 0
        self._chunks = 0
        self._unplugged_ns: dict[int, int] = {}
        self.counts: Counter[str] = Counter()

    def feed(self, chunk: bytes, now_ns: int) -> bool:
        """Take a chunk in; False where the link was unplugged within it."""
        room = self._room(len(chunk), now_ns)
        start, number = self._bytes, self._chunks
        self._bytes += room
        self._chunks += 1
        parcel = _Parcel(chunk[:room], now_ns)
        for place, fault in self._faults:
            if parcel.data and self._strikes(place, fault, start, number, now_ns):
                parcel = self._apply(place, fault, parcel, start)
                self.counts[fault.kind] += 1
        self._hold(parcel)
        return room == len(chunk)

    def take(self, now_ns: int) -> bytes:
        """What has arrived by now, b"" for nothing."""
        arrived = bytearray()
        while self._queue and self._queue[0].due_ns <= now_ns:
            arrived += self._queue.popleft().data
        self._held -= len(arrived)
        return bytes(arrived)

    def drop(self) -> int:
        """Forget what is held back; how many bytes that were."""
        dropped, self._held = self._held, 0
        self._queue.clear()
        return dropped

    def unplugged(self, now_ns: int) -> bool:
        """Whether the link is lost now."""
        for place, fault in self._unplugs:
            begins_ns = self._begins_ns(fault)
            if place in self._unplugged_ns or self._bytes < fault.after_bytes or now_ns < begins_ns:
                continue
            self._unplugged_ns[place] = now_ns if fault.after_bytes else begins_ns
            self.counts["unplug"] += 1
        return any(
            fault.for_s is None or now_ns < self._unplugged_ns[place] + _ns(fault.for_s)
            for place, fault in self._unplugs
            if place in self._unplugged_ns
        )

    def next_ns(self, now_ns: int) -> int:
        """When something happens by itself: a parcel arrives, the link is lost. `NEVER_NS` for
        nothing."""
        arrival = self._queue[0].due_ns if self._queue else NEVER_NS
        losses = [self._begins_ns(fault) for _, fault in self._unplugs if not fault.after_bytes]
        return min([arrival, *(at_ns for at_ns in losses if at_ns > now_ns)])

    def _room(self, length: int, now_ns: int) -> int:
        """How many bytes of a chunk still pass before the link is unplugged."""
        left = [
            max(0, fault.after_bytes - self._bytes)
            for place, fault in self._unplugs
            if place not in self._unplugged_ns and now_ns >= self._begins_ns(fault)
        ]
        return min([length, *left])

    def _strikes(self, place: int, fault: Fault, start: int, number: int, now_ns: int) -> bool:
        begins_ns = self._begins_ns(fault)
        if now_ns < begins_ns or start < fault.after_bytes:
            return False
        if fault.for_s is not None and now_ns >= begins_ns + _ns(fault.for_s):
            return False
        if isinstance(fault, Stall | Unplug):
            return True
        if (number + 1) % fault.every:
            return False
        return fault.probability >= 1 or self._chance(place, start, 0) < fault.probability

    def _apply(self, place: int, fault: Fault, parcel: _Parcel, start: int) -> _Parcel:
        data, due_ns = parcel.data, parcel.due_ns
        match fault:
            case Delay():
                due_ns += round(fault.delay_ms * NS_PER_MS)
            case Jitter():
                due_ns += round(self._chance(place, start, 1) * fault.up_to_ms * NS_PER_MS)
            case Stall():
                ends = NEVER_NS if fault.for_s is None else _ns(fault.for_s)
                due_ns = max(due_ns, min(NEVER_NS, self._begins_ns(fault) + ends))
            case Drop():
                self.counts["lost_bytes"] += len(data)
                data = b""
            case Truncate():
                self.counts["lost_bytes"] += len(data) - len(data[: fault.keep_bytes])
                data = data[: fault.keep_bytes]
            case Duplicate():
                data += data
            case Corrupt():
                data = self._flip(data, fault.bits, place, start)
        return _Parcel(data, due_ns)

    def _flip(self, data: bytes, bits: int, place: int, start: int) -> bytes:
        flipped = bytearray(data)
        whole = list(range(8 * len(data)))
        for number in range(min(bits, len(whole))):
            chosen = whole.pop(int(self._chance(place, start, 2 + number) * len(whole)))
            flipped[chosen // 8] ^= 1 << chosen % 8
        return bytes(flipped)

    def _hold(self, parcel: _Parcel) -> None:
        if not parcel.data:
            return
        if self._held + len(parcel.data) > HELD_BYTES:
            self.counts["overflow_bytes"] += len(parcel.data)
            return
        last_ns = self._queue[-1].due_ns if self._queue else 0
        self._held += len(parcel.data)
        self._queue.append(_Parcel(parcel.data, max(parcel.due_ns, last_ns)))

    def _begins_ns(self, fault: Fault) -> int:
        return self._origin_ns + _ns(fault.at_s)

    def _chance(self, place: int, start: int, what: int) -> float:
        """A number in [0, 1) that belongs to this fault, this place in the stream and `what` is
        drawn there."""
        asked = struct.pack("<QQQ", place, start, what)
        digest = hashlib.blake2b(asked, digest_size=8, key=self._key).digest()
        return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
