"""What a run folder holds, as plain data; shared by the writer, the reader and the judge.

One row of `ticks.npy` a tick: the truth for every timing claim. Channels hold samples, one
row a tick, with stamp and age; an absent value is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag, StrEnum

import numpy as np
from numpy.typing import NDArray

TICK = np.dtype(
    [
        ("tick", "<i8"),  # index of the grid point served
        ("skipped", "<i8"),  # grid points missed before this one
        ("scheduled_ns", "<i8"),  # the grid point
        ("woke_ns", "<i8"),
        ("sense_ns", "<i8"),  # end of sense
        ("infer_ns", "<i8"),  # end of infer
        ("act_ns", "<i8"),  # end of act: command written
        ("done_ns", "<i8"),  # end of the tick's work, witness included
        ("device_received_ns", "<i8"),  # these four on the device's own clock, -1 if none
        ("device_start_ns", "<i8"),
        ("device_end_ns", "<i8"),
        ("device_sent_ns", "<i8"),
        ("asked_ns", "<i8"),  # inference sent by the host, -1 if none was
        ("answered_ns", "<i8"),  # its answer received by the host, -1 if none
        ("data_age_ns", "<i8"),  # age, when commanded, of the oldest input acted on, -1 if none
        ("lost", "<u2"),  # channels absent in this tick's read
        ("repeats", "<u2"),  # ticks in a row without a fresh decision, this one included
        ("reason", "<u2"),  # `ActionReason`: what was commanded, and why
        ("flags", "<u4"),
    ]
)

STAGES = ("wake", "sense", "infer", "act")
"""Stages of a tick in order; `stage_durations` gives the time of each."""


class TickFlag(IntFlag):
    """What was out of the ordinary in a tick."""

    NONE = 0
    LOST_INPUT = 1  # a channel the policy needs was absent in this tick's read
    STALE_INPUT = 2  # the policy acted on a last-known value
    NO_ANSWER = 4  # no decision that may be acted on: late, not a number, or too old
    REPEATED_ACTION = 8  # no fresh decision; `reason` says what was commanded
    LIMITED_ACTION = 16  # the envelope changed the target before it was sent
    NO_COMMAND = 32  # nothing could be written to the actuators
    LATE_WAKE = 64  # these five: a stage, or the whole reaction, outran its budget
    LATE_SENSE = 128
    LATE_INFER = 256
    LATE_ACT = 512
    LATE = 1024


class ActionReason(IntEnum):
    """What was commanded in a tick, and why."""

    FRESH = 0  # the policy's decision of this tick
    REPEATED = 1  # the last target again, for want of a decision
    HELD = 2  # where the joints were last measured; also where effort is over its limit
    PARKED = 3  # on the way to the scenario's park pose
    NOTHING = 4  # nothing was commanded


class EpisodeEnd(StrEnum):
    """Why an episode ended; the ledger's word for it."""

    COMPLETED = "completed"  # ran to its end; the task scores it
    DEVICE_FAULT = "device-fault"  # the device under test gave up; counts as a failure
    ERROR = "error"  # rig, host or harness; no verdict from it
    INTERRUPTED = "interrupted"  # a person or the system ended it


@dataclass(frozen=True, slots=True)
class Channel:
    """Samples of one channel.

    `value` has shape (ticks, width) with NaN for absent; `stamp_ns` (ticks,) is when the host
    had it; `age_ns` (ticks, width) is the age of each value at its stamp, -1 if never received.
    `labels` names the columns, `unit` their unit.
    """

    value: NDArray[np.float64]
    stamp_ns: NDArray[np.int64]
    age_ns: NDArray[np.int64]
    labels: tuple[str, ...]
    unit: str

    def column(self, label: str) -> NDArray[np.float64] | None:
        """One column, shape (ticks,), or None where the rig does not observe it."""
        return self.value[:, self.labels.index(label)] if label in self.labels else None


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode as recorded.

    `ticks` has dtype `TICK`. `draw` is the task's plain data. `meta` holds what is true of the
    whole episode: scenario, seed, end, reason, rate_hz, whether the clock was virtual.
    Channel names in use: `joints.position`, `joints.velocity`, `joints.effort`,
    `joints.desired`, `joints.applied`, `witness`, `reading`.
    """

    name: str
    draw: Mapping[str, object]
    meta: Mapping[str, object]
    ticks: NDArray[np.void]
    channels: Mapping[str, Channel] = field(default_factory=dict)
    events: tuple[Mapping[str, object], ...] = ()


def stage_durations_ns(ticks: NDArray[np.void]) -> dict[str, NDArray[np.int64]]:
    """Time of each stage of each tick in ns, by name in the order of `STAGES`.

    `wake` runs from the grid point to the wake-up, so the sum of all is the reaction time.
    """
    edges = ["scheduled_ns", "woke_ns", "sense_ns", "infer_ns", "act_ns"]
    return {
        stage: (ticks[after] - ticks[before]).astype(np.int64)
        for stage, before, after in zip(STAGES, edges, edges[1:], strict=False)
    }


def reaction_ns(ticks: NDArray[np.void], period_ns: int) -> NDArray[np.int64]:
    """Reaction time of every grid point in ns: scheduled instant to command written.

    Points that the loop skipped are counted from *their* scheduled instant to the command
    that finally came (no coordinated omission), so the result can be longer than `ticks`.
    """
    served = ticks["act_ns"] - ticks["scheduled_ns"]
    late = [
        row["act_ns"] - row["scheduled_ns"] + period_ns * np.arange(1, row["skipped"] + 1)
        for row in ticks[ticks["skipped"] > 0]
    ]
    return np.concatenate([served, *late]).astype(np.int64)
