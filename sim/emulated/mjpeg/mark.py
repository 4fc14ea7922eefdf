"""The mark in the corner of every emulated frame: which frame it is, and when it was taken.

Black and white blocks of 8 x 8 pixels, the blocks of JPEG, from the top left corner, row by
row: 32 bits of the frame's number, 48 of its stamp in us, 8 of a sum over both. It survives
compression, and a damaged one is told from a good one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_US

BLOCK = 8
_NUMBER_BITS, _STAMP_BITS, _SUM_BITS = 32, 48, 8
BITS = _NUMBER_BITS + _STAMP_BITS + _SUM_BITS
_MIDDLE = 128


@dataclass(frozen=True, slots=True)
class Mark:
    """`stamp_us` is of the host's monotonic clock."""

    number: int
    stamp_us: int

    @property
    def stamp_ns(self) -> int:
        return self.stamp_us * NS_PER_US


def paint(image: NDArray[np.uint8], mark: Mark) -> None:
    """Draw the mark into a picture of shape (h, w, 3), in place."""
    number = mark.number % (1 << _NUMBER_BITS)
    whole = number | (mark.stamp_us % (1 << _STAMP_BITS)) << _NUMBER_BITS
    whole |= _sum(whole) << (_NUMBER_BITS + _STAMP_BITS)
    for bit, (row, column) in enumerate(_places(image)):
        level = 255 * ((whole >> bit) & 1)
        image[row : row + BLOCK, column : column + BLOCK] = level


def read(image: NDArray[np.uint8]) -> Mark | None:
    """The mark of a picture of shape (h, w, 3); None where there is no whole one."""
    whole = 0
    for bit, (row, column) in enumerate(_places(image)):
        block = image[row + 2 : row + BLOCK - 2, column + 2 : column + BLOCK - 2]
        whole |= int(block.mean() > _MIDDLE) << bit
    told, body = whole >> (_NUMBER_BITS + _STAMP_BITS), whole & ((1 << BITS - _SUM_BITS) - 1)
    if told != _sum(body):
        return None
    return Mark(body & ((1 << _NUMBER_BITS) - 1), body >> _NUMBER_BITS)


def _sum(body: int) -> int:
    """Of the bytes and one more, so that a black picture is no mark."""
    return (sum(body.to_bytes(10, "little")) + 0x5A) & 0xFF


def _places(image: NDArray[np.uint8]) -> list[tuple[int, int]]:
    across = image.shape[1] // BLOCK
    return [(bit // across * BLOCK, bit % across * BLOCK) for bit in range(BITS)]
