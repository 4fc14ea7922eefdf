"""A model on its way to the agent: chunks in order, bounded size, digest at the end."""

from __future__ import annotations

import hashlib

from drivers.terminal.messages import LoadBegin, LoadChunk
from hil.errors import ModelRefused, ProtocolError


class Upload:
    """Collects what `begin` announced. Memory grows with what was really received.

    `begin` may be replaced by another announcement of the same bytes.
    """

    def __init__(self, begin: LoadBegin) -> None:
        self.begin = begin
        self._content = bytearray()

    def is_of(self, begin: LoadBegin) -> bool:
        """Whether `begin` announces what this one collects."""
        return (begin.sha256, begin.total) == (self.begin.sha256, self.begin.total)

    @property
    def received(self) -> int:
        """Bytes so far."""
        return len(self._content)

    def add(self, chunk: LoadChunk) -> None:
        """Errors: ProtocolError when the chunk is not the next one or goes past the total."""
        if chunk.offset != self.received:
            raise ProtocolError(f"chunk at {chunk.offset}, expected {self.received}")
        if self.received + len(chunk.data) > self.begin.total:
            raise ProtocolError(
                f"chunk ends at {self.received + len(chunk.data)}, total is {self.begin.total}"
            )
        self._content += chunk.data

    def finish(self) -> bytes:
        """The whole model. Errors: ModelRefused naming both digests, or what is missing."""
        if self.received != self.begin.total:
            raise ModelRefused(f"{self.received} of {self.begin.total} bytes were received")
        found = hashlib.sha256(self._content).hexdigest()
        if found != self.begin.sha256:
            raise ModelRefused(f"SHA-256 is {found}, announced was {self.begin.sha256}")
        return bytes(self._content)
