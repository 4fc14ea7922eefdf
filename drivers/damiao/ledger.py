"""Which answer belongs to which request, for motors that number nothing.

A motor answers every frame that is for it with one frame, in the order in which they came. So
every request for its state is entered in a ledger of its motor, and an answer pays the oldest
entry. What stands against taking an old value for a new one:

* Before a round is asked, answers still owed are waited for, up to the answer time-out and for
  at most half of the time there is; not those of a motor that was silent in the round before.
* An entry that was not paid by then is given up and remembered as a doubt: its answer may still
  come, and would be taken for a later one's. While there is a doubt, a value is dated back to
  it, so that an age is never too small.
* A mark ends doubts: a question about a register, whose answer names the register. Once it is
  answered, everything asked before it is answered or lost; states that come before it are late.
  Each round asks for another register, so a motor would have to be as many rounds late as there
  are registers to be taken for one in time; and for none that a call has asked for, since a late
  answer to that would end doubts that it knows nothing of.
* An answer that nobody is owed is counted and dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from drivers.damiao.codec import RegisterMessage

_ENTRIES = 256
_MARKS = range(37)
"""Registers asked for marks by turns, so that a late answer to an older one is known as such."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer. Its request was sent at `asked_ns`; it was measured at `measured_ns` or later,
    and the host had it at `received_ns`."""

    payload: bytes
    asked_ns: int
    measured_ns: int
    received_ns: int


class Ledger:
    """Requests for the state of one motor, as the stamps at which they were sent. `silent` says
    that it did not answer in the last round."""

    def __init__(self) -> None:
        self.owed: deque[int] = deque(maxlen=_ENTRIES)
        self.mark: RegisterMessage | None = None
        self.silent = False
        self._doubts: deque[int] = deque(maxlen=_ENTRIES)
        self._marked_ns = 0
        self._marks = 0

    @property
    def doubtful(self) -> bool:
        """Whether an answer to an earlier request may still come."""
        return bool(self._doubts)

    def owe(self, now_ns: int) -> None:
        """A request for the state is sent."""
        self.owed.append(now_ns)

    def pay(self, payload: bytes, now_ns: int) -> Heard | None:
        """Credit an answer; None where nothing is owed. Not to be called while marked."""
        if not self.owed:
            return None
        asked_ns = self.owed.popleft()
        oldest_ns = min(asked_ns, self._doubts[0]) if self._doubts else asked_ns
        return Heard(payload, asked_ns, oldest_ns, now_ns)

    def give_up(self) -> int:
        """Doubt whatever is owed; returns how many answers that is."""
        count = len(self.owed)
        self._doubts.extend(self.owed)
        self.owed.clear()
        return count

    def next_mark(self, but: Collection[int]) -> int:
        """The register to ask for the next mark, none of `but` unless that is all there are."""
        turns = [self._marks + turn for turn in range(1, len(_MARKS) + 1)]
        free = (turn for turn in turns if _MARKS[turn % len(_MARKS)] not in but)
        self._marks = next(free, turns[0])
        return _MARKS[self._marks % len(_MARKS)]

    def set_mark(self, question: RegisterMessage, now_ns: int) -> None:
        """`question` is sent; it takes the place of a mark before it."""
        self.mark, self._marked_ns = question, now_ns

    def clear(self) -> int:
        """The mark was answered: nothing from before it can come any more. Returns how many
        answers were owed from before it, and are lost."""
        self.mark = None
        while self._doubts and self._doubts[0] < self._marked_ns:
            self._doubts.popleft()
        lost = 0
        while self.owed and self.owed[0] < self._marked_ns:
            self.owed.popleft()
            lost += 1
        return lost
