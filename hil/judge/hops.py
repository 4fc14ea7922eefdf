"""The hops of a decision, from the stamps of a tick.

The hops of one decision follow each other without gap or overlap, from the grid point on which
its input was read to the command that came of it, so that their sum is the whole time. Where
the inference ran beside the loop, that is more than one tick.

| hop | from | to |
|---|---|---|
| wake | grid point | the loop runs |
| read | the loop runs | the joints' answer is with the host |
| ask | that | request written to the terminal |
| there | that | request with the terminal |
| queue | that | inference begun |
| compute | that | inference done |
| reply | that | answer about to be sent |
| back | that | answer with the host |
| decide | that | a target is made of it |
| command | that | command written |
| motion | that | motion seen in an encoder |

Stamps of the terminal are of its own clock and are placed by `hil.loop.clockmap`; without a map
`there` and `back` are one hop, `there-and-back`. A terminal that gives no stamps leaves one hop
`terminal` for all it does, and without the host's stamps of question and answer all between
`read` and `command` is one hop `infer`. Where the inference ran beside the loop, the host stamps
an answer when a tick takes it off the line, so that waiting for that tick is part of `back`.

Decisions during which the terminal's clock was set, or may have been, are left out and counted:
no uncertainty would say anything of their hops. So are those that contradict the map, whose
question would have arrived before its input was there, or whose answer before it was given, by
more than the stated uncertainty. (That a question was written is stamped afterwards, so that it
may well have arrived by then.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.contracts import IntArray
from hil.judge.samples import NO_REACTION
from hil.loop.clockmap import ClockMap
from hil.record.format import ActionReason

HOPS = (
    *("wake", "read", "ask", "infer", "terminal", "there", "there-and-back"),
    *("queue", "compute", "reply", "back", "decide", "command", "motion"),
)
"""All names, in the order of the chain."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Hops of the decisions of one stretch of ticks.

    `rows` are the places of the commanding ticks in it, shape (n,); each of `hops` holds
    durations in ns, shape (n,), by name. `there` and `back` are off by at most `unsure_ns`,
    by the clock mapping, and may be negative by as much. `left_out` decisions have no place on
    the host's clock.
    """

    rows: NDArray[np.intp]
    hops: Mapping[str, IntArray]
    unsure_ns: int
    left_out: int = 0


def decision_chain(ticks: NDArray[np.void], sensed_ns: IntArray, clock: ClockMap | None) -> Chain:
    """The chain of every tick that commanded a fresh decision.

    `ticks` are consecutive rows of dtype `TICK`, `sensed_ns` (ticks,) is when the host had each
    one's input, `clock` maps the stamps of the terminal.
    """
    if not len(ticks):
        return Chain(np.empty(0, np.intp), {}, 0)
    fresh = (ticks["reason"] == ActionReason.FRESH) & (
        (ticks["flags"] & np.uint32(NO_REACTION)) == 0
    )
    # a question from before this stretch, or none at all (-1), has no tick here
    asked = fresh & (ticks["asked_ns"] >= ticks["woke_ns"][0])
    if not asked.any():
        return _undivided(ticks, sensed_ns, np.flatnonzero(fresh))
    stamped = asked & (ticks["device_received_ns"] >= 0) & (ticks["device_sent_ns"] >= 0)
    rows, left_out = np.flatnonzero(stamped if stamped.any() else asked), 0
    if stamped.any() and clock is not None:
        placed = _placed(_round_trips(ticks, sensed_ns, rows), clock)
        rows, left_out = rows[placed], int((~placed).sum())
    here, source = ticks[rows], _sources(ticks, rows)
    middle, unsure_ns = _terminal(here, clock) if stamped.any() else (_whole(here), 0)
    hops = {
        **_sensing(ticks, sensed_ns, source),
        "ask": here["asked_ns"] - sensed_ns[source],
        **middle,
        "decide": here["infer_ns"] - here["answered_ns"],
        "command": here["act_ns"] - here["infer_ns"],
    }
    return Chain(rows, hops, unsure_ns, left_out)


def _undivided(ticks: NDArray[np.void], sensed_ns: IntArray, rows: NDArray[np.intp]) -> Chain:
    here = ticks[rows]
    hops = {
        **_sensing(ticks, sensed_ns, rows),
        "infer": here["infer_ns"] - sensed_ns[rows],
        "command": here["act_ns"] - here["infer_ns"],
    }
    return Chain(rows, hops, 0)


def _sensing(
    ticks: NDArray[np.void], sensed_ns: IntArray, rows: NDArray[np.intp]
) -> dict[str, IntArray]:
    woke_ns = ticks["woke_ns"][rows]
    return {"wake": woke_ns - ticks["scheduled_ns"][rows], "read": sensed_ns[rows] - woke_ns}


def _whole(here: NDArray[np.void]) -> dict[str, IntArray]:
    return {"terminal": here["answered_ns"] - here["asked_ns"]}


def round_trips(ticks: NDArray[np.void], sensed_ns: IntArray) -> IntArray:
    """The decisions of consecutive ticks as round trips, (n, 4), ns: input with the host,
    question with the terminal, answer about to be sent, answer with the host. The middle two are
    on the terminal's clock. Arguments as for `decision_chain`."""
    if not len(ticks):
        return np.empty((0, 4), np.int64)
    stamped = (ticks["device_received_ns"] >= 0) & (ticks["device_sent_ns"] >= 0)
    stamped &= (ticks["asked_ns"] >= ticks["woke_ns"][0]) & (ticks["answered_ns"] >= 0)
    return _round_trips(ticks, sensed_ns, np.flatnonzero(stamped))


def _round_trips(ticks: NDArray[np.void], sensed_ns: IntArray, rows: NDArray[np.intp]) -> IntArray:
    here = ticks[rows]
    begun_ns = sensed_ns[_sources(ticks, rows)]
    return np.column_stack(
        [begun_ns, here["device_received_ns"], here["device_sent_ns"], here["answered_ns"]]
    )


def _sources(ticks: NDArray[np.void], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """In which tick the question behind each of `rows` was asked."""
    return np.searchsorted(ticks["woke_ns"], ticks["asked_ns"][rows], side="right") - 1


def _placed(trips: IntArray, clock: ClockMap) -> NDArray[np.bool_]:
    """Which round trips the map can place on the host's clock."""
    begun_ns, received_ns, sent_ns, answered_ns = trips.T
    unsure_ns = clock.uncertainty_ns(begun_ns)
    early = clock.to_host_ns(received_ns, begun_ns) - begun_ns < -unsure_ns
    late = answered_ns - clock.to_host_ns(sent_ns, answered_ns) < -unsure_ns
    placed: NDArray[np.bool_] = clock.settled(begun_ns, answered_ns) & ~early & ~late
    return placed


def _terminal(here: NDArray[np.void], clock: ClockMap | None) -> tuple[dict[str, IntArray], int]:
    received_ns = here["device_received_ns"]
    inside = {
        "queue": here["device_start_ns"] - received_ns,
        "compute": here["device_end_ns"] - here["device_start_ns"],
        "reply": here["device_sent_ns"] - here["device_end_ns"],
    }
    outside_ns = here["answered_ns"] - here["asked_ns"] - (here["device_sent_ns"] - received_ns)
    if clock is None:
        return {"there-and-back": outside_ns, **inside}, 0
    there_ns = clock.to_host_ns(received_ns, here["asked_ns"]) - here["asked_ns"]
    unsure_ns = int(clock.uncertainty_ns(here["asked_ns"]).max(initial=0))
    return {"there": there_ns, **inside, "back": outside_ns - there_ns}, unsure_ns
