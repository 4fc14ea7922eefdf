"""Where Modbus RTU frames begin and end in a stream of bytes. Pure, never raises.

Three ways, since nothing in a frame marks its start:

* by length, which function code and byte count give, with the CRC as the judge;
* by what was asked: a master takes nothing for an answer that does not begin as the answer to
  its question does, so noise rarely holds up a good frame behind it;
* by the gap: whoever owns the line says `finish` when it has been silent for 3.5 characters,
  and what is unfinished then is noise, or a frame of a function that nobody here knows.

Adapters and operating systems deliver bytes in lumps, so a gap as the host sees it proves
silence only where it is long; it is never used to cut a frame in two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.modbus.codec import answer_size, crc16, echo_of, function_of
from drivers.modbus.messages import (
    EXCEPTION,
    MASK_REGISTER,
    MAX_FRAME,
    READ_COILS,
    READ_INPUT,
    READ_WRITE,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    Frame,
    Request,
)

_SHORTEST = 4  # unit, function, CRC
_EXCEPTION_SIZE = 5

MORE = None
"""`Sizer`: the size shows only in bytes still to come."""

NO_FRAME = 0
"""`Sizer`: no frame begins like that."""

UNTIL_GAP = -1
"""`Sizer`: only a silent line ends this frame."""

Sizer = Callable[[bytes | bytearray], int | None]
"""Bytes of the frame at the front of a buffer (at least two long), or one of the above."""


def request_size(buffer: bytes | bytearray) -> int | None:
    """`Sizer` of requests."""
    function = buffer[1]
    if READ_COILS <= function <= READ_INPUT or function in (WRITE_COIL, WRITE_REGISTER):
        return 8
    if function == MASK_REGISTER:
        return 10
    if function in (WRITE_COILS, WRITE_REGISTERS):
        return _counted(buffer, 6)
    if function == READ_WRITE:
        return _counted(buffer, 10)
    return NO_FRAME if function == 0 or function & EXCEPTION else UNTIL_GAP


def reply_size(buffer: bytes | bytearray) -> int | None:
    """`Sizer` of answers, whatever was asked."""
    function = buffer[1]
    if READ_COILS <= function <= READ_INPUT or function == READ_WRITE:
        return _counted(buffer, 2)
    if function in (WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS):
        return 8
    if function == MASK_REGISTER:
        return 10
    asked = bytes((buffer[0], function & ~EXCEPTION))
    if function & EXCEPTION and reply_size(asked + bytes(1)) != NO_FRAME:
        return _EXCEPTION_SIZE
    return NO_FRAME


def _counted(buffer: bytes | bytearray, place: int) -> int | None:
    """Size of a frame whose byte count stands at `place` and counts what is behind it."""
    if len(buffer) <= place:
        return MORE
    size = place + 1 + buffer[place] + 2
    return size if size <= MAX_FRAME else NO_FRAME


@dataclass(slots=True)
class FramingCounters:
    """What a decoder met since it was made.

    `damaged` are frames whose CRC did not fit, `noise_bytes` all bytes that belong to no frame.
    """

    frames: int = 0
    damaged: int = 0
    noise_bytes: int = 0


class Decoder:
    """Incremental decoder of one direction: bytes in as they come, frames out.

    The result does not depend on how the stream is split. At most one unfinished frame is
    kept. A start that turns out wrong costs one byte, and the search goes on inside it.
    """

    def __init__(self, sizer: Sizer) -> None:
        self.counters = FramingCounters()
        self._sizer = sizer
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes kept of an unfinished frame; at most `MAX_FRAME`."""
        return len(self._buffer)

    def feed(self, data: bytes | bytearray) -> list[Frame]:
        """Frames completed by `data`, in order."""
        self._buffer += data
        frames: list[Frame] = []
        while len(self._buffer) >= 2:
            size = self._sizer(self._buffer)
            if size is MORE or (size == UNTIL_GAP and len(self._buffer) <= MAX_FRAME):
                break
            if size in (NO_FRAME, UNTIL_GAP):
                self._skip(1)
            elif len(self._buffer) < size:
                break
            elif crc_fits(self._buffer, size):
                frames.append(self._take(size))
            else:
                self.counters.damaged += 1
                self._skip(1)
        return frames

    def finish(self) -> list[Frame]:
        """The line has been silent: whatever is unfinished is over.

        Returns the frames that only the gap ends, and those behind a false start; leaves
        nothing pending.
        """
        frames: list[Frame] = []
        while self._buffer:
            whole = len(self._buffer)
            if (
                whole >= _SHORTEST
                and self._sizer(self._buffer) == UNTIL_GAP
                and crc_fits(self._buffer, whole)
            ):
                frames.append(self._take(whole))
            else:
                self._skip(1)
                frames += self.feed(b"")
        return frames

    def _take(self, size: int) -> Frame:
        frame = frame_in(self._buffer, size)
        del self._buffer[:size]
        self.counters.frames += 1
        return frame

    def _skip(self, count: int) -> None:
        del self._buffer[:count]
        self.counters.noise_bytes += count


