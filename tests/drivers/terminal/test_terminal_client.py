"""The host's side alone, on a transport whose answers the test writes."""

from __future__ import annotations

from collections import deque

import pytest

from drivers.terminal import messages
from drivers.terminal.client import Client
from drivers.terminal.codec import Decoder, encode
from hil.clock import Deadline, VirtualClock
from hil.errors import BadInput, DeadlineMissed, ProtocolError


class ScriptedTransport:
    """Keeps what is written; hands out what the test queued. Nothing queued: time is up."""

    description = "scripted"

    def __init__(self) -> None:
        self.written = bytearray()
        self.answers: deque[bytes] = deque()
        self.room: int | None = None

    def write(self, data: bytes, deadline: Deadline) -> None:
        taken = data if self.room is None else data[: self.room]
        self.written += taken
        if len(taken) < len(data):
            raise DeadlineMissed("scripted: full")

    def read(self, deadline: Deadline) -> bytes:
        return self.answers.popleft() if self.answers else b""

    def discard(self) -> int:
        dropped = sum(map(len, self.answers))
        self.answers.clear()
        return dropped

    def close(self) -> None:
        self.answers.clear()


@pytest.fixture
def line() -> ScriptedTransport:
    return ScriptedTransport()


@pytest.fixture
def soon() -> Deadline:
    return Deadline.after_s(VirtualClock(), 1)


def _pong(seq: int) -> bytes:
    return encode(messages.Pong(seq=seq, received_ns=1, sent_ns=2).map())


def test_a_late_answer_is_dropped_and_counted(line: ScriptedTransport, soon: Deadline) -> None:
    client = Client(line)
    first = messages.Ping(seq=client.next_seq())
    with pytest.raises(DeadlineMissed):
        client.ask(first, messages.Pong, soon)
    second = messages.Ping(seq=client.next_seq())
    line.answers += [_pong(first.seq), _pong(second.seq)]
    assert client.ask(second, messages.Pong, soon).seq == second.seq
    assert client.counters()["late_answers"] == 1
    assert client.counters()["timeouts"] == 1


def test_answers_to_requests_on_their_way_are_kept(line: ScriptedTransport, soon: Deadline) -> None:
    client = Client(line)
    pings = [messages.Ping(seq=client.next_seq()) for _ in range(3)]
    for ping in pings:
        client.send(ping, soon)
    line.answers.append(b"".join(_pong(ping.seq) for ping in pings))
    assert [client.arrival(ping, messages.Pong, soon)[0].seq for ping in pings] == [
        ping.seq for ping in pings
    ]
    assert client.counters()["late_answers"] == 0


def test_the_sequence_number_wraps(line: ScriptedTransport) -> None:
    client = Client(line)
    client._seq = messages.SEQUENCE_LIMIT - 1
    assert client.next_seq() == 0


def test_noise_and_strange_answers_are_counted(line: ScriptedTransport, soon: Deadline) -> None:
    client = Client(line)
    ping = messages.Ping(seq=client.next_seq())
    strange = encode({"seq": ping.seq, "type": "song"})
    line.answers += [b"\x05noise\x00", strange, _pong(ping.seq)]
    client.ask(ping, messages.Pong, soon)
    counted = {name: count for name, count in client.counters().items() if count}
    assert sum(counted.values()) == 2
    assert counted["bad_answers"] == 1


def test_an_answer_of_another_kind_is_a_protocol_error(
    line: ScriptedTransport, soon: Deadline
) -> None:
    client = Client(line)
    status = messages.Status(seq=client.next_seq())
    line.answers.append(_pong(status.seq))
    with pytest.raises(ProtocolError, match="answered Pong, expected Health"):
        client.ask(status, messages.Health, soon)


def test_a_frame_cut_by_its_deadline_does_not_spoil_the_next(
    line: ScriptedTransport, soon: Deadline
) -> None:
    client = Client(line)
    line.room = 7
    with pytest.raises(DeadlineMissed):
        client.ask(messages.Ping(seq=client.next_seq()), messages.Pong, soon)
    line.room = None
    ping = messages.Ping(seq=client.next_seq())
    client.send(ping, soon)
    assert Decoder().feed(bytes(line.written)) == [ping.map()]


def test_the_agents_frame_limit_is_kept(line: ScriptedTransport, soon: Deadline) -> None:
    client = Client(line)
    client._seq = 0
    welcome = messages.Welcome(
        seq=1, version=1, model="", serial="", firmware="", runtime="",
        clock_resolution_ns=1, max_frame=1024, max_model=1, window=256,
    )  # fmt: skip

    def answer_hello(deadline: Deadline) -> bytes:
        return encode(welcome.map())

    line.read = answer_hello  # type: ignore[method-assign]
    client.hello("test", soon)
    image = messages.Image(data=b"\x01" * 2000)
    with pytest.raises(BadInput, match="takes 1024"):
        client.send(messages.Infer(seq=client.next_seq(), inputs={"x": image}), soon)
