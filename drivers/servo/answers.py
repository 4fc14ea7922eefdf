"""The answers to one request: who answered what and when, who did not, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Answer(Protocol):
    """What a bus needs of a status packet, whatever its protocol."""

    @property
    def id(self) -> int: ...

    @property
    def error(self) -> int: ...

    @property
    def params(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SyncRead:
    """Answers to one read of several servos, by servo id.

    `errors` has the error bytes that are not 0. A servo whose data are missing is in `lost` and
    not in `payloads`; where it answered without them, refusing, it is in `errors`. `stamps` say
    when the host had the answer, in ns; the value itself is older by the time on the wire.
    """

    payloads: Mapping[int, bytes]
    errors: Mapping[int, int]
    stamps: Mapping[int, int]
    lost: tuple[int, ...]


@dataclass(slots=True)
class BusCounters:
    """Faults of one bus since it was made.

    `late_answers` are whole answers that came after their request had been given up;
    `stale_bytes` all bytes pending before a request; `wrong_id` answers from servos not
    asked; `wrong_length` answers of a servo asked, with another payload length;
    `error_answers` those whose error byte was not 0.
    """

    requests: int = 0
    late_answers: int = 0
    stale_bytes: int = 0
    wrong_id: int = 0
    wrong_length: int = 0
    error_answers: int = 0
    lost_answers: dict[int, int] = field(default_factory=dict)


class Answers:
    """Collects the answers to one request of `length` bytes from each of `servos`.

    Servos answer in the order asked, so an answer out of order shows that earlier ones were
    late for an older request.
    """

    def __init__(self, servos: Sequence[int], length: int, counters: BusCounters) -> None:
        self._order = {servo: place for place, servo in enumerate(servos)}
        self._length = length
        self._counters = counters
        self._last = -1
        self._answered: set[int] = set()
        self._payloads: dict[int, bytes] = {}
        self._errors: dict[int, int] = {}
        self._stamps: dict[int, int] = {}

    @property
    def complete(self) -> bool:
        """Whether every servo has answered, if only to refuse."""
        return len(self._answered) == len(self._order)

    def take(self, answer: Answer, received_ns: int) -> None:
        """Sort one packet in; what does not belong here is counted and dropped."""
        servo, payload, error = answer.id, answer.params, answer.error
        place = self._order.get(servo)
        if place is None:
            self._counters.wrong_id += 1
            return
        # an instruction that a servo refuses is answered without data
        if len(payload) != self._length and (payload or not error):
            self._counters.wrong_length += 1
            return
        if place <= self._last:
            self._unmask_late(place)
        self._last = place
        self._answered.add(servo)
        if error:
            self._errors[servo] = error
            self._counters.error_answers += 1
            if len(payload) != self._length:
                return
        self._payloads[servo] = payload
        self._stamps[servo] = received_ns

    def _unmask_late(self, place: int) -> None:
        """What came before its turn was late for an earlier request."""
        late = [servo for servo in self._answered if self._order[servo] >= place]
        self._answered.difference_update(late)
        for servo in late:
            for kept in (self._payloads, self._errors, self._stamps):
                kept.pop(servo, None)
        self._counters.late_answers += len(late)

    def result(self) -> SyncRead:
        """What there is; servos without any answer are counted as lost."""
        lost: tuple[int, ...] = ()
        if len(self._payloads) < len(self._order):
            lost = tuple(servo for servo in self._order if servo not in self._payloads)
            counts = self._counters.lost_answers
            for servo in lost:
                counts[servo] = counts.get(servo, 0) + (servo not in self._answered)
        return SyncRead(self._payloads, self._errors, self._stamps, lost)
