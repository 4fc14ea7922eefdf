"""Making a hand safe: every finger told to stay where it is, and seen to stand still.

The hand has no register that switches its drives off. What it offers is a new target: the
fingers' own positions, which stops them on their way and lets go of nothing, since their drives
do not run back by themselves. So the positions are read first; where the hand does not say
them, those of the last read are used, if they are young. A hand that obeys neither stays
unproved. Since its drives stay energised, what keeps it safe afterwards is that no new target is
sent: the driver refuses commands until it is enabled again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.modbus.hand_link import HandLink
from drivers.modbus.hand_table import HandTable
from drivers.proof import reached
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import SafeProof, Scalar
from hil.errors import DeadlineMissed, DeviceFault

_ROUNDS = 6
_STILL_COUNTS = 5
"""Between two looks at a finger that stands still; its sensor's noise is smaller."""

_REFRESHES = 1.5
"""Time between two looks, in periods after which the hand publishes new values."""

Counts = Sequence[int]


@dataclass(slots=True)
class _Seen:
    """What was read back last; None where nothing was."""

    position: Counts | None = None
    target: Counts | None = None
    still: bool = False


def prove_held(
    role: str,
    link: HandLink | None,
    table: HandTable,
    known: Counts | None,
    clock: Clock,
    deadline: Deadline,
) -> SafeProof:
    """Hold the fingers where they are, and the proof; without a link, or with a lost one, it
    says so. `known` are their positions as last read, where those are young."""
    started_ns = clock.now_ns()
    seen = _Seen()
    _, state = reached(link, lambda open_: _hold(open_, table, known, clock, deadline, seen))
    state = state or ("holds where it is" if seen.still else "not proved still")
    readings = _readings(table, seen)
    return SafeProof(role, seen.still, state, readings, started_ns, clock.now_ns())


def _hold(
    link: HandLink,
    table: HandTable,
    known: Counts | None,
    clock: Clock,
    deadline: Deadline,
    seen: _Seen,
) -> None:
    """A bounded number of rounds; the first leaves even where the deadline has passed.

    Errors: LinkLost.
    """
    apart_ns = round(table.refresh_ms * _REFRESHES * NS_PER_MS)
    for attempt in range(_ROUNDS):
        if seen.still or (attempt and deadline.expired):
            return
        position = _read(link, table, table.registers.angle_act, deadline, urgent=attempt == 0)
        seen.position = position or seen.position
        target = position or seen.position or known
        if target is None:
            continue
        goal = [min(max(count, 0), table.full) for count in target]
        _write(link, table, goal, deadline)
        seen.target = _read(link, table, table.registers.angle_set, deadline)
        clock.sleep_until(min(deadline.at_ns, clock.now_ns() + apart_ns))
        after = _read(link, table, table.registers.angle_act, deadline)
        if position is not None and after is not None:
            moved = max(abs(a - b) for a, b in zip(position, after, strict=True))
            seen.still = moved <= _STILL_COUNTS and seen.target == tuple(goal)
            seen.position = after


def _read(
    link: HandLink, table: HandTable, address: int, deadline: Deadline, *, urgent: bool = False
) -> tuple[int, ...] | None:
    try:
        return link.read_shorts(address, len(table.fingers), deadline, urgent=urgent)
    except (DeadlineMissed, DeviceFault):
        return None  # counted by the bus


def _write(link: HandLink, table: HandTable, goal: Counts, deadline: Deadline) -> None:
    try:
        link.write_shorts(table.registers.angle_set, goal, deadline, urgent=True)
    except (DeadlineMissed, DeviceFault):
        return  # counted by the bus; the read-back will tell


def _readings(table: HandTable, seen: _Seen) -> dict[str, Scalar]:
    readings: dict[str, Scalar] = {}
    for name, counts in (("position", seen.position), ("target", seen.target)):
        for place, finger in enumerate(table.names):
            readings[f"{name}.{finger}"] = "no answer" if counts is None else counts[place]
    return readings
