"""What any bus does with a line that misbehaves; by hand, without a terminal."""

from __future__ import annotations

from collections import deque

import pytest

from drivers.dynamixel import instructions as ins
from drivers.dynamixel.bus import DynamixelBus
from drivers.dynamixel.codec2 import ALERT, STATUS, ErrorCode, Packet, encode, encode_fast
from drivers.servo.bus1 import Frame1Bus
from drivers.servo.frame1 import Packet as Packet1
from drivers.servo.frame1 import encode as encode1
from hil.clock import NS_PER_MS, Deadline, VirtualClock
from hil.errors import DeadlineMissed, DeviceFault, LinkLost


class Line:
    """A line whose input is written down beforehand; waiting takes no real time.

    Every entry of `script` is what the line gives after one write, in pieces; b"" within it is
    a pause until the deadline. With `flood` there is always more.
    """

    description = "script"
    low_latency = False
    untimed = ""

    def __init__(self, clock: VirtualClock, *script: list[bytes], flood: bytes = b"") -> None:
        self._clock = clock
        self._script = deque(script)
        self._ready: deque[bytes] = deque()
        self._flood = flood
        self.written: list[bytes] = []

    def write(self, data: bytes, deadline: Deadline) -> None:
        self.written.append(data)
        if self._script:
            self._ready = deque(self._script.popleft())

    def read(self, deadline: Deadline) -> bytes:
        self._clock.advance(1000)
        if deadline.at_ns == 0:  # a look at what is pending
            return b""
        if self._ready and self._ready[0]:
            return self._ready.popleft()
        if self._flood:
            self._clock.advance(NS_PER_MS)
            return self._flood
        if self._ready:
            self._ready.popleft()
        self._clock.sleep_until(deadline.at_ns)
        return b""

    def discard(self) -> int:
        return 0

    def close(self) -> None:
        return None


@pytest.fixture
def clock() -> VirtualClock:
    clock = VirtualClock()
    clock.advance(NS_PER_MS)
    return clock


def status(servo: int, data: bytes = b"\1\2\3\4", error: int = 0) -> bytes:
    return encode(Packet(servo, STATUS, data, error))


def soon(clock: VirtualClock) -> Deadline:
    return Deadline.after(clock, 20 * NS_PER_MS)


@pytest.mark.parametrize("cut", range(1, 45))
def test_answers_cut_anywhere_are_put_together(clock: VirtualClock, cut: int) -> None:
    stream = status(1) + status(2) + status(3)
    bus = DynamixelBus(Line(clock, [stream[:cut], stream[cut:]]), clock)
    answer = bus.sync_read([1, 2, 3], 132, 4, soon(clock))
    assert answer.lost == ()
    assert list(answer.payloads) == [1, 2, 3]


def test_flood_ends_with_the_deadline(clock: VirtualClock) -> None:
    for read in ("sync_read", "fast_sync_read"):
        bus = DynamixelBus(Line(clock, [], flood=b"\xff\xff\xfd\0\x01\x02"), clock)
        deadline = soon(clock)
        answer = getattr(bus, read)([1, 2], 132, 4, deadline)
        assert answer.lost == (1, 2)
        assert clock.now_ns() < deadline.at_ns + 3 * NS_PER_MS
    old = Frame1Bus(Line(clock, [], flood=b"\xff\xff\x01\x02"), clock)
    assert old.sync_read([1], 56, 2, soon(clock)).lost == (1,)
    assert old.present(soon(clock)) == []


def test_echo_of_the_host_is_not_an_answer(clock: VirtualClock) -> None:
    request = encode(ins.sync_read([1], 132, 4))
    bus = DynamixelBus(Line(clock, [request + status(1)]), clock)
    assert bus.sync_read([1], 132, 4, soon(clock)).lost == ()
    assert bus.faults()["echoes"] == 1


