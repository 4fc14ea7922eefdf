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


class ChannelLog:
    """Room for `capacity` samples of one channel; rows not written stay absent."""

    def __init__(self, capacity: int, labels: tuple[str, ...], unit: str) -> None:
        self.labels = labels
        self.unit = unit
        self._value = np.full((capacity, len(labels)), np.nan)
        self._age_ns = np.full((capacity, len(labels)), NEVER, dtype=np.int64)
        self._stamp_ns = np.zeros(capacity, dtype=np.int64)

    def put(
        self, row: int, stamp_ns: int, value: FloatArray | float, age_ns: IntArray | int = 0
    ) -> None:
        """Store the sample of tick number `row` (its place in the tick log).

        NaN in `value` marks what is absent; its age stays as given.
        """
        self._stamp_ns[row] = stamp_ns
        self._value[row] = value
        self._age_ns[row] = age_ns

    def channel(self, ticks: int) -> Channel:
        """The first `ticks` samples."""
        value: NDArray[Any] = self._value[:ticks].copy()
        return Channel(
            value,
            self._stamp_ns[:ticks].copy(),
            self._age_ns[:ticks].copy(),
            self.labels,
            self.unit,
        )
