"""Old and new ends of the line: a common version, or a refusal that says what to do."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from terminal_fixtures import DOUBLE, DOUBLE_ONNX, opened, running_agent, soon
from terminal_loop import Rig
from terminal_peers_independent import PlainAgent, PlainHost
from terminal_wire_independent import cobs, frame, pack, uncobs, unframe

from drivers.terminal import machine, messages
from drivers.terminal.client import Client
from drivers.terminal.device import TerminalAgent
from drivers.terminal.refusals import SessionLost
from drivers.transport.posix import open_serial
from hil.clock import WallClock
from hil.errors import DeviceFault, ProtocolError

VALUES = struct.pack("<3f", 1.0, -2.5, 3.0)


def test_the_independent_wire_reads_what_it_writes() -> None:
    for payload in (b"", b"\0", b"a\0b", bytes(range(256)) * 3, b"\1" * 254, b"\1" * 255 + b"\0"):
        assert uncobs(cobs(payload)) == payload
    message = {"a": [1, 300, 70_000, 2**40], "b": b"\0\1", "c": {"d": None, "e": True}, "f": 0.5}
    assert unframe(frame(pack(message))[:-1]) == message


@pytest.mark.parametrize("version", [1, 2])
def test_an_agent_of_this_project_serves_a_host_of_either_version(version: int) -> None:
    with running_agent() as agent, PlainHost(agent.port, version) as host:
        welcome = host.hello()
        assert welcome["version"] == version
        assert ("session" in welcome) is (version == 2)
        assert host.load(DOUBLE_ONNX)["type"] == "loaded"
        result = host.infer(VALUES)
        assert struct.unpack("<3f", result["outputs"]["y"]["data"]) == (2.0, -5.0, 6.0)
        assert host.ask("ping")["type"] == "pong"
        assert host.ask("status")["state"] == "ready"
        assert host.ask("reset")["state"] == "idle"


def test_a_host_that_knows_both_gets_the_newer() -> None:
    with running_agent() as agent, PlainHost(agent.port, 2) as host:
        assert host.hello(1, 2, 9)["version"] == 2
        assert host.hello(1)["version"] == 1


def test_an_agent_of_this_project_goes_on_with_an_upload_by_version_2_only() -> None:
    with running_agent() as agent:
        for version, kept in ((2, 50), (1, 0)):
            with PlainHost(agent.port, version) as host:
                host.hello()
                host.load(DOUBLE_ONNX, stop_after=1)
            with PlainHost(agent.port, version) as host:
                host.hello()
                begun = host.ask(
                    "load-begin",
                    name="m",
                    total=len(DOUBLE_ONNX),
                    sha256=DOUBLE.sha256,
                    preprocess={},
                )
                assert begun["received"] == kept
                host.ask("reset")


def test_requests_of_a_session_that_is_over_are_refused() -> None:
    with running_agent() as agent, PlainHost(agent.port, 2) as host:
        first = host.hello()["session"]
        second = host.hello()
        assert second["session"] != first
        boots = {second["boot"], host.hello()["boot"]}
        assert len(boots) == 1, "the process is the same"
        answer = host.ask("ping", session=first)
        assert (answer["type"], answer["code"]) == ("error", "no-session")


def test_a_host_of_version_1_cannot_cancel() -> None:
    with running_agent() as agent, PlainHost(agent.port, 1) as host:
        host.hello()
        answer = host.ask("cancel", target=1)
        assert (answer["type"], answer["code"]) == ("error", "unknown-type")


def test_a_plain_host_can_cancel_by_version_2() -> None:
    with running_agent(delay_ms=10_000) as agent, PlainHost(agent.port, 2) as host:
        host.hello()
        host.load(DOUBLE_ONNX)
        tensor = {"kind": "tensor", "dtype": "float32", "shape": [1, 3], "data": VALUES}
        infer = host.send("infer", inputs={"x": tensor})
        with pytest.raises(TimeoutError):
            host.receive(0.2)
        cancel = host.send("cancel", target=infer)
        first, second = host.receive(), host.receive()
        assert (first["seq"], first["code"]) == (infer, "cancelled")
        assert (second["seq"], second["outcome"]) == (cancel, "stopped")


@pytest.mark.parametrize("versions", [(1,), (1, 2), (2, 5)])
def test_the_device_runs_on_an_agent_written_from_the_page(versions: tuple[int, ...]) -> None:
    with PlainAgent(versions) as agent, opened(agent.path) as device:
        spoken = 1 if versions == (1,) else 2
        assert device.identity(soon()).detail["protocol"] == spoken
        device.load(DOUBLE, soon())
        given = np.array([[1.0, -2.5, 3.0]], np.float32)
        result = device.infer({"x": given}, soon())
        np.testing.assert_array_equal(result.outputs["y"], 2 * given)
        assert device.make_safe(soon()).safe
        sessions = {request.get("session") for request in agent.seen[1:]}
        assert sessions == {None if spoken == 1 else 77}


def test_without_a_common_version_both_sides_are_named() -> None:
    with (
        PlainAgent((9,)) as agent,
        pytest.raises(ProtocolError, match=r"version: only \(9,\) here") as caught,
        opened(agent.path),
    ):
        pytest.fail("there is no session")
    assert "one in common" in caught.value.remedy
    with running_agent() as agent2, PlainHost(agent2.port, 7) as host:
        answer = host.hello()
        assert answer["code"] == "version"
        assert "[7]" in answer["text"]
        assert "[1, 2]" in answer["text"]


def test_an_agent_that_was_started_again_is_named_by_either_version() -> None:
    for versions in ((1,), (1, 2)):
        with PlainAgent(versions) as agent, opened(agent.path) as device:
            device.load(DOUBLE, soon())
            agent.forget = True
            with pytest.raises(SessionLost, match="no-session") as caught:
                device.ping(soon())
            assert "open the terminal again" in caught.value.remedy
            device.open(soon())
            device.ping(soon())


def test_a_welcome_to_what_was_not_offered_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with PlainAgent((1, 2)) as agent:
        agent._welcome = lambda request: {  # type: ignore[method-assign]
            **PlainAgent._welcome(agent, request),
            "version": 3,
        }
        with pytest.raises(ProtocolError, match="welcome to protocol 3"), opened(agent.path):
            pytest.fail("there is no session")


def test_an_old_host_of_this_project_is_served_by_a_new_agent() -> None:
    with running_agent() as agent:
        client = Client(open_serial(agent.port, 115_200, WallClock()), versions=(1,))
        welcome = client.hello("old", soon())
        assert (welcome.version, welcome.session) == (1, None)
        ping = messages.Ping(seq=client.next_seq())
        assert client.ask(ping, messages.Pong, soon()).seq == ping.seq
        client.close()


def test_an_agent_process_that_was_started_again_is_counted_at_the_next_opening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch)
    device: TerminalAgent = rig.open()
    process = device.identity(rig.soon()).detail["agent_process"]
    rig.open()
    assert device.counters()["agent_restarts"] == 0
    rig.restart_agent()
    with pytest.raises(SessionLost):
        device.ping(rig.soon())
    rig.open()
    assert device.counters()["agent_restarts"] == 1
    assert device.identity(rig.soon()).detail["agent_process"] != process


def test_another_terminal_on_the_same_port_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    rig.open()
    monkeypatch.setattr(machine, "serial_number", lambda: "another one")
    with pytest.raises(DeviceFault, match="another terminal answers"):
        rig.open()


@contextmanager
def agent_on(port: str) -> Iterator[subprocess.Popen[str]]:
    """`hil agent --port`, as a board serves its gadget port."""
    command = [sys.executable, "-m", "hil.cli.main", "agent", "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["port"] == port
        try:
            yield process
        finally:
            process.kill()


def test_a_served_port_outlives_its_agent_and_the_host_learns_of_it() -> None:
    host_end, agent_end = os.openpty()
    port = os.ttyname(agent_end)
    with PlainHost(host_end, 2) as host:
        with agent_on(port) as first:
            boot = host.hello()["boot"]
            host.load(DOUBLE_ONNX, stop_after=1)
            first.send_signal(signal.SIGTERM)
            assert first.wait(10) == 0
        with agent_on(port) as second:
            answer = host.ask("ping")
            assert (answer["type"], answer["code"]) == ("error", "no-session")
            assert host.hello()["boot"] != boot
            assert host.load(DOUBLE_ONNX)["type"] == "loaded"
            assert second.poll() is None
    os.close(agent_end)


def test_an_agent_ends_with_its_line() -> None:
    host_end, agent_end = os.openpty()
    port = os.ttyname(agent_end)
    with agent_on(port) as process:
        os.close(agent_end)
        with PlainHost(host_end, 2) as host:
            host.hello()
        assert process.wait(10) == 4