def test_refusal_is_an_answer_without_data(clock: VirtualClock) -> None:
    refused = status(2, b"", ErrorCode.ACCESS)
    bus = DynamixelBus(Line(clock, [status(1) + refused + status(3)]), clock)
    deadline = soon(clock)
    answer = bus.sync_read([1, 2, 3], 132, 4, deadline)
    assert clock.now_ns() < deadline.at_ns, "nobody is waited for"
    assert answer.lost == (2,)
    assert answer.errors[2] == ErrorCode.ACCESS
    assert (bus.faults()["refusals"], bus.lost(2)) == (1, 0)


def test_refused_read_says_why(clock: VirtualClock) -> None:
    line = Line(clock, [status(2, b"", ErrorCode.ACCESS | ALERT)], [])
    bus = DynamixelBus(line, clock)
    with pytest.raises(DeviceFault, match="access error and an alert"):
        bus.read(2, 132, 4, soon(clock))
    with pytest.raises(DeadlineMissed, match="servo 2"):
        bus.read(2, 132, 4, soon(clock))


def test_answer_out_of_turn_unmasks_the_one_before(clock: VirtualClock) -> None:
    stream = status(2, b"old!") + status(1) + status(2, b"new!")
    bus = DynamixelBus(Line(clock, [stream]), clock)
    assert bus.sync_read([1, 2], 132, 4, soon(clock)).payloads[2] == b"new!"
    assert bus.faults()["late_answers"] == 1


def test_fast_read_falls_back_and_returns(clock: VirtualClock) -> None:
    whole = encode_fast([(1, 0, b"abcd"), (2, 0, b"efgh")])
    line = Line(clock, [whole], [whole[:16]], [status(1), status(2)], [whole])
    bus = DynamixelBus(line, clock)
    bus.fast = True
    found = [bus.read_all([1, 2], 132, 4, soon(clock)).lost for _ in range(4)]
    assert found == [(), (2,), (), ()]
    codes = [frame[7] for frame in line.written]
    assert codes == [0x8A, 0x8A, 0x82, 0x8A]
    assert bus.faults()["plain_instead"] == 1
    assert bus.faults()["broken_fast_reads"] == 1


def test_longest_pause_is_told_once(clock: VirtualClock) -> None:
    bus = DynamixelBus(Line(clock, [status(1)], [status(1)]), clock)
    bus.sync_read([1], 132, 4, soon(clock))
    clock.advance(70 * NS_PER_MS)
    bus.sync_read([1], 132, 4, soon(clock))
    assert 70 * NS_PER_MS <= bus.longest_pause_ns() < 71 * NS_PER_MS
    assert bus.longest_pause_ns() < NS_PER_MS


def test_reads_one_by_one_share_the_time(clock: VirtualClock) -> None:
    answers = [encode1(Packet1(servo, 0, b"\1\2")) for servo in (1, 3)]
    line = Line(clock, [answers[0]], [], [answers[1]])
    bus = Frame1Bus(line, clock, sync_read=False)
    deadline = soon(clock)
    answer = bus.read_all([1, 2, 3], 56, 2, deadline)
    assert answer.lost == (2,)
    assert list(answer.payloads) == [1, 3]
    assert clock.now_ns() < deadline.at_ns - 5 * NS_PER_MS


def test_servos_that_would_speak_at_once_are_asked_one_by_one(clock: VirtualClock) -> None:
    answers = [[], [encode1(Packet1(1, 0))], [encode1(Packet1(2, 1))]]
    line = Line(clock, *answers)
    bus = Frame1Bus(line, clock, ping_all=False)
    deadline = Deadline.after(clock, 21 * NS_PER_MS)
    assert bus.present(deadline) == [1, 2], "as far as the time goes"
    assert clock.now_ns() <= deadline.at_ns + NS_PER_MS
    assert [frame[2] for frame in line.written] == [0, 1, 2, 3, 4, 5, 6]
    assert all(frame[4] == 1 for frame in line.written)


