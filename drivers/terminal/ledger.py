"""What the host has sent and the terminal has not answered: the host's side of flow control."""

from __future__ import annotations


class Ledger:
    """Requests on their way, in order, with the bytes of their frames.

    Answers come in the order of the requests, so an answer settles every request before its own:
    those have been lost.
    """

    def __init__(self) -> None:
        self._bytes: dict[int, int] = {}
        self._total = 0

    def __contains__(self, seq: int) -> bool:
        """Whether a request is on its way."""
        return seq in self._bytes

    @property
    def unanswered(self) -> int:
        """Requests on their way."""
        return len(self._bytes)

    @property
    def unanswered_bytes(self) -> int:
        """Bytes of their frames."""
        return self._total

    def takes(self, size: int, window: int) -> bool:
        """Whether a frame of `size` bytes may go out: inside the window, or with nothing else on
        its way, since a frame may be longer than the window."""
        return not self._bytes or self._total + size <= window

    def sent(self, seq: int, size: int) -> None:
        """A frame goes out."""
        self._bytes[seq] = size
        self._total += size

    def answered(self, seq: int) -> None:
        """An answer has come; one to a request of another time settles nothing."""
        if seq not in self._bytes:
            return
        for earlier in list(self._bytes):
            self._total -= self._bytes.pop(earlier)
            if earlier == seq:
                return
