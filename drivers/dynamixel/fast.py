"""The answer to a fast read, taken apart while it comes in.

Several servos write one packet between them: the first sends the header and its block, each
other one its block when its predecessor has finished. A block is `error | id | data | CRC`,
and every CRC covers all bytes before it. So a block is good on its own as soon as it is there,
and what stands before a break in the chain is not lost with what comes after.
Source: Robotis, e-manual, Protocol 2.0, Fast Sync Read.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.dynamixel.codec2 import BROADCAST, HEADER, STATUS, Packet
from drivers.dynamixel.crc import crc16

_BLOCK_OVERHEAD = 4  # error, id, CRC


class FastDecoder:
    """Incremental decoder of the one answer that is expected; never an exception.

    Args:
        expected: id and number of data bytes of each servo, in the order asked.

    Attributes:
        crc_errors: 1 where a block's CRC did not fit; the rest of the packet is then lost.
        wrong_id: 1 where a block bore another id than the one whose turn it was.
        resync_bytes: bytes before the packet.
    """

    def __init__(self, expected: Sequence[tuple[int, int]]) -> None:
        length = 1 + sum(size + _BLOCK_OVERHEAD for _, size in expected)
        self._expected = list(expected)
        self._start = HEADER + bytes((BROADCAST, length & 0xFF, length >> 8 & 0xFF, STATUS))
        self._buffer = bytearray()
        self._crc = crc16(self._start)
        self._inside = False
        self._next = 0
        self.crc_errors = 0
        self.wrong_id = 0
        self.resync_bytes = 0

    @property
    def done(self) -> bool:
        """Nothing more can come of it: all blocks are there, or one was wrong."""
        return self.broken or self._next == len(self._expected)

    @property
    def broken(self) -> bool:
        """A block was wrong; it and what came behind it are lost."""
        return bool(self.crc_errors or self.wrong_id)

    @property
    def pending(self) -> int:
        """Bytes kept; less than the packet's start, or than its longest block."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Packet]:
        """The answers that `data` completes, as if each servo had sent a packet of its own."""
        self._buffer += data
        if not self._inside and not self._seek_start():
            return []
        answers: list[Packet] = []
        while (answer := self._take_block()) is not None:
            answers.append(answer)
        if self.done:
            self._buffer.clear()
        return answers

    def _seek_start(self) -> bool:
        at = self._buffer.find(self._start)
        if at < 0:  # the end may be the beginning of it
            at = max(0, len(self._buffer) - len(self._start) + 1)
        else:
            self._inside = True
        self.resync_bytes += at
        del self._buffer[: at + (len(self._start) if self._inside else 0)]
        return self._inside

    def _take_block(self) -> Packet | None:
        if self.done:
            return None
        servo, size = self._expected[self._next]
        if len(self._buffer) < size + _BLOCK_OVERHEAD:
            return None
        block = bytes(self._buffer[: size + 2])
        received = self._buffer[size + 2] | self._buffer[size + 3] << 8
        crc = crc16(block, self._crc)
        if crc != received or block[1] != servo:
            self.crc_errors = int(crc != received)
            self.wrong_id = 1 - self.crc_errors
            return None
        self._crc = crc16(self._buffer[size + 2 : size + 4], crc)
        del self._buffer[: size + _BLOCK_OVERHEAD]
        self._next += 1
        return Packet(servo, STATUS, block[2:], block[0])
