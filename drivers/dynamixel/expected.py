"""The answers to a sync read in the one form that they nearly always have.

Servo by servo in the order asked, without an error, without stuffing, each of the length asked:
then everything but the data is known beforehand, and so is the CRC up to them. What comes in
any other form is no match, and goes to the decoder, which takes everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from drivers.dynamixel.codec2 import BROADCAST, HEADER, PATTERN, STATUS
from drivers.dynamixel.crc import crc16, share

LONGEST = 32
"""Data bytes of a read that is worth it: those of a tick are fewer, those of a survey more."""

_CRC_SIZE = 2


class PlainAnswers:
    """Recognises the status packets of a SYNC READ of `length` bytes.

    Attributes:
        size: bytes of all of them together.
    """

    def __init__(self, servos: Sequence[int], length: int) -> None:
        count = length + 4  # instruction, error, CRC
        self._servos = tuple(servos)
        self._heads = tuple(
            HEADER + bytes((servo, count & 0xFF, count >> 8 & 0xFF, STATUS, 0)) for servo in servos
        )
        # the CRC of a packet whose data are all 0; each byte of them adds its share
        self._crcs = [crc16(head + bytes(length)) for head in self._heads]
        self._shares = [share(behind) for behind in reversed(range(length))]
        self._fields = Struct("<" + f"{len(HEADER) + 5}s{length}sH" * len(servos))
        self.size = self._fields.size

    def match(self, stream: bytes) -> dict[int, bytes] | None:
        """The data by servo id; None where `stream`, of `size` bytes, is anything else."""
        fields = self._fields.unpack(stream)
        data = fields[1::3]
        # a header pattern in the data would have to be stuffed
        if fields[::3] != self._heads or stream.count(PATTERN) != len(data):
            return None
        shares = self._shares
        for crc, block, sent in zip(self._crcs, data, fields[2::3], strict=True):
            for by_value, byte in zip(shares, block, strict=True):
                crc ^= by_value[byte]
            if crc != sent:
                return None
        return dict(zip(self._servos, data, strict=True))


class FastAnswers:
    """Recognises the one packet that answers a FAST SYNC READ of `length` bytes.

    Every block has a CRC over all before it.

    Attributes:
        size: its bytes.
    """

    def __init__(self, servos: Sequence[int], length: int) -> None:
        self._length = length
        self._servos = [(servo, bytes((0, servo))) for servo in servos]
        count = 1 + len(servos) * (length + 4)
        self._start = HEADER + bytes((BROADCAST, count & 0xFF, count >> 8 & 0xFF, STATUS))
        self._crc = crc16(self._start)
        self.size = len(self._start) + len(servos) * (length + 4)

    def match(self, stream: bytes) -> dict[int, bytes] | None:
        """The data by servo id; None where `stream` is anything else."""
        if not stream.startswith(self._start):
            return None
        crc, size = self._crc, self._length + 2
        found: dict[int, bytes] = {}
        at = len(self._start)
        for servo, head in self._servos:
            end = at + size
            block = stream[at:end]
            crc = crc16(block, crc)
            sent = stream[end : end + 2]
            if sent != crc.to_bytes(2, "little") or not block.startswith(head):
                return None
            crc = crc16(sent, crc)
            found[servo] = block[2:]
            at = end + _CRC_SIZE
        return found
