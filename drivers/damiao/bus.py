"""Damiao motors on one CAN bus: requests out, answers in, each within its deadline.

Answers bear no numbers: `drivers.damiao.ledger` says how they are told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.can.bus import BusSettings, CanBus
from drivers.can.frames import CanFrame, Received
from drivers.damiao.codec import (
    LENGTH,
    REGISTER_ID,
    Operation,
    RegisterMessage,
    Special,
    decode_register,
    encode_register,
    encode_special,
)
from drivers.damiao.ledger import Heard, Ledger
from hil.clock import NS_PER_S, Clock, Deadline
from hil.contracts import Finding

REGISTER_MAX = 81
"""Highest number of a register. As a state's velocity, 127 and 128 are a motor that stands."""

_PASSES = 16
"""Bound of taking what is pending: a bus in full spate must not hold us."""

_FRAME_BITS = 135
"""A classic frame of 8 bytes with every stuff bit it can have, and the pause behind it."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a motor listens to, and what it answers with."""

    id: int
    master_id: int


@dataclass(slots=True)
class MotorCounters:
    """Faults since the bus was made. `unowed_answers`: nobody had asked; `late_answers`: came
    after they were given up, or about a register that nobody asks for now; `wrong_id`: with the
    master id of a motor, from another motor; `foreign_frames`: with an id that is none of ours.
    """

    requests: int = 0
    unowed_answers: int = 0
    late_answers: int = 0
    wrong_id: int = 0
    wrong_length: int = 0
    foreign_frames: int = 0
    lost_answers: dict[int, int] = field(default_factory=dict)


