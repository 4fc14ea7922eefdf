"""A terminal that cannot keep up: credit on the host's side, a bounded inbox on the agent's."""

from __future__ import annotations

import os
import select
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal_loop import Rig, model_of, never
from test_terminal_client import ScriptedTransport

from drivers.terminal import messages
from drivers.terminal.client import Client
from drivers.terminal.codec import Decoder, encode
from drivers.terminal.inbox import Inbox
from drivers.terminal.ledger import Ledger
from drivers.terminal.port import Line, open_pty
from hil.clock import Deadline, VirtualClock
from hil.errors import DeadlineMissed, LinkLost

ONES = {"x": np.ones((1, 3), np.float32)}


@given(st.lists(st.tuples(st.integers(1, 500), st.booleans()), max_size=40), st.integers(1, 600))
def test_the_window_is_kept_but_for_a_frame_alone(
    steps: list[tuple[int, bool]], window: int
) -> None:
    ledger = Ledger()
    waiting: list[tuple[int, int]] = []
    for seq, (size, answered) in enumerate(steps):
        if answered and waiting:
            done = waiting[len(waiting) // 2][0]
            ledger.answered(done)
            waiting = [one for one in waiting if one[0] > done]
        if ledger.takes(size, window):
            ledger.sent(seq, size)
            waiting.append((seq, size))
        total = sum(size for _, size in waiting)
        assert ledger.unanswered_bytes == total
        assert ledger.unanswered == len(waiting)
        assert total <= window or len(waiting) == 1


def test_an_answer_of_another_time_settles_nothing() -> None:
    ledger = Ledger()
    ledger.sent(5, 10)
    ledger.answered(4)
    assert ledger.unanswered == 1


def test_a_model_is_never_ahead_of_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, window=700)
    rig.open()
    most = 0
    write = rig.line.write

    def watched(data: bytes, deadline: Deadline) -> None:
        nonlocal most
        write(data, deadline)
        client = rig.device._client
        assert client is not None
        most = max(most, client._ledger.unanswered_bytes)

    monkeypatch.setattr(rig.line, "write", watched)
    rig.device.load(model_of(5000), rig.soon())
    assert 350 < most <= 700
    assert rig.works()


def test_a_terminal_that_is_behind_is_named_and_the_line_is_not_filled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch, window=300)
    device = rig.open()
    device.load(model_of(10), rig.soon())
    rig.line.deaf = True
    client = device._client
    assert client is not None
    while client._ledger.takes(160, 300):
        device.submit(ONES, rig.soon())
    with pytest.raises(DeadlineMissed, match="are unanswered; the terminal takes 300") as caught:
        device.submit(ONES, rig.soon(0.01))
    assert "ask less often" in caught.value.remedy


def test_a_lost_inference_does_not_use_up_the_credit_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch, window=300)
    device = rig.open()
    device.load(model_of(10), rig.soon())
    rig.line.to_agent = lambda number: True
    device.submit(ONES, rig.soon())
    rig.line.to_agent = never
    tickets = [device.submit(ONES, rig.soon()) for _ in range(3)]
    found = device.collect(rig.soon(1))
    assert found is not None
    assert found[0] == tickets[-1]
    assert device.counters()["late_answers"] == 0, "the probe's answer is nobody's late one"


class Babbler(ScriptedTransport):
    """Never runs dry."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock

    def read(self, deadline: Deadline) -> bytes:
        self.clock.advance(1_000_000)
        return b"#" * 4096


def test_a_terminal_that_babbles_costs_the_deadline_and_no_more() -> None:
    clock = VirtualClock()
    client = Client(Babbler(clock))
    ping = messages.Ping(seq=client.next_seq())
    with pytest.raises(DeadlineMissed):
        client.ask(ping, messages.Pong, Deadline.after_s(clock, 0.1))
    assert clock.now_ns() <= 102_000_000
    client.send(ping, Deadline.after_s(clock, 0.1))
    with pytest.raises(DeadlineMissed):
        client.answer_or_loss(ping, messages.Pong, Deadline.after_s(clock, 0.1))
    assert client.newest([1], messages.Pong, Deadline.after_s(clock, 0.1)) is None
    assert client._decoder.pending <= 262_144


class Wire:
    """An agent's line and inbox, and the host's end of it as a descriptor."""

    def __init__(self, limit: int) -> None:
        self.line: Line = open_pty()
        self.overheard: list[object] = []
        decoder = Decoder(4096)
        self.inbox = Inbox(self.line, decoder, limit, lambda one: self.overheard.append(one["seq"]))
        self.host = os.open(self.line.path, os.O_RDWR | os.O_NOCTTY)

    def send(self, *seqs: int) -> None:
        for seq in seqs:
            os.write(self.host, encode({"seq": seq, "type": "ping"}))

    def taken(self, count: int) -> list[object]:
        found: list[object] = []
        while len(found) < count:
            assert select.select([self.inbox], [], [], 10)[0], f"only {found} came"
            found += [received.message["seq"] for received in self.inbox.take()]
        return found

    def close(self) -> None:
        self.inbox.close()
        os.close(self.host)
        self.line.close()


def test_requests_are_stamped_when_they_come_and_not_when_they_are_taken() -> None:
    wire = Wire(4096)
    try:
        wire.send(1)
        assert select.select([wire.inbox], [], [], 10)[0]
        between_ns = time.monotonic_ns()
        time.sleep(0.02)
        (received,) = wire.inbox.take()
        assert received.at_ns <= between_ns
        assert wire.overheard == [1]
        assert wire.inbox.take() == []
    finally:
        wire.close()


def test_what_is_not_taken_holds_the_host_up_and_nothing_is_lost() -> None:
    wire = Wire(limit=200)
    count = 4000
    sender = threading.Thread(target=wire.send, args=range(count), daemon=True)
    try:
        sender.start()
        time.sleep(0.3)
        assert sender.is_alive(), "the line is full: the host waits"
        assert len(wire.overheard) < 1000
        assert wire.taken(count) == list(range(count))
        sender.join(10)
        assert not sender.is_alive()
    finally:
        wire.close()


def test_a_frame_larger_than_the_limit_still_gets_through() -> None:
    wire = Wire(limit=200)
    try:
        os.write(wire.host, encode({"seq": 9, "type": "infer", "data": b"\1" * 3000}))
        assert wire.taken(1) == [9]
    finally:
        wire.close()


def test_the_end_of_the_line_comes_after_what_was_received() -> None:
    reader, writer = os.pipe()
    inbox = Inbox(Line(reader, "pipe"), Decoder(4096), 4096, lambda one: None)
    os.write(writer, encode({"seq": 3, "type": "ping"}))
    os.close(writer)
    found: list[object] = []
    while not found:
        assert select.select([inbox], [], [], 10)[0]
        found += [received.message["seq"] for received in inbox.take()]
    assert found == [3]
    assert select.select([inbox], [], [], 10)[0]
    for _ in range(2):
        with pytest.raises(LinkLost, match="hung up"):
            inbox.take()
    inbox.close()
    os.close(reader)


def test_a_defect_in_the_thread_is_not_silent() -> None:
    def broken(message: object) -> None:
        raise ZeroDivisionError

    line = open_pty()
    inbox = Inbox(line, Decoder(4096), 4096, broken)
    host = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    os.write(host, encode({"seq": 3, "type": "ping"}))
    assert select.select([inbox], [], [], 10)[0]
    with pytest.raises(ZeroDivisionError):
        inbox.take()
    inbox.close()
    os.close(host)
    line.close()
