"""Arrays of a record that are too large to hold: mapped from the file, seen block by block.

Small files are read whole, so that nothing which happens to the file afterwards can reach the
judge. Large ones are mapped; `blocks` gives the pages back as it goes, so that the memory in
use does not grow with the length of the run. A mapped file that is cut short while it is read
ends the process (SIGBUS): nobody may touch a run folder while it is judged.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

MAP_FROM_BYTES = 16 << 20
BLOCK_ROWS = 1 << 16

Array = np.ndarray[Any, Any]


def open_array(path: Path) -> Array:
    """Content of an .npy file, read-only where it is mapped.

    Errors: OSError and ValueError as `numpy.load`.
    """
    large = path.stat().st_size >= MAP_FROM_BYTES
    array = np.load(path, mmap_mode="r" if large else None, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("an archive of arrays, not one array")  # noqa: TRY004
    return array


def blocks(array: Array, rows: int = BLOCK_ROWS) -> Iterator[Array]:
    """Consecutive slices of at most `rows` rows.

    A slice of a mapped array must not be kept: its pages are released when the next one is
    asked for, and read from the file again on the next touch.
    """
    for start in range(0, len(array), rows):
        yield array[start : start + rows]
        _release(array)


def _release(array: Array) -> None:
    pages: Any = array
    while isinstance(pages, np.ndarray):
        pages = pages.base
    # A private mapping would lose what was written to it; a read-only one loses nothing.
    if isinstance(pages, mmap.mmap) and not array.flags.writeable:
        pages.madvise(mmap.MADV_DONTNEED)
