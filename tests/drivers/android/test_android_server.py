"""The client on the emulated adb server, and on servers that are none."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from phone_bench import CLOCK, SERIAL, Emulated, emulated_phone, soon

from drivers.android.phone import Phone
from drivers.android.server import USUAL, AdbServer
from drivers.android.wire import Forward, Listed
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HilError, LinkLost, ProtocolError


@pytest.fixture(scope="module")
def served() -> Iterator[Emulated]:
    with emulated_phone() as running:
        yield running


@pytest.fixture
def emulated(served: Emulated) -> Iterator[Emulated]:
    yield served
    served.control(state="device", stall=False)


@pytest.fixture
def server(emulated: Emulated) -> AdbServer:
    return AdbServer(emulated.address)


def test_what_the_server_knows(server: AdbServer) -> None:
    assert server.version(soon()) == 41
    assert server.devices(soon()) == [Listed(SERIAL, "device")]
    assert server.features(SERIAL, soon()) == {"shell_v2", "cmd"}


def test_a_forward_is_made_listed_and_removed(server: AdbServer) -> None:
    port = server.forward(SERIAL, "tcp:9", soon())
    assert server.forwards(soon()) == [Forward(SERIAL, f"tcp:{port}", "tcp:9")]
    server.unforward(SERIAL, port, soon())
    assert server.forwards(soon()) == []
    with pytest.raises(DeviceFault, match="not found"):
        server.unforward(SERIAL, port, soon())


def test_a_forward_to_nobody_takes_a_connection_and_drops_it(server: AdbServer) -> None:
    port = server.forward(SERIAL, "tcp:9", soon())
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        assert link.recv(10) == b""
    server.unforward(SERIAL, port, soon())


def test_what_the_server_refuses(server: AdbServer) -> None:
    with pytest.raises(DeviceFault, match="device 'OTHER' not found"):
        server.features("OTHER", soon())
    with pytest.raises(DeviceFault, match="not found"):
        server.service("OTHER", "shell,v2,raw:ls", soon())
    with pytest.raises(DeviceFault, match="closed"):
        server.service(SERIAL, "no-such-service:", soon())
    assert "not found" in server.reconnect("OTHER", soon())


def test_waiting_for_a_state(emulated: Emulated, server: AdbServer) -> None:
    server.wait_for(SERIAL, "device", soon())
    with pytest.raises(DeadlineMissed):
        server.wait_for(SERIAL, "disconnect", soon(0.1))
    change = threading.Timer(0.1, emulated.control, kwargs={"state": "absent"})
    change.start()
    server.wait_for(SERIAL, "disconnect", soon())
    change.join()
    assert server.devices(soon()) == []


CALLS: list[Callable[[AdbServer], object]] = [
    lambda server: server.version(soon(0.2)),
    lambda server: server.devices(soon(0.2)),
    lambda server: server.features(SERIAL, soon(0.2)),
    lambda server: server.forward(SERIAL, "tcp:9", soon(0.2)),
    lambda server: server.forwards(soon(0.2)),
    lambda server: server.unforward(SERIAL, 1, soon(0.2)),
    lambda server: server.reconnect(SERIAL, soon(0.2)),
    lambda server: server.wait_for(SERIAL, "device", soon(0.2)),
    lambda server: server.service(SERIAL, "sync:", soon(0.2)),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_stalls_misses_the_deadline(
    emulated: Emulated, server: AdbServer, call: Callable[[AdbServer], object]
) -> None:
    emulated.control(stall=True)
    with pytest.raises(DeadlineMissed, match="no answer in time"):
        call(server)


def test_no_server_says_how_to_start_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(LinkLost, match=f"no adb server at 127.0.0.1:{port}") as lost:
        AdbServer(f"socket://127.0.0.1:{port}").version(soon())
    assert "adb start-server" in lost.value.remedy


@contextmanager
def answering(answer: bytes) -> Iterator[AdbServer]:
    """A server that says `answer` to whatever it is asked, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(1000)
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield AdbServer(f"socket://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (b"", LinkLost, "hung up"),
        (b"OK", LinkLost, "hung up"),
        (b"OKAY00", LinkLost, "hung up"),
        (b"OKAY0010abc", LinkLost, "hung up"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProtocolError, "expected OKAY or FAIL"),
        (b"OKAYzzzz", ProtocolError, "no length"),
        (b"OKAY0004what", ProtocolError, "no number"),
        (b"FAIL0003bad", DeviceFault, "refused: bad"),
        (b"FAIL0000", DeviceFault, "without a reason"),
    ],
)
def test_servers_that_are_none(answer: bytes, error: type[HilError], words: str) -> None:
    with answering(answer) as server, pytest.raises(error, match=words):
        server.version(soon())


def test_an_answer_in_pieces() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link.recv(1000)
                for piece in (b"O", b"KA", b"Y00", b"040", b"02", b"9"):
                    link.sendall(piece)
                    time.sleep(0.005)

        thread = threading.Thread(target=serve)
        thread.start()
        server = AdbServer(f"socket://127.0.0.1:{listener.getsockname()[1]}")
        assert server.version(soon()) == 41
        thread.join(10)


def test_a_forward_to_no_port() -> None:
    with (
        answering(b"OKAYOKAY0004none") as server,
        pytest.raises(ProtocolError, match="port 'none'"),
    ):
        server.forward(SERIAL, "tcp:1", soon())


def test_a_shell_that_sends_no_packets() -> None:
    with answering(b"OKAYOKAY\x01\xff\xff\xff\xff") as server:
        phone = Phone(server, SERIAL, CLOCK)
        with pytest.raises(ProtocolError, match="too long"):
            phone.shell("ls", soon())


def test_addresses() -> None:
    with pytest.raises(BadInput, match="no adb server"):
        AdbServer("rfc2217://h:1")
    with pytest.raises(BadInput):
        AdbServer("127.0.0.1:5037")
    usual = AdbServer(USUAL)
    assert usual.place == "adb server at 127.0.0.1:5037"
    assert usual.on_this_host


def test_control_refuses_what_it_does_not_know(emulated: Emulated) -> None:
    for faults in ({"stale": True}, {"state": "asleep"}, {"battery_percent": 101}):
        with pytest.raises(DeviceFault, match="control"):
            emulated.control(**faults)


def test_the_emulator_ends_with_its_standard_input() -> None:
    with emulated_phone() as running:
        running.child.hang_up()
        assert running.child.ended_by(soon())
