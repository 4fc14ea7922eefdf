"""RFC 2217 against pyserial's own server code, and pyserial's echo."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serial import serial_for_url
from wire_ends import CLOCK, Peer, PtyPort, Rfc2217Server, read_exactly, soon

from drivers.transport.line import Line
from drivers.transport.remote import QueuePort, _unescaped, open_loop, open_rfc2217
from drivers.transport.urls import parse_url
from hil.errors import BadInput, DeadlineMissed, LinkLost

LINE = Line(115_200, "even", 2)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyserial looks for the server's answers every 50 ms, and rests for 0.3 s once it has closed;
    here it looks more often and does not rest."""
    short = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.002)))
    monkeypatch.setattr("serial.rfc2217.time", short)


@pytest.fixture
def server() -> Iterator[Rfc2217Server]:
    running = Rfc2217Server(serial_for_url("loop://", timeout=0))
    yield running
    running.close()


@pytest.fixture
def port(server: Rfc2217Server) -> Iterator[QueuePort]:
    opened = open_rfc2217(parse_url(server.url), LINE, soon(20_000))
    yield opened
    opened.close()


def test_every_byte_comes_back_from_an_echo(port: QueuePort) -> None:
    everything = bytes(range(256)) * 8  # with 255, which Telnet escapes
    for begin in range(0, len(everything), 512):
        piece = everything[begin : begin + 512]
        port.write(piece, soon())
        assert read_exactly(port.read, len(piece)) == piece


def test_the_server_is_told_how_to_set_its_line(server: Rfc2217Server, port: QueuePort) -> None:
    assert (server.port.baudrate, server.port.parity, server.port.stopbits) == (115_200, "E", 2)
    assert "115200 baud, 8E2" in port.description
    assert "network" in port.untimed


def test_a_real_serial_port_behind_the_server() -> None:
    peer = Peer()
    server = Rfc2217Server(PtyPort(peer.path, timeout=0))
    port = open_rfc2217(parse_url(server.url), Line(57_600), soon(20_000))
    try:
        port.write(b"\xff\xff\x01ping", soon())
        assert read_exactly(lambda _: os.read(peer.fd, 100), 7) == b"\xff\xff\x01ping"
        os.write(peer.fd, b"\xff\xff\x01pong")
        assert read_exactly(port.read, 7) == b"\xff\xff\x01pong"
    finally:
        port.close()
        server.close()
        peer.unplug()


def test_nothing_by_the_deadline_and_no_busy_wait(port: QueuePort) -> None:
    deadline = soon(200)
    waited_s, worked_s = time.monotonic(), time.thread_time()
    assert port.read(deadline) == b""
    waited_s, worked_s = time.monotonic() - waited_s, time.thread_time() - worked_s
    assert worked_s < waited_s / 3
    assert deadline.expired
    assert port.read(deadline) == b""


def test_read_returns_with_what_is_there(port: QueuePort) -> None:
    deadline = soon(60_000)
    timer = threading.Timer(0.02, port.write, (b"x", soon()))
    timer.start()
    assert port.read(deadline) == b"x"
    assert not deadline.expired
    timer.join()


def test_what_came_before_the_hang_up_is_not_lost(server: Rfc2217Server, port: QueuePort) -> None:
    port.write(b"last words", soon())
    assert server.link is not None
    deadline = soon()
    while port._incoming.qsize() < 10:
        assert not deadline.expired
        CLOCK.sleep_until(CLOCK.now_ns() + 1_000_000)
    server.hang_up()
    port._far._reader.join(10)  # type: ignore[union-attr]
    assert read_exactly(port.read, 10) == b"last words"
    with pytest.raises(LinkLost, match="hung up"):
        port.read(soon())
    with pytest.raises(LinkLost, match="hung up"):
        port.discard()


def test_hang_up_while_waiting(server: Rfc2217Server, port: QueuePort) -> None:
    timer = threading.Timer(0.02, server.hang_up)
    timer.start()
    with pytest.raises(LinkLost, match=r"rfc2217://127\.0\.0\.1:\d+ hung up"):
        port.read(soon(60_000))
    timer.join()
    with pytest.raises(LinkLost):
        _write_until_lost(port)