class MotorBus:
    """Master of the motors on one bus. Owns the CAN bus; not for use from two threads."""

    def __init__(
        self,
        can: CanBus,
        motors: Sequence[Address],
        settings: BusSettings,
        answer_ns: int,
        clock: Clock,
    ) -> None:
        self._can = can
        self._clock = clock
        self._answer_ns = answer_ns
        self._fd = settings.data_bit_rate is not None
        self._frame_ns = _FRAME_BITS * NS_PER_S // settings.bit_rate
        self._by_sender = {(motor.master_id, motor.id & 0xF): motor.id for motor in motors}
        self._masters = {motor.master_id for motor in motors}
        self._ledgers = {motor.id: Ledger() for motor in motors}
        self._heard: dict[int, Heard] = {}
        self._called: set[int] = set()
        self._wanted: set[RegisterMessage] = set()
        self._registers: dict[int, bytes] = {}
        self._counters = MotorCounters()

    @property
    def description(self) -> str:
        """Where the bus is."""
        return self._can.description

    @property
    def adapter(self) -> str:
        """What the adapter says of itself."""
        return self._can.adapter

    def newest(self, motor: int) -> Heard | None:
        """The last answer of a motor about its state, however old; None before the first."""
        return self._heard.get(motor)

    def refresh(self, motors: Sequence[int], deadline: Deadline) -> dict[int, Heard]:
        """Ask motors for their state; it changes nothing in them.

        Returns as soon as all have answered, or at the deadline or the answer time-out with
        those that have. Errors: LinkLost, DeadlineMissed (the line takes no bytes).
        """
        self.settle(deadline)
        messages = self._marks(motors)
        asked_ns = self._clock.now_ns()
        for motor in motors:
            self._ledgers[motor].owe(asked_ns)
        messages += [RegisterMessage(motor, Operation.REFRESH) for motor in motors]
        self._send([(REGISTER_ID, encode_register(message)) for message in messages], deadline)
        limit = deadline.sooner(self._round_ns(len(messages)))
        self._collect(lambda: all(self._since(motor, asked_ns) for motor in motors), limit)
        for motor in motors:
            self._ledgers[motor].silent = not self._since(motor, asked_ns)
        return {motor: self._heard[motor] for motor in motors if self._since(motor, asked_ns)}

    def command(self, payloads: Mapping[int, bytes], deadline: Deadline) -> None:
        """Send each motor a payload under its own id; their answers are taken up later.

        Errors: LinkLost, DeadlineMissed.
        """
        self._collect(lambda: False, Deadline.after(self._clock, 0))
        self._owe(payloads)
        self._send(list(payloads.items()), deadline)

    def special(self, motors: Sequence[int], what: Special, deadline: Deadline) -> None:
        """Send motors a command without arguments, at once. Errors: LinkLost, DeadlineMissed."""
        self._owe(motors)
        self._send([(motor, encode_special(what)) for motor in motors], deadline)

    def read_register(
        self, register: int, motors: Sequence[int], deadline: Deadline
    ) -> dict[int, bytes]:
        """One register of several motors, four bytes each; silent ones are left out.

        Errors: LinkLost, DeadlineMissed (the line takes no bytes).
        """
        messages = [RegisterMessage(motor, Operation.READ, register) for motor in motors]
        return self._about_register(messages, deadline)

    def write_register(
        self, register: int, values: Mapping[int, bytes], deadline: Deadline
    ) -> dict[int, bytes]:
        """Write a register of several motors; it is lost without power. Returns what each says
        that it holds now; silent ones are left out. Errors: LinkLost, DeadlineMissed."""
        messages = [
            RegisterMessage(motor, Operation.WRITE, register, value)
            for motor, value in values.items()
        ]
        return self._about_register(messages, deadline)

    def look_around(self, motors: Sequence[int], deadline: Deadline) -> list[tuple[int, int]]:
        """Who else answers: (id, master id) of those among `motors`, by the lower half of their
        ids. It takes the whole time. Errors: LinkLost, DeadlineMissed."""
        self.settle(deadline)
        messages = [RegisterMessage(motor, Operation.REFRESH) for motor in motors]
        self._send([(REGISTER_ID, encode_register(message)) for message in messages], deadline)
        found: set[tuple[int, int]] = set()
        while not deadline.expired:
            frames = [received.frame for received in self._can.receive(deadline)]
            found |= {(f.data[0] & 0xF, f.id) for f in frames if len(f.data) == LENGTH}
        return sorted(found)

    def settle(self, deadline: Deadline) -> None:
        """Take what has come, wait for what is owed, and give the rest up."""
        self._collect(lambda: False, Deadline.after(self._clock, 0))
        limit = deadline.sooner(deadline.remaining_ns() // 2)
        while (quiet_ns := self._quiet_ns()) is not None and not limit.expired:
            if self._clock.now_ns() >= quiet_ns:
                break
            soonest = Deadline(self._clock, min(limit.at_ns, quiet_ns))
            self._collect(lambda: self._quiet_ns() is None, soonest)
        for motor, ledger in self._ledgers.items():
            self._count_lost(motor, ledger.give_up())

    def drain(self, quiet_ns: int, deadline: Deadline) -> None:
        """Take up what comes until nothing has come for `quiet_ns`. Errors: LinkLost."""
        while not deadline.expired:
            received = self._can.receive(deadline.sooner(quiet_ns))
            if not received:
                break
            for one in received:
                self._take(one)

    def restart(self, deadline: Deadline) -> None:
        """Bring the adapter's channel up again. Errors: RigError, DeadlineMissed, LinkLost."""
        self._can.restart(deadline)

    def findings(self, deadline: Deadline) -> Sequence[Finding]:
        """What the adapter says of the bus. Errors: LinkLost, DeadlineMissed."""
        return self._can.findings(deadline)

    def counters(self) -> MotorCounters:
        """Live counters of the motors' side."""
        return self._counters

    def can_counters(self) -> Mapping[str, int]:
        """Counters of the way to the bus."""
        return self._can.counters()

    def close(self) -> None:
        """Release the CAN bus; never raises."""
        self._can.close()

    def _about_register(
        self, messages: Sequence[RegisterMessage], deadline: Deadline
    ) -> dict[int, bytes]:
        self.settle(deadline)
        self._registers = {}
        self._wanted = {_question(message) for message in messages}
        self._called |= {message.register for message in messages}
        self._send([(REGISTER_ID, encode_register(message)) for message in messages], deadline)
        limit = deadline.sooner(self._round_ns(len(messages)))
        wanted = {message.motor for message in messages}
        self._collect(lambda: wanted <= self._registers.keys(), limit)
        found, self._registers, self._wanted = self._registers, {}, set()
        for motor in wanted - found.keys():
            self._count_lost(motor, 1)
        return found

    def _count_lost(self, motor: int, count: int) -> None:
        if count:
            lost = self._counters.lost_answers
            lost[motor] = lost.get(motor, 0) + count

    def _owe(self, motors: Iterable[int]) -> None:
        now_ns = self._clock.now_ns()
        for motor in motors:
            self._ledgers[motor].owe(now_ns)

    def _marks(self, motors: Sequence[int]) -> list[RegisterMessage]:
        """Questions that end the doubts of those motors that have any."""
        questions: list[RegisterMessage] = []
        for motor in motors:
            ledger = self._ledgers[motor]
            if ledger.doubtful:
                register = ledger.next_mark(but=self._called)
                question = RegisterMessage(motor, Operation.READ, register)
                ledger.set_mark(question, self._clock.now_ns())
                questions.append(question)
        return questions

    def _send(self, frames: Sequence[tuple[int, bytes]], deadline: Deadline) -> None:
        self._counters.requests += len(frames)
        self._can.send(
            [CanFrame(to, data, fd=self._fd, bit_rate_switch=self._fd) for to, data in frames],
            deadline,
        )

    def _round_ns(self, count: int) -> int:
        """Time for `count` requests and their answers on the bus, and the grace on top."""
        return 2 * count * self._frame_ns + self._answer_ns

    def _since(self, motor: int, asked_ns: int) -> bool:
        heard = self._heard.get(motor)
        return heard is not None and heard.asked_ns >= asked_ns

    def _quiet_ns(self) -> int | None:
        """When the last answer that is worth waiting for is late; None where there is none."""
        awaited = [ledger for ledger in self._ledgers.values() if ledger.owed and not ledger.silent]
        count = sum(len(ledger.owed) for ledger in awaited)
        last_ns = max((ledger.owed[-1] for ledger in awaited), default=None)
        return None if last_ns is None else last_ns + self._round_ns(count)

    def _collect(self, done: Callable[[], bool], deadline: Deadline) -> None:
        passes = 0
        while not done():
            frames = self._can.receive(deadline)
            for received in frames:
                self._take(received)
            passes += 1
            if not frames or (deadline.expired and passes >= _PASSES):
                break

    def _take(self, received: Received) -> None:
        frame = received.frame
        if frame.extended or frame.remote_length is not None or frame.id not in self._masters:
            self._counters.foreign_frames += 1
        elif len(frame.data) != LENGTH:
            self._counters.wrong_length += 1
        else:
            motor = self._by_sender.get((frame.id, frame.data[0] & 0xF))
            if motor is None:
                self._counters.wrong_id += 1
            elif not self._take_register(motor, frame.data):
                self._take_state(motor, received)

    def _take_register(self, motor: int, payload: bytes) -> bool:
        """Whether it was an answer about a register, asked for or not: one that comes late or a
        second time, or to a host before this one, must not pass for a state at the end of the
        scale. A state of the same bytes stands on one step there and turns backwards at more
        than a third of the top speed; it is given up for that."""
        message = decode_register(payload)
        if message is None or message.motor != motor or message.register > REGISTER_MAX:
            return False
        question = _question(message)
        marked = question == self._ledgers[motor].mark
        if marked:
            self._count_lost(motor, self._ledgers[motor].clear())
        if question in self._wanted:
            self._wanted.remove(question)
            self._registers[motor] = message.value
        elif not marked:
            self._counters.late_answers += 1
        return True

    def _take_state(self, motor: int, received: Received) -> None:
        ledger = self._ledgers[motor]
        if ledger.mark is not None:
            self._counters.late_answers += 1
            return
        heard = ledger.pay(received.frame.data, received.stamp_ns)
        if heard is None:
            self._counters.unowed_answers += 1
        else:
            self._heard[motor] = heard


def _question(message: RegisterMessage) -> RegisterMessage:
    """What request and answer have in common."""
    return RegisterMessage(message.motor, message.operation, message.register)