class AnswerDecoder:
    """A master's decoder: it knows what it asked.

    What does not begin like the awaited answer goes past it, into a second decoder that names
    what it can: `take_strays` gives the whole frames found there. `damaged` counts answers
    that began as awaited and whose CRC did not fit.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._strays: list[Frame] = []
        self._heads: tuple[tuple[bytes, int], ...] = ()
        self._buffer = bytearray()
        self._past = Decoder(reply_size)

    @property
    def noise_bytes(self) -> int:
        """Bytes that belong to no frame at all."""
        return self._past.counters.noise_bytes

    @property
    def pending(self) -> int:
        """Bytes kept of the awaited answer, which has not come whole."""
        return len(self._buffer)

    @property
    def held(self) -> int:
        """All bytes kept; at most twice `MAX_FRAME`."""
        return len(self._buffer) + self._past.pending

    def take_strays(self) -> list[Frame]:
        """Whole frames that were not awaited, since the last call; to be called after every
        `feed` and `finish`, so that they do not pile up."""
        strays, self._strays = self._strays, []
        return strays

    def expect(self, unit: int, request: Request) -> None:
        """From here on the answer of `unit` to `request` is awaited; one at a time."""
        self._let_past(len(self._buffer))
        function = function_of(request)
        size = answer_size(request)
        start = bytes((unit, function)) + (echo_of(request) or bytes((size - 5,)))
        refusal = bytes((unit, function | EXCEPTION))
        self._heads = ((start, size), (refusal, _EXCEPTION_SIZE))

    def feed(self, data: bytes | bytearray) -> Frame | None:
        """The awaited answer (or exception) where `data` completes it; nothing is awaited
        behind it."""
        self._buffer += data
        while self._heads and self._buffer:
            size = self._size()
            if size == NO_FRAME:
                self._let_past(1)
            elif len(self._buffer) < size:
                return None
            elif crc_fits(self._buffer, size):
                return self._found(size)
            else:
                self.damaged += 1
                self._let_past(1)
        self._let_past(len(self._buffer))
        return None

    def finish(self) -> Frame | None:
        """The line has been silent, or the wait is over; leaves nothing pending.

        Returns the awaited answer where it stood behind a false start.
        """
        answer: Frame | None = None
        while self._buffer and answer is None:
            self._let_past(1)
            answer = self.feed(b"")
        self._strays += self._past.finish()
        return answer

    def forget(self) -> None:
        """Nothing is awaited any more."""
        self._heads = ()
        self._let_past(len(self._buffer))

    def _size(self) -> int:
        """Size of the awaited frame that may begin here."""
        for head, size in self._heads:
            known = min(len(head), len(self._buffer))
            if self._buffer[:known] == head[:known]:
                return size
        return NO_FRAME

    def _found(self, size: int) -> Frame:
        frame = frame_in(self._buffer, size)
        del self._buffer[:size]
        self.forget()
        return frame

    def _let_past(self, count: int) -> None:
        if count:
            self._strays += self._past.feed(self._buffer[:count])
            del self._buffer[:count]


def frame_in(buffer: bytes | bytearray, size: int) -> Frame:
    """The frame in the first `size` bytes, CRC included."""
    return Frame(buffer[0], buffer[1], bytes(buffer[2 : size - 2]))


def crc_fits(buffer: bytes | bytearray, size: int) -> bool:
    """Whether the first `size` bytes end in their CRC."""
    return crc16(buffer[: size - 2]) == buffer[size - 2] | buffer[size - 1] << 8