def _write_until_lost(port: QueuePort) -> None:
    deadline = soon()  # the first write after a hang-up may still be taken
    while not deadline.expired:
        port.write(b"x", deadline)


def test_closed(port: QueuePort) -> None:
    port.close()
    port.close()
    for use in (lambda: port.read(soon()), lambda: port.write(b"x", soon()), port.discard):
        with pytest.raises(LinkLost, match="closed"):
            use()


def test_discard_drops_and_counts(port: QueuePort) -> None:
    port.write(b"x" * 100, soon())
    deadline = soon()
    while port._incoming.qsize() < 100:
        assert not deadline.expired
        CLOCK.sleep_until(CLOCK.now_ns() + 1_000_000)
    assert port.discard() == 100
    assert port.discard() == 0


def test_a_server_that_speaks_no_rfc2217_is_refused_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = parse_url(f"rfc2217://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(LinkLost, match="cannot be reached: Remote does not seem to support"):
            open_rfc2217(url, LINE, soon(4000))


def test_a_server_that_is_slow_keeps_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = parse_url(f"rfc2217://127.0.0.1:{mute.getsockname()[1]}")
        deadline = soon(50)
        with pytest.raises(DeadlineMissed, match="opening rfc2217"):
            open_rfc2217(url, LINE, deadline)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = parse_url(f"rfc2217://127.0.0.1:{gone.getsockname()[1]}")
    with pytest.raises(LinkLost, match="Connection refused"):
        open_rfc2217(url, LINE, soon())


def test_settings_that_the_server_refuses(
    monkeypatch: pytest.MonkeyPatch, server: Rfc2217Server
) -> None:
    # a server that answers with its own rate whatever it is asked
    monkeypatch.setattr(type(server.port), "baudrate", property(lambda _: 9600, lambda *_: None))
    with pytest.raises(BadInput, match="does not accept 115200 baud"):
        open_rfc2217(parse_url(server.url), LINE, soon(20_000))


def test_a_server_that_takes_nothing_keeps_the_deadline(
    server: Rfc2217Server, port: QueuePort
) -> None:
    go_on = threading.Event()
    server.port.write = lambda _data: go_on.wait(10)  # and reads no more meanwhile
    deadline = soon(100)
    with pytest.raises(DeadlineMissed, match="of 50000000 bytes"):
        port.write(bytes(50_000_000), deadline)
    assert deadline.expired
    go_on.set()


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\x00", b"\xff")), st.data())
@settings(max_examples=200)
def test_a_cut_in_an_escaped_byte_is_made_good(data: bytes, draw: st.DataObject) -> None:
    """Whatever the socket takes, the server sees the driver's bytes, each once."""
    sent, rest, owed = b"", data, b""
    while rest or owed:
        if owed:
            sent, owed = sent + owed, b""
            continue
        escaped = rest.replace(b"\xff", b"\xff\xff")
        took = draw.draw(st.integers(1, len(escaped)))
        through, owed = _unescaped(escaped[:took])
        sent, rest = sent + escaped[:took], rest[through:]
    assert sent.replace(b"\xff\xff", b"\xff") == data


def test_loop_answers_with_what_was_written() -> None:
    port = open_loop(parse_url("loop://"), LINE)
    port.write(bytes(range(256)), soon())
    assert read_exactly(port.read, 256) == bytes(range(256))
    assert port.read(soon(5)) == b""
    deadline = soon(20)
    with pytest.raises(DeadlineMissed, match="took 4096 of 5000 bytes"):
        port.write(bytes(5000), deadline)
    assert deadline.expired
    assert port.discard() == 4096
    assert "echo" in port.untimed
    port.close()
    port.close()


def test_a_connection_that_cannot_be_set_up_is_closed(
    server: Rfc2217Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError("no such option")

    monkeypatch.setattr("drivers.transport.remote.tune", fail)
    with pytest.raises(LinkLost, match=r"cannot be reached.*no such option"):
        open_rfc2217(parse_url(server.url), LINE, soon(20_000))
    readers = [one for one in threading.enumerate() if "RFC 2217 reader" in one.name]
    assert not readers
    server._thread.join(10)  # it ends with its client
    assert not server._thread.is_alive()
