"""The clock of one board: whether it says the time at all, in which steps, and since when."""

from __future__ import annotations

from typing import Final

from drivers.mlperf_tiny.board import Board
from drivers.mlperf_tiny.laps import COUNTER_US, Timeline, granularity_us, print_us
from hil.clock import Deadline
from hil.contracts import Finding
from hil.errors import DeviceFault

STAMPS: Final = 16
"""Stamps from which the step of the clock is told."""

_COARSE_US = 1000
"""The benchmark asks for a counter of at least 1 kHz."""


class BoardClock:
    """Made by `survey`.

    Attributes:
        timed: False for a board in energy mode, which marks its stamps with a pin for a power
            analyser and says none of them.
        step_us: step of the clock in microseconds, None where it stands still or says nothing.
        printing_us: what printing one stamp takes at most, on a UART of the rate given.
    """

    def __init__(self, board: Board, stamps_us: list[int], baud: int) -> None:
        self._session = board.session
        self._timeline = Timeline()
        self._starts = board.session.starts
        self.timed = bool(stamps_us)
        self.step_us = granularity_us(stamps_us) if self.timed else None
        self.printing_us = print_us(max(COUNTER_US - 1, *stamps_us), baud) if self.timed else 0

    def require(self) -> int:
        """The step of a clock that can be measured with. Errors: DeviceFault with the reason."""
        where = self._session.description
        if not self.timed:
            raise DeviceFault(
                f"{where}: the board's firmware is built for energy mode, in which it says no time"
                " stamps",
                "flash a build with EE_CFG_ENERGY_MODE 0",
            )
        if self.step_us is None:
            raise DeviceFault(f"{where}: the board's clock stands still", "check the port's timer")
        return self.step_us

    def place(self, stamp_us: int, host_ns: int) -> int:
        """A stamp in ns that do not wrap; they begin again with the board."""
        if self._session.starts != self._starts:
            self._timeline = Timeline()
            self._starts = self._session.starts
        return self._timeline.place(stamp_us, host_ns)

    def findings(self) -> list[Finding]:
        """What `require` would say, and whether the step is fine enough."""
        try:
            step_us = self.require()
        except DeviceFault as error:
            return [Finding("board clock", False, error.message, error.remedy)]
        fine = step_us <= _COARSE_US
        detail = f"steps of {step_us} us, {_COARSE_US} allowed"
        return [Finding("board clock", fine, detail, "" if fine else "use a faster counter")]


def survey(board: Board, baud: int, deadline: Deadline) -> BoardClock:
    """Ask for the time again and again. The mode that a board boasts of at its start need not
    have been seen, so a board that answers without a stamp is in energy mode.

    Errors: DeadlineMissed, DeviceFault, LinkLost.
    """
    stamps: list[int] = []
    for _ in range(STAMPS):
        stamp_us, _ = board.stamp(deadline)
        if stamp_us is None:
            board.session.mode = "energy"
            return BoardClock(board, [], baud)
        stamps.append(stamp_us)
    board.session.mode = "performance"
    return BoardClock(board, stamps, baud)
