"""The newest frame, from the process that captures to the one that asks: shared memory.

Three pictures' worth of memory, whatever happens: one is the newest, one may be under the
reader's hand, one is written. A record lock of the kernel says which slot is in use, so that a
picture is never torn, and a process that dies lets go of its slot. An event counter wakes the
reader; nobody waits for the other.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.contracts import NEVER
from hil.errors import BadInput, HarnessError

SLOTS = 3
MAX_PIXELS = 8192 * 8192

_COUNTS = ("frames", "missed", "repeated", "broken", "wrong_size", "complaints")
_HEAD = np.dtype(
    [
        ("newest", "<i8"),
        *((name, "<i8") for name in _COUNTS),
        *(("wrong_width", "<i8"), ("wrong_height", "<i8")),
        *(("still_since_ns", "<i8"), ("last_ns", "<i8"), ("rate_hz", "<f8")),
    ]
)
_NOTE = np.dtype(
    [
        *(("stamp_ns", "<i8"), ("device_ns", "<i8"), ("index", "<i8")),
        *(("missed", "<i8"), ("repeated", "<i8")),
    ]
)
_PAGE = 4096
_TAKEN = frozenset({errno.EACCES, errno.EAGAIN})


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of a frame beside its picture; fields as in `hil.contracts.Frame`."""

    stamp_ns: int
    device_ns: int
    index: int
    missed: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class Account:
    """The stream as a whole, as the capturing process last had it.

    `broken` pictures could not be decoded and are not frames; `wrong_size` ones were dropped
    (`wrong` is the width and height of the last); `complaints` counts frames whose decoder gave
    a warning. `still_since_ns` is the stamp of the first of the present run of equal pictures.
    """

    frames: int = 0
    missed: int = 0
    repeated: int = 0
    broken: int = 0
    wrong_size: int = 0
    complaints: int = 0
    wrong: tuple[int, int] = (0, 0)
    still_since_ns: int = NEVER
    last_ns: int = NEVER
    rate_hz: float = float("nan")


class Memory:
    """The shared memory as arrays: `head` (1,), `notes` (SLOTS,), `pictures` (SLOTS, h, w, 3)."""

    def __init__(self, fd: int, width: int, height: int) -> None:
        size = _size(width, height)
        if os.fstat(fd).st_size != size:
            raise HarnessError(f"the camera's memory is not of {width} x {height} pixels")
        self._fd = fd
        mapped = mmap.mmap(fd, size)
        self.head = np.ndarray((1,), _HEAD, mapped)
        self.notes = np.ndarray((SLOTS,), _NOTE, mapped, _HEAD.itemsize)
        self.pictures = np.ndarray((SLOTS, height, width, 3), np.uint8, mapped, _PAGE)

    @property
    def newest(self) -> int:
        """Number of the slot published last; NEVER before the first."""
        return int(self.head["newest"][0])

    def lock(self, slot: int, how: int) -> bool:
        """Lock a slot against the other process (LOCK_SH or LOCK_EX); False where it has it."""
        try:
            fcntl.lockf(self._fd, how | fcntl.LOCK_NB, 1, slot)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True

    def unlock(self, slot: int) -> None:
        """Let go of a slot."""
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, slot)


def lay_out(fd: int, width: int, height: int) -> Memory:
    """Give empty memory its size. Errors: BadInput for a picture that is not possible."""
    if min(width, height) < 1 or width * height > MAX_PIXELS:
        raise BadInput(f"a picture of {width} x {height} pixels is not possible")
    os.ftruncate(fd, _size(width, height))
    memory = Memory(fd, width, height)
    memory.head["newest"] = NEVER
    _tell(memory, Account())
    return memory


class Outbox:
    """The capturing process's side."""

    def __init__(self, memory: Memory, event_fd: int) -> None:
        self._memory = memory
        self._event_fd = event_fd
        self._slot = NEVER

    def blank(self) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) to write the next picture to; the same until it is published."""
        if self._slot == NEVER:
            newest = self._memory.newest
            free = (slot for slot in range(SLOTS) if slot != newest)
            self._slot = next(slot for slot in free if self._memory.lock(slot, fcntl.LOCK_EX))
        pixels: NDArray[np.uint8] = self._memory.pictures[self._slot]
        return pixels

    def newest(self) -> NDArray[np.uint8] | None:
        """The picture published last, (h, w, 3); None before the first."""
        slot = self._memory.newest
        if slot == NEVER:
            return None
        picture: NDArray[np.uint8] = self._memory.pictures[slot]
        return picture

    def publish(self, note: Note, account: Account) -> None:
        """Make what was written to `blank` the newest frame, and wake the reader."""
        slot, self._slot = self._slot, NEVER
        flag = int(note.repeated)
        self._memory.notes[slot] = (
            *(note.stamp_ns, note.device_ns, note.index, note.missed, flag),
        )
        self._memory.unlock(slot)
        _tell(self._memory, account)
        self._memory.head["newest"] = slot
        self._wake()

    def tell(self, account: Account) -> None:
        """Update the account where there is no frame to publish."""
        _tell(self._memory, account)
        self._wake()

    def _wake(self) -> None:
        try:
            os.eventfd_write(self._event_fd, 1)
        except BlockingIOError:  # nobody has looked for 2**64 frames
            return


class Inbox:
    """The asking process's side; not for use from several threads."""

    def __init__(self, memory: Memory, event_fd: int) -> None:
        self._memory = memory
        self._event_fd = event_fd

    def settle(self) -> None:
        """Forget the wake-ups so far; then look."""
        try:
            os.eventfd_read(self._event_fd)
        except BlockingIOError:
            return

    def take(self, after: int) -> tuple[Note, NDArray[np.uint8]] | None:
        """The newest frame where its index is beyond `after`: its note, a copy of its picture."""
        for _ in range(SLOTS):
            slot = self._memory.newest
            if slot == NEVER:
                return None
            if not self._memory.lock(slot, fcntl.LOCK_SH):
                continue  # written again already, so that another one is the newest
            try:
                note = _read(self._memory.notes[slot])
                return (note, self._memory.pictures[slot].copy()) if note.index > after else None
            finally:
                self._memory.unlock(slot)
        return None  # its event is still to be read

    def account(self) -> Account:
        """The stream as a whole."""
        head = self._memory.head[0]
        return Account(
            **{name: int(head[name]) for name in _COUNTS},
            wrong=(int(head["wrong_width"]), int(head["wrong_height"])),
            still_since_ns=int(head["still_since_ns"]),
            last_ns=int(head["last_ns"]),
            rate_hz=float(head["rate_hz"]),
        )


def _size(width: int, height: int) -> int:
    return _PAGE + SLOTS * width * height * 3


def _tell(memory: Memory, account: Account) -> None:
    for name in _COUNTS:
        memory.head[name] = getattr(account, name)
    memory.head["wrong_width"], memory.head["wrong_height"] = account.wrong
    memory.head["still_since_ns"] = account.still_since_ns
    memory.head["last_ns"], memory.head["rate_hz"] = account.last_ns, account.rate_hz


def _read(row: np.void) -> Note:
    stamp, device, index, missed = (
        int(row[name]) for name in ("stamp_ns", "device_ns", "index", "missed")
    )
    return Note(stamp, device, index, missed, bool(row["repeated"]))
