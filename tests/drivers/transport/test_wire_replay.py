"""A captured session replays against the same driver, and a driver that changed is told where."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_ends import CLOCK, Peer, Script, soon

from drivers.feetech.bus import FeetechBus
from drivers.feetech.codec import Decoder, Packet, encode
from drivers.transport.base import Transport
from drivers.transport.capture import CapturedTransport, WireBuffer
from drivers.transport.faults import FaultyTransport
from drivers.transport.link import open_link
from drivers.transport.replay import Divergence, Replay
from drivers.transport.wire import Capture, Kind, Record, header_line, parse_capture, read_capture
from hil.clock import NS_PER_MS, Clock, Deadline, VirtualClock
from hil.contracts import DeviceSpec
from hil.errors import BadInput, DeadlineMissed, HilError, LinkLost
from rigs.link import Drop

HEADER = header_line("arm", "script", "virtual", 0)


def captured(inner: Transport, clock: Clock, session: Callable[[Transport], object]) -> Capture:
    buffer = WireBuffer(100_000)
    link = CapturedTransport(inner, buffer, clock)
    session(link)
    link.close()
    return parse_capture(HEADER + buffer.take())


class Servos(Script):
    """Servos that answer reads, each 1 ms after the request, except those that are silent."""

    def __init__(self, clock: Clock, silent: tuple[int, ...] = ()) -> None:
        super().__init__(clock)
        self.decoder = Decoder()
        self.silent = silent

    def write(self, data: bytes, deadline: Deadline) -> None:
        super().write(data, deadline)
        for request in self.decoder.feed(data):
            asked = request.params[2:] if request.id == 254 else bytes([request.id])
            for servo in asked:
                if servo not in self.silent:
                    answer = encode(Packet(servo, 0, bytes([servo] * request.params[1])))
                    due_ns = self.clock.now_ns() + NS_PER_MS
                    self.chunks.append((due_ns, answer))


def sync_reads(clock: Clock) -> Callable[[Transport], list[tuple[object, ...]]]:
    """What a driver of six servos does: a few reads and writes, and what came of them."""

    def session(link: Transport) -> list[tuple[object, ...]]:
        bus = FeetechBus(link, clock)
        seen: list[tuple[object, ...]] = []
        for length in (6, 7, 6):
            bus.sync_write(42, {1: bytes(2), 2: bytes(2)}, Deadline.after(clock, NS_PER_MS))
            answer = bus.sync_read([1, 2, 3], 56, length, Deadline.after(clock, 4 * NS_PER_MS))
            seen.append((dict(answer.payloads), answer.lost))
        counters = bus.counters()
        return [*seen, (counters.late_answers, counters.stale_bytes, dict(counters.lost_answers))]

    return session


@pytest.mark.parametrize("silent", [(), (2,), (1, 2, 3)])
@pytest.mark.parametrize("keep_time", [False, True])
def test_a_driver_does_the_same_again(silent: tuple[int, ...], keep_time: bool) -> None:
    clock, then = VirtualClock(), []
    capture = captured(
        Servos(clock, silent), clock, lambda link: then.extend(sync_reads(clock)(link))
    )
    again = VirtualClock()
    replay = Replay(capture, again, keep_time=keep_time)
    assert sync_reads(again)(replay) == then
    replay.finish()
    if keep_time:
        assert again.now_ns() == clock.now_ns()


def test_a_session_with_injected_faults_replays_as_the_driver_saw_it() -> None:
    clock, then = VirtualClock(), []
    faulty = FaultyTransport(
        Servos(clock), [Drop(probability=0.5)], seed=3, origin_ns=0, clock=clock
    )
    capture = captured(faulty, clock, lambda link: then.extend(sync_reads(clock)(link)))
    assert any(lost for _, lost in then[:3])
    again = VirtualClock()
    replay = Replay(capture, again)
    assert sync_reads(again)(replay) == then
    replay.finish()


OPERATIONS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=6).map(lambda data: ("write", data)),
        st.integers(0, 3).map(lambda ms: ("read", ms)),
        st.just(("discard", None)),
    ),
    max_size=25,
)
ARRIVALS = st.lists(st.tuples(st.integers(0, 20), st.binary(min_size=1, max_size=8)), max_size=15)


def _play(link: Transport, clock: VirtualClock, program: list[tuple[str, object]]) -> list[object]:
    seen: list[object] = []
    for name, what in program:
        try:
            if name == "write":
                link.write(what, Deadline.after(clock, NS_PER_MS))  # type: ignore[arg-type]
            elif name == "read":
                seen.append(link.read(Deadline.after(clock, int(what) * NS_PER_MS)))  # type: ignore[call-overload]
            else:
                seen.append(link.discard())
        except LinkLost as error:
            seen.append(error.message)
    return seen


@given(OPERATIONS, ARRIVALS, st.booleans(), st.integers(0, 30))
@settings(max_examples=300)
def test_any_session_replays(
    program: list[tuple[str, object]],
    arrivals: list[tuple[int, bytes]],
    keep_time: bool,
    lost_after: int,
) -> None:
    clock, then = VirtualClock(), []
    script = Script(clock, sorted((ms * NS_PER_MS, data) for ms, data in arrivals))

    def session(link: Transport) -> None:
        then.extend(_play(link, clock, program[:lost_after]))
        script.lost = True
        then.extend(_play(link, clock, program[lost_after:]))

    capture = captured(script, clock, session)
    again = VirtualClock()
    replay = Replay(capture, again, keep_time=keep_time)
    assert _play(replay, again, program) == then
    replay.finish()


def capture_of(*records: tuple[Kind, bytes]) -> Capture:
    return Capture({}, tuple(Record(n, kind, data) for n, (kind, data) in enumerate(records)))


def test_another_byte_is_named_with_its_place() -> None:
    clock = VirtualClock()
    replay = Replay(capture_of((Kind.WRITTEN, b"abcd"), (Kind.WRITTEN, b"efgh")), clock)
    replay.write(b"abcde", Deadline(clock, 0))
    with pytest.raises(Divergence, match=r"at byte 6.*has 67 68 and the driver wrote 58") as caught:
        replay.write(b"fX", Deadline(clock, 0))
    assert (caught.value.offset, caught.value.expected, caught.value.got) == (6, b"gh", b"X")
    # also where the driver caught it
    with pytest.raises(Divergence, match="at byte 6"):
        replay.finish()


def test_more_and_less_than_then_are_divergences() -> None:
    clock = VirtualClock()
    more = Replay(capture_of((Kind.WRITTEN, b"ab"), (Kind.END, b"")), clock)
    with pytest.raises(Divergence, match=r"byte 2.*capture has nothing"):
        more.write(b"abc", Deadline(clock, 0))
    less = Replay(
        capture_of((Kind.WRITTEN, b"ab"), (Kind.READ, b"r"), (Kind.WRITTEN, b"cd")), clock
    )
    less.write(b"ab", Deadline(clock, 0))
    with pytest.raises(Divergence, match=r"byte 2.*has 63 64 and the driver wrote nothing"):
        less.finish()


def test_order_matters_and_cutting_into_calls_does_not() -> None:
    clock = VirtualClock()
    records = [(Kind.WRITTEN, b"ab"), (Kind.READ, b"r"), (Kind.WRITTEN, b"cd")]
    replay = Replay(capture_of(*records), clock)
    for byte in b"abcd":
        replay.write(bytes([byte]), Deadline(clock, 0))
    assert replay.read(Deadline(clock, 0)) == b"r", "it was there before the second write"
    with pytest.raises(Divergence, match="byte 0"):
        Replay(capture_of(*records), clock).write(b"cd", Deadline(clock, 0))


def test_failures_of_then_happen_again() -> None:
    clock = VirtualClock()
    replay = Replay(
        capture_of(
            (Kind.WRITTEN, b"ab"),
            (Kind.WRITE_LATE, b"took 1 of 2 bytes"),
            (Kind.WRITTEN, b"cd"),
            (Kind.READ_LOST, b"the port is gone"),
            (Kind.WRITTEN, b"ef"),
            (Kind.WRITE_LOST, b"the port is gone"),
        ),
        clock,
    )
    with pytest.raises(DeadlineMissed, match="took 1 of 2"):
        replay.write(b"ab", Deadline(clock, 0))
    replay.write(b"cd", Deadline(clock, 0))
    with pytest.raises(LinkLost, match="the port is gone"):
        replay.read(Deadline(clock, 0))
    with pytest.raises(LinkLost):
        replay.write(b"ef", Deadline(clock, 0))


def test_silence_lasts_to_the_deadline_and_the_end_is_silent() -> None:
    clock = VirtualClock()
    replay = Replay(capture_of((Kind.SILENCE, b""), (Kind.READ, b"r")), clock)
    assert replay.read(Deadline(clock, 5)) == b""
    assert clock.now_ns() == 5
    assert replay.read(Deadline(clock, 6)) == b"r"
    assert replay.read(Deadline(clock, 9)) == b""
    assert clock.now_ns() == 9
    replay.close()
    for use in (lambda: replay.read(soon()), lambda: replay.write(b"x", soon()), replay.discard):
        with pytest.raises(LinkLost, match="closed"):
            use()


def test_a_capture_with_a_gap_is_refused() -> None:
    with pytest.raises(BadInput, match="gap at 0 ns"):
        Replay(capture_of((Kind.GAP, bytes(16))), VirtualClock())


def test_a_session_on_a_real_port_replays_through_the_one_door(tmp_path: Path) -> None:
    """From `capture` in a rig file to `replay:` in another: the driver does not notice."""
    peer, served = Peer(), threading.Event()

    def serve() -> None:
        decoder, answered = Decoder(), 0
        while answered < 3:
            for request in decoder.feed(os.read(peer.fd, 100)):
                if request.id == 254 and request.code == 0x82:
                    for servo in request.params[2:]:
                        data = bytes([servo] * request.params[1])
                        os.write(peer.fd, encode(Packet(servo, 0, data)))
                    answered += 1
        served.set()

    thread = threading.Thread(target=serve)
    thread.start()

    def session(address: str, clock: Clock, link: dict[str, object]) -> list[tuple[object, ...]]:
        spec = DeviceSpec("arm", "feetech-arm", address, {}, tmp_path, link)
        opened = open_link(spec, 1_000_000, clock)
        bus = FeetechBus(opened, clock)
        seen = []
        for length in (6, 7, 6):
            answer = bus.sync_read([1, 2, 3], 56, length, Deadline.after(clock, 5 * 10**9))
            seen.append((dict(answer.payloads), answer.lost))
        bus.close()
        if isinstance(opened.port, Replay):
            opened.port.finish()
        return seen

    then = session(peer.path, CLOCK, {"capture": "arm.wire"})
    thread.join(10)
    peer.unplug()
    assert [lost for _, lost in then] == [()] * 3
    capture = read_capture(tmp_path / "arm.wire")
    assert capture.complete
    assert capture.header["role"] == "arm"
    assert str(capture.header["link"]).startswith(peer.path)
    stamps = [record.stamp_ns for record in capture.records]
    assert stamps == sorted(stamps)
    for clock in (CLOCK, VirtualClock()):
        for timing in ("none", "captured"):
            assert session(f"replay:arm.wire?timing={timing}", clock, {}) == then


def test_a_changed_driver_is_told_through_the_one_door(tmp_path: Path) -> None:
    clock = VirtualClock()
    path = tmp_path / "arm.wire"
    head = header_line("arm", "script", "virtual", 0)
    buffer = WireBuffer(1000)
    buffer.put(Kind.WRITTEN, 0, b"\xff\xff\xfe\x04\x82")
    path.write_bytes(head + buffer.take())
    link = open_link(DeviceSpec("arm", "d", "replay:arm.wire", {}, tmp_path), 9600, clock)
    with pytest.raises(HilError, match=f"replay of {path}: at byte 4"):
        link.write(b"\xff\xff\xfe\x04\x83", Deadline(clock, 0))
    assert "no device behind it" in link.untimed
    assert link.description.startswith("replay of")
