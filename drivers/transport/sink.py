"""Where the capture of one link goes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO

from drivers.transport.capture import WireBuffer
from hil.errors import BadInput, HostError

_MB = 1_000_000
_MOST_FILES = 1000


class WireSink:
    """A buffer, and the file that it goes to; without a file, whoever calls `take` gets it.

    The disk is touched in `take` and `close`, never in the calls that move bytes.
    """

    def __init__(self, buffer: WireBuffer, header: bytes, file: BinaryIO | None) -> None:
        self.buffer = buffer
        self._first_line = header
        self._header = header
        self._for_run = file is None
        self._file = file

    def take(self) -> bytes:
        """Put the records on disk, or return them where there is no file. Errors: HostError."""
        data, self._header = self._header + self.buffer.take(), b""
        if self._for_run:
            return data
        if self._file is None:
            return b""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise HostError(
                f"the capture {self._file.name} cannot be written: {error.strerror}",
                "free space on that disk, or name another file in the rig file",
            ) from error
        return b""

    def restart(self) -> None:
        """Forget what was not taken, and begin with the header again. A file goes on as it is."""
        if self._for_run:
            self.buffer.take()
            self._header = self._first_line

    def close(self) -> None:
        """Write the rest to the file; never raises. Where that fails the file has no closing
        record, by which a reader knows that it is not whole."""
        if self._file is None:
            return
        with contextlib.suppress(HostError):
            self.take()
        file, self._file = self._file, None
        with contextlib.suppress(OSError):
            file.close()


def open_sink(capture: bool | str, megabytes: int, base: Path, header: bytes) -> WireSink | None:
    """The sink that a rig file asks for; None where it asks for none.

    A file that exists is never overwritten: `arm.wire` is followed by `arm.2.wire`. Errors:
    BadInput where the file cannot be made.
    """
    if capture is False:
        return None
    file = None if capture is True else _new_file(base / capture)
    return WireSink(WireBuffer(megabytes * _MB), header, file)


def _new_file(path: Path) -> BinaryIO:
    for number in range(1, _MOST_FILES):
        numbered = path if number == 1 else path.with_suffix(f".{number}{path.suffix}")
        try:
            return numbered.open("xb", buffering=0)
        except FileExistsError:
            continue
        except OSError as error:
            raise BadInput(f"the capture {numbered} cannot be made: {error.strerror}") from error
    raise BadInput(f"there are {_MOST_FILES} captures beside {path}", "move them away")
