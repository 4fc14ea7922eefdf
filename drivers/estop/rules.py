"""When an emergency stop wants the rig to stop: rules over frames and stamps, without a clock.

Silence is as good as pressed. A frame counts when it is *new*: its sequence number is another
than that of the frame before. It is dated when it is read, but never later than the date of the
frame before plus the time that has passed for the box, with an eighth of that to spare for the
difference of the clocks. So what has waited in a buffer while nobody looked is known to be old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.estop.codec import Frame
from hil.clock import NS_PER_MS, NS_PER_S

_SPARE = 8
"""Fraction (one in so many) by which the clock of the box may be slow; a serial line at a rate
wrong by a twentieth cannot be read any more."""

KEPT_NS = 4 * NS_PER_S
"""Frames of so long are sure to be kept for a host that does not look: a terminal keeps 4095
bytes, which are 5 s."""


@dataclass(slots=True)
class StreamCounters:
    """`lost_frames` as told by gaps of the sequence, `repeated_frames` whose number stood;
    `pauses` in which nobody looked for longer than frames are kept."""

    lost_frames: int = 0
    repeated_frames: int = 0
    pauses: int = 0


class Listener:
    """What was heard of one box, and why that wants the rig to stop. Stamps are ns of one clock;
    `stale_ns` is the greatest age of the newest frame."""

    def __init__(self, stale_ns: int) -> None:
        self.counters = StreamCounters()
        self.heard = 0
        """New frames so far."""
        self._stale_ns = stale_ns
        self._newest: Frame | None = None
        self._shown: Frame | None = None
        self._looked_ns: int | None = None
        self._dated_ns = 0
        self._came_ns = 0
        self._gap = False
        self._stands = False

    @property
    def newest(self) -> Frame | None:
        """The newest frame; None before the first."""
        return self._newest

    def paused(self, now_ns: int) -> bool:
        """Whether nobody has looked for longer than frames are kept."""
        return self._looked_ns is not None and now_ns - self._looked_ns > KEPT_NS

    def take(self, frames: Sequence[Frame], now_ns: int) -> None:
        """Take what was read at `now_ns`, be it nothing.

        A frame that is not "released" shows in `cause` until the next ones come, even where a
        later one is: no press is lost between two looks. After a pause the newest frames are
        gone and those that were kept are old: the box then has `stale_ns` from now to be heard
        again.
        """
        paused = self.paused(now_ns)
        self._looked_ns = now_ns
        if not frames:
            return
        for frame in frames:
            self._take(frame, now_ns)
        self._came_ns = now_ns
        unreleased = (frame for frame in frames if not frame.released)
        self._shown = next(unreleased, frames[-1])
        if paused:
            self.counters.pauses += 1
            self._dated_ns = now_ns
            self._gap = True

    def age_ns(self, now_ns: int) -> int:
        """Age of the newest frame that was new."""
        return now_ns - self._dated_ns

    def cause(self, now_ns: int) -> str:
        """Why the rig has to stop, in a few words; empty where it has not."""
        shown = self._shown
        if shown is None:
            return "not heard yet"
        if now_ns - self._dated_ns > self._stale_ns:
            return self._silence(now_ns)
        return "" if shown.released else _words(shown)

    def _take(self, frame: Frame, now_ns: int) -> None:
        before, self._newest = self._newest, frame
        if before is None:
            self._dated_ns = now_ns
        else:
            step = (frame.sequence - before.sequence) % 256
            passed_ns = (frame.uptime_ms - before.uptime_ms) % 65536 * NS_PER_MS
            self._stands = step == 0 or passed_ns == 0
            if step == 0:
                self.counters.repeated_frames += 1
                return
            date_ns = now_ns
            if not self._gap:  # else the host itself dropped what is missing
                self.counters.lost_frames += step - 1
                date_ns = self._dated_ns + passed_ns + passed_ns // _SPARE
            self._gap = False
            self._dated_ns = min(now_ns, date_ns)
        self.heard += 1

    def _silence(self, now_ns: int) -> str:
        age_ms = round(self.age_ns(now_ns) / NS_PER_MS)
        stands = self._stands and now_ns - self._came_ns <= self._stale_ns
        return f"its stream stands still for {age_ms} ms" if stands else f"silent for {age_ms} ms"


def _words(frame: Frame) -> str:
    contacts = _contacts(frame)
    if frame.a_closed != frame.b_closed:
        return f"channels disagree ({contacts})" if frame.fault else f"pressed ({contacts} so far)"
    if frame.fault:
        return f"fault in the box ({contacts})"
    return "latched, to be reset by hand" if frame.a_closed else "pressed"


def _contacts(frame: Frame) -> str:
    return f"A {_word(frame.a_closed)}, B {_word(frame.b_closed)}"


def _word(closed: bool) -> str:
    return "closed" if closed else "open"