def test_ping_each_gives_every_servo_its_time_and_takes_no_other_for_it(
    clock: VirtualClock,
) -> None:
    line = Line(clock, [encode1(Packet1(9, 0))], [], [encode1(Packet1(5, 0))])
    bus = Frame1Bus(line, clock)
    began_ns = clock.now_ns()
    assert bus.ping_each((3, 4, 5), Deadline.after(clock, 60 * NS_PER_MS), 10 * NS_PER_MS) == [5]
    assert 20 * NS_PER_MS <= clock.now_ns() - began_ns < 22 * NS_PER_MS
    assert bus.faults()["wrong_id"] == 1


def test_frames_of_a_tick_are_built_once(clock: VirtualClock) -> None:
    bus = DynamixelBus(Line(clock, *([[status(1)]] * 40)), clock)
    for length in range(40):
        bus.sync_read([1], 132, length, soon(clock))
    assert len(bus._plans) <= 16


class Torn(Line):
    """A line that is unplugged once its script has been read."""

    def read(self, deadline: Deadline) -> bytes:
        if deadline.at_ns and not self._ready and self.written:
            raise LinkLost("unplugged")
        return super().read(deadline)


@pytest.mark.parametrize("fast", [True, False])
def test_unplugged_after_any_byte_is_a_lost_link(clock: VirtualClock, fast: bool) -> None:
    whole = encode_fast([(1, 0, b"abcd"), (2, 0, b"efgh")]) if fast else status(1) + status(2)
    for cut in range(len(whole)):
        bus = DynamixelBus(Torn(clock, [whole[:cut]] if cut else []), clock)
        bus.fast = fast
        with pytest.raises(LinkLost):
            bus.read_all([1, 2], 132, 4, soon(clock))
    bus = DynamixelBus(Torn(clock, [whole]), clock)
    bus.fast = fast
    assert bus.read_all([1, 2], 132, 4, soon(clock)).lost == ()


def test_unplugged_after_any_byte_under_protocol_1(clock: VirtualClock) -> None:
    whole = b"".join(encode1(Packet1(servo, 0, b"\1\2")) for servo in (1, 2))
    for cut in range(len(whole)):
        bus = Frame1Bus(Torn(clock, [whole[:cut]] if cut else []), clock)
        with pytest.raises(LinkLost):
            bus.sync_read([1, 2], 56, 2, soon(clock))


class Counting(Line):
    """Counts how often somebody looks at what is pending."""

    looks = 0

    def read(self, deadline: Deadline) -> bytes:
        self.looks += deadline.at_ns == 0
        return super().read(deadline)


def test_whole_answers_leave_nothing_to_drop(clock: VirtualClock) -> None:
    """Repetitions of the last answers have the wrong length for the next request."""
    first = status(1) + status(2)
    second = status(1, b"\5\6\7\x08\x09") + status(2, b"\5\6\7\x08\x0a")
    line = Counting(clock, [first], [first + second], [second])
    bus = DynamixelBus(line, clock)
    assert bus.sync_read([1, 2], 132, 4, soon(clock)).lost == ()
    assert line.looks == 1
    answer = bus.sync_read([1, 2], 132, 5, soon(clock))
    assert line.looks == 1, "another length: nobody looks"
    assert answer.payloads == {1: b"\5\6\7\x08\x09", 2: b"\5\6\7\x08\x0a"}
    assert bus.faults()["wrong_length"] == 2
    bus.sync_read([1, 2], 132, 5, soon(clock))
    assert line.looks == 2, "what came was not the usual"


@pytest.mark.parametrize("then", ["read", "write"])
def test_equal_requests_and_writes_look_first(clock: VirtualClock, then: str) -> None:
    line = Counting(clock, [status(1)], [status(1)])
    bus = DynamixelBus(line, clock)
    bus.sync_read([1], 132, 4, soon(clock))
    if then == "read":
        bus.sync_read([1], 132, 4, soon(clock))
    else:
        bus.sync_write(116, {1: b"abcd"}, soon(clock))
    assert line.looks == 2
