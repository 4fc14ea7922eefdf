"""Room on the disk for the last rows of a ledger, set aside while there is some.

When the disk is full, what still has to be written is small and matters most: that the rig was
made safe, and why the run ended. The blocks behind the end of the ledger are therefore given to
it ahead of time (fallocate with KEEP_SIZE), so that nobody else can take them, whoever fills the
disk. Some file systems cannot do that (NFS before 4.2, FAT): there a file of the same size lies
beside the ledger and is removed when the disk is full, which another writer may be quicker to
use.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

ROOM = 64 * 1024
"""Bytes; rows of a dozen devices' proofs and the closing row are a tenth of it."""

_KEEP_SIZE = 1  # <linux/falloc.h>
_CANNOT = (errno.EOPNOTSUPP, errno.ENOSYS)


class Reserve:
    """Room behind the end of one file that only grows.

    Args:
        fd: the file, open for writing.
        ballast: where a file may be put on a disk that can keep no room for another.
    """

    def __init__(self, fd: int, ballast: Path) -> None:
        self._fd, self._ballast = fd, ballast
        self._until = 0
        self._laid = False

    def keep(self, end: int) -> None:
        """Have `ROOM` bytes behind `end`, where the file will end. Errors: OSError (ENOSPC,
        EDQUOT) where the disk has no more; what was kept before stays."""
        if self._laid or end + ROOM <= self._until:
            return
        until = end + 2 * ROOM  # so that not every row asks for more
        try:
            _allocate(self._fd, self._until, until - self._until)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            self._lay()
        self._until = until

    def open_up(self) -> None:
        """The disk is full: from now on the room may be used."""
        if self._laid:
            self._ballast.unlink(missing_ok=True)

    def give_back(self) -> None:
        """Nothing more will be written: leave no more than the file itself."""
        os.ftruncate(self._fd, os.fstat(self._fd).st_size)
        self.open_up()

    def _lay(self) -> None:
        with self._ballast.open("xb") as stream:
            stream.write(os.urandom(ROOM))  # zeros may take no room at all
            stream.flush()
            os.fsync(stream.fileno())
        self._laid = True


def _allocate(fd: int, offset: int, length: int) -> None:
    """fallocate(2) without a change of the file's size; Python's own has no such form."""
    libc = ctypes.CDLL(None, use_errno=True)
    place, size = ctypes.c_int64(offset), ctypes.c_int64(length)
    if libc.fallocate64(fd, _KEEP_SIZE, place, size) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
