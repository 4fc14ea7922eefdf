"""Raw TCP ports against a real server on the loopback."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest
from wire_ends import TcpPeer, read_exactly, soon

from drivers.transport.descriptor import DescriptorPort
from drivers.transport.tcp import open_tcp
from drivers.transport.urls import parse_url
from hil.errors import DeadlineMissed, LinkLost


@pytest.fixture
def peer() -> Iterator[TcpPeer]:
    end = TcpPeer()
    yield end
    end.close()


@pytest.fixture
def port(peer: TcpPeer) -> Iterator[DescriptorPort]:
    opened = open_tcp(parse_url(peer.url), soon())
    yield opened
    opened.close()


def test_bytes_both_ways_unchanged(peer: TcpPeer, port: DescriptorPort) -> None:
    everything = bytes(range(256)) * 20
    port.write(everything, soon())
    received = b""
    while len(received) < len(everything):
        received += peer.link.recv(65536)
    assert received == everything
    peer.link.sendall(everything)
    assert read_exactly(port.read, len(everything)) == everything


def test_nothing_by_the_deadline(peer: TcpPeer, port: DescriptorPort) -> None:
    assert peer.link
    deadline = soon(5)
    assert port.read(deadline) == b""
    assert deadline.expired


def test_a_server_that_takes_nothing_keeps_the_deadline(
    peer: TcpPeer, port: DescriptorPort
) -> None:
    assert peer.link
    deadline = soon(50)
    with pytest.raises(DeadlineMissed, match="of 50000000 bytes"):
        port.write(bytes(50_000_000), deadline)
    assert deadline.expired


def test_hang_up_and_reset_are_lost_links(peer: TcpPeer, port: DescriptorPort) -> None:
    peer.link.sendall(b"last words")
    peer.link.shutdown(socket.SHUT_RDWR)
    assert read_exactly(port.read, 10) == b"last words"
    with pytest.raises(LinkLost, match=r"socket://127\.0\.0\.1:\d+ hung up"):
        port.read(soon())


def test_reset_while_waiting(peer: TcpPeer, port: DescriptorPort) -> None:
    assert peer.link
    timer = threading.Timer(0.02, peer.reset)
    timer.start()
    with pytest.raises(LinkLost, match="Connection reset"):
        port.read(soon(60_000))
    timer.join()
    for _ in range(3):  # the first write after a reset may still be taken
        try:
            port.write(b"x", soon())
        except LinkLost:
            break
    else:
        pytest.fail("writes went on into a connection that is gone")


def test_nobody_listens(peer: TcpPeer) -> None:
    peer.close()
    with pytest.raises(LinkLost, match="cannot be reached: Connection refused"):
        open_tcp(parse_url(peer.url), soon())


def test_a_name_that_takes_for_ever_keeps_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()

    def slow(*_: object, **__: object) -> socket.socket:
        waiting.wait(10)
        raise OSError("too late to matter")

    monkeypatch.setattr("drivers.transport.tcp.socket.create_connection", slow)
    deadline = soon(20)
    with pytest.raises(DeadlineMissed, match="connecting to socket://slow"):
        open_tcp(parse_url("socket://slow.example:4000"), deadline)
    assert deadline.expired
    waiting.set()


def test_small_packets_leave_at_once_and_time_is_not_certified(port: DescriptorPort) -> None:
    with socket.socket(fileno=os.dup(port._fd)) as link:
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert "network" in port.untimed
