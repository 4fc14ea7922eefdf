"""Preallocated logs of one episode: nothing in a tick grows a list or touches a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.contracts import NEVER, DeviceStamps, FloatArray, InferenceResult, IntArray
from hil.errors import HilError
from hil.record.format import TICK, ActionReason, Channel, TickFlag

_NO_DEVICE = DeviceStamps(NEVER, NEVER, NEVER, NEVER)


@dataclass(slots=True)
class TickNote:
    """What a job has to say of one tick besides its stamps; columns of `TICK`.

    `fault` is no column: it ends the episode once the tick is logged.
    """

    flags: TickFlag = TickFlag.NONE
    device: DeviceStamps = _NO_DEVICE
    asked_ns: int = NEVER
    answered_ns: int = NEVER
    data_age_ns: int = NEVER
    lost: int = 0
    repeats: int = 0
    reason: ActionReason = ActionReason.FRESH
    fault: HilError | None = None

    def answered(self, result: InferenceResult) -> None:
        """Take over both sides' stamps of an inference."""
        self.device = result.stamps
        self.asked_ns, self.answered_ns = result.asked_ns, result.answered_ns


class TickLog:
    """Room for `capacity` ticks; one row each, dtype `hil.record.format.TICK`.

    `rows` brings memory of the caller's for them, all zero and no shorter.
    """

    def __init__(self, capacity: int, rows: NDArray[np.void] | None = None) -> None:
        self._rows = np.zeros(capacity, dtype=TICK) if rows is None else rows
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def capacity(self) -> int:
        return len(self._rows)

    def append(
        self,
        tick: int,
        skipped: int,
        stamps_ns: tuple[int, int, int, int, int, int],
        note: TickNote,
    ) -> None:
        """Add a row. `stamps_ns`: scheduled, woke, sense, infer, act, done."""
        device = note.device
        far = (device.received_ns, device.start_ns, device.end_ns, device.sent_ns)
        self._rows[self._count] = (
            *(tick, skipped, *stamps_ns, *far),
            *(note.asked_ns, note.answered_ns, note.data_age_ns),
            *(note.lost, note.repeats, note.reason, note.flags),
        )
        self._count += 1

    def rows(self) -> NDArray[np.void]:
        """Copy of what was logged, shape (ticks,)."""
        return self._rows[: self._count].copy()


Sample = tuple[int, FloatArray | float, IntArray | int]


class ChannelLog:
    """Room for `capacity` samples of one channel; rows not written stay absent.

    A tick only puts references into preallocated slots, since copying into an array costs
    several times as much on a cold core; the arrays are made when the episode is over. An array
    that was put must therefore never be changed afterwards: drivers and rules hand over fresh
    ones.
    """

    def __init__(self, capacity: int, labels: tuple[str, ...], unit: str) -> None:
        self.labels = labels
        self.unit = unit
        self._samples: list[Sample | None] = [None] * capacity

    def put(
        self, row: int, stamp_ns: int, value: FloatArray | float, age_ns: IntArray | int = 0
    ) -> None:
        """Store the sample of tick number `row` (its place in the tick log).

        `value` has one item a label, or is one for all; NaN marks what is absent, whose age
        stays as given. It is kept, not copied.
        """
        self._samples[row] = (stamp_ns, value, age_ns)

    def channel(self, ticks: int) -> Channel:
        """The first `ticks` samples, as arrays of their own."""
        shape = (ticks, len(self.labels))
        value: NDArray[Any] = np.full(shape, np.nan)
        age_ns = np.full(shape, NEVER, dtype=np.int64)
        stamp_ns = np.zeros(ticks, dtype=np.int64)
        for row, sample in enumerate(self._samples[:ticks]):
            if sample is not None:
                stamp_ns[row], value[row], age_ns[row] = sample
        return Channel(value, stamp_ns, age_ns, self.labels, self.unit)
