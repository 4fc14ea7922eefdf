"""Asked without being waited for: over a pseudo-terminal, and on a scripted line."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from terminal_fixtures import DOUBLE, opened, running_agent, soon

from drivers.terminal import messages
from drivers.terminal.client import Client
from drivers.terminal.codec import encode
from drivers.terminal.device import TerminalAgent
from hil.clock import Deadline, VirtualClock, WallClock
from hil.contracts import InferenceResult, OverlappedInference
from hil.errors import DeadlineMissed, DeviceFault


def inputs(value: float) -> dict[str, np.ndarray | bytes]:
    return {"x": np.full((1, 3), value, np.float32)}


def collected(device: TerminalAgent) -> tuple[int, InferenceResult]:
    found = device.collect(soon())
    assert found is not None
    return found


def at_once() -> Deadline:
    return Deadline.after(WallClock(), 0)


def test_the_answer_is_there_when_it_is_asked_for() -> None:
    with running_agent(delay_ms=50) as agent, opened(agent.port) as device:
        assert isinstance(device, OverlappedInference)
        device.load(DOUBLE, soon())
        assert device.collect(at_once()) is None, "nothing was asked"
        ticket = device.submit(inputs(2.0), soon())
        assert device.collect(at_once()) is None, "the agent needs its 50 ms"
        found, result = collected(device)
        assert found == ticket
        np.testing.assert_array_equal(result.outputs["y"], np.full((1, 3), 4.0, np.float32))
        stamps = result.stamps
        assert stamps.end_ns - stamps.start_ns >= 50_000_000, "the agent sleeps that long"
        # one host, one monotonic clock: the stamps of both sides can be compared
        assert result.asked_ns <= stamps.end_ns <= stamps.sent_ns <= result.answered_ns
        assert device.collect(at_once()) is None, "an answer is handed out once"


def test_of_several_answers_the_newest_counts() -> None:
    with running_agent(delay_ms=30) as agent, opened(agent.port) as device:
        device.load(DOUBLE, soon())
        tickets = [device.submit(inputs(value), soon()) for value in (1.0, 2.0, 3.0)]
        found, result = collected(device)
        while found != tickets[-1]:
            found, result = collected(device)
        np.testing.assert_array_equal(result.outputs["y"], np.full((1, 3), 6.0, np.float32))
        assert device.collect(at_once()) is None
        assert device.counters()["late_answers"] == 0


def test_the_host_s_stamps_are_filled_where_it_waits_too() -> None:
    with running_agent(delay_ms=5) as agent, opened(agent.port) as device:
        device.load(DOUBLE, soon())
        result = device.infer(inputs(1.0), soon())
        assert 0 < result.asked_ns < result.stamps.end_ns <= result.answered_ns


def test_waiting_works_while_something_is_under_way() -> None:
    with running_agent(delay_ms=20) as agent, opened(agent.port) as device:
        device.load(DOUBLE, soon())
        ticket = device.submit(inputs(5.0), soon())
        device.ping(soon())
        found, result = collected(device)
        assert found == ticket
        np.testing.assert_array_equal(result.outputs["y"], np.full((1, 3), 10.0, np.float32))


def test_a_refusal_is_the_terminal_s_fault() -> None:
    with running_agent() as agent, opened(agent.port) as device:
        device.submit(inputs(1.0), soon())
        with pytest.raises(DeviceFault, match="no model"):
            device.collect(soon())


def test_questions_to_the_network_before_are_dropped_with_it() -> None:
    with running_agent(delay_ms=20) as agent, opened(agent.port) as device:
        device.load(DOUBLE, soon())
        device.submit(inputs(1.0), soon())
        device.load(DOUBLE, soon())
        assert device.collect(at_once()) is None
        assert device.counters()["late_answers"] == 1


class Line:
    """Hands out what the test queued; nothing queued: time is up."""

    description = "scripted"

    def __init__(self) -> None:
        self.answers: deque[bytes] = deque()
        self.full = False

    def write(self, data: bytes, deadline: Deadline) -> None:
        if self.full:
            raise DeadlineMissed("full")

    def read(self, deadline: Deadline) -> bytes:
        return self.answers.popleft() if self.answers else b""

    def discard(self) -> int:
        return 0

    def close(self) -> None:
        self.answers.clear()


def pong(request: messages.Ping) -> bytes:
    return encode(messages.Pong(seq=request.seq, received_ns=1, sent_ns=2).map())


def superseded(request: messages.Ping) -> bytes:
    error = messages.Error(seq=request.seq, code="superseded", text="a newer one is waiting")
    return encode(error.map())


@pytest.fixture
def line() -> Line:
    return Line()


def asked(client: Client, deadline: Deadline, count: int) -> list[messages.Ping]:
    requests = [messages.Ping(seq=client.next_seq()) for _ in range(count)]
    for request in requests:
        client.send(request, deadline)
    return requests


def test_older_answers_are_dropped_and_counted(line: Line) -> None:
    client, now = Client(line), Deadline.after(VirtualClock(), 0)
    requests = asked(client, now, 3)
    line.answers += [pong(requests[0]), pong(requests[1])]
    found = client.newest([one.seq for one in requests], messages.Pong, now)
    assert found is not None
    assert found[0].seq == requests[1].seq
    assert client.counters()["outrun_answers"] == 1
    line.answers.append(pong(requests[2]))
    found = client.newest([requests[2].seq], messages.Pong, now)
    assert found is not None
    assert client.counters()["late_answers"] == 0


def test_a_superseded_request_is_no_fault_and_no_answer(line: Line) -> None:
    client, now = Client(line), Deadline.after(VirtualClock(), 0)
    requests = asked(client, now, 2)
    line.answers.append(superseded(requests[0]))
    assert client.newest([one.seq for one in requests], messages.Pong, now) is None
    assert client.counters()["outrun_answers"] == 1


def test_a_request_that_could_not_be_written_is_not_awaited(line: Line) -> None:
    client, now = Client(line), Deadline.after(VirtualClock(), 0)
    line.full = True
    request = messages.Ping(seq=client.next_seq())
    with pytest.raises(DeadlineMissed):
        client.send(request, now)
    line.answers.append(pong(request))
    assert client.newest([request.seq], messages.Pong, now) is None
    assert client.counters()["late_answers"] == 1
