"""The whole way: device, pseudo-terminal, agent in its own process, onnxruntime."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from terminal_fixtures import DOUBLE, Agent, opened, running_agent, soon

from drivers.terminal.agent import serve
from drivers.terminal.codec import Decoder, encode
from drivers.terminal.device import build
from drivers.transport.base import Transport
from drivers.transport.posix import open_serial
from hil.clock import WallClock
from hil.contracts import BenchContext, DeviceSpec, Inference
from hil.errors import BadInput, DeadlineMissed, DeviceFault, LinkLost, ModelRefused
from models.runtime import Network
from models.zoo import find_model, load_card

INPUT = {"x": np.array([[1.0, -2.5, 3e-3]], np.float32)}


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with running_agent() as running:
        yield running


def test_device_is_an_inference_device_with_an_identity(agent: Agent) -> None:
    with opened(agent.port) as device:
        assert isinstance(device, Inference)
        identity = device.identity(soon())
        assert identity.model
        assert identity.detail["protocol"] == 2
        assert str(identity.detail["runtime"]).startswith("onnxruntime")
        device.ping(soon())
        assert all(finding.ok for finding in device.health(soon()))


def test_infer_returns_what_the_network_returns_here(agent: Agent) -> None:
    with opened(agent.port) as device:
        device.load(DOUBLE, soon())
        result = device.infer(INPUT, soon())
        np.testing.assert_array_equal(result.outputs["y"], 2 * INPUT["x"])
        stamps = result.stamps
        assert 0 < stamps.received_ns <= stamps.start_ns <= stamps.end_ns <= stamps.sent_ns


def test_a_model_of_many_chunks_and_an_image_give_the_local_answer(agent: Agent) -> None:
    _, model = load_card(find_model("gauge-reading"))
    picture = bytes.fromhex("ffd8") + b"not a picture"
    with opened(agent.port) as device:
        device.load(model, soon())
        with pytest.raises(BadInput, match="no picture"):
            device.infer({"image": picture}, soon())
        jpeg = _jpeg()
        remote = device.infer({"image": jpeg}, soon()).outputs
    network = Network(model.content, model.preprocess)
    local = network.run(network.prepare({"image": jpeg}))
    np.testing.assert_array_equal(remote["reading"], local["reading"])


def _jpeg() -> bytes:
    import cv2

    noise = np.random.default_rng(1).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1])


def test_wrong_digest_is_refused_and_leaves_nothing_loaded(agent: Agent) -> None:
    with opened(agent.port) as device:
        with pytest.raises(ModelRefused, match=f"announced was {'0' * 64}"):
            device.load(replace(DOUBLE, sha256="0" * 64), soon())
        with pytest.raises(DeviceFault, match="not-loaded"):
            device.infer(INPUT, soon())


def test_bytes_that_are_no_network_are_refused(agent: Agent) -> None:
    import hashlib

    junk = b"no network at all"
    with opened(agent.port) as device, pytest.raises(ModelRefused, match="no session"):
        device.load(replace(DOUBLE, content=junk, sha256=hashlib.sha256(junk).hexdigest()), soon())


def test_inputs_that_do_not_fit_are_named(agent: Agent) -> None:
    with opened(agent.port) as device:
        device.load(DOUBLE, soon())
        with pytest.raises(BadInput, match=r"'x' has shape \(1, 2\)"):
            device.infer({"x": np.zeros((1, 2), np.float32)}, soon())
        with pytest.raises(BadInput, match="takes the inputs x, given: z"):
            device.infer({"z": np.zeros((1, 3), np.float32)}, soon())


def test_make_safe_drops_the_model_and_reads_it_back(agent: Agent) -> None:
    with opened(agent.port) as device:
        device.load(DOUBLE, soon())
        for _ in range(2):
            proof = device.make_safe(soon())
            assert (proof.safe, proof.state) == (True, "idle")
        with pytest.raises(DeviceFault, match="not-loaded"):
            device.infer(INPUT, soon())


def test_a_new_host_starts_from_nothing(agent: Agent) -> None:
    with opened(agent.port) as device:
        device.load(DOUBLE, soon())
    with opened(agent.port) as device, pytest.raises(DeviceFault, match="not-loaded"):
        device.infer(INPUT, soon())


def test_what_a_former_host_left_half_sent_does_no_harm(agent: Agent) -> None:
    clock = WallClock()
    port = open_serial(agent.port, 115_200, clock)
    port.write(encode({"seq": 1, "type": "ping"})[:-3], soon())
    port.close()
    with opened(agent.port) as device:
        device.ping(soon())


def test_answers_left_for_a_former_host_are_not_taken(agent: Agent) -> None:
    port = open_serial(agent.port, 115_200, WallClock())
    for _ in range(20):
        port.write(encode({"seq": 1, "type": "status"}), soon())
    port.close()
    with opened(agent.port) as device:
        device.ping(soon())
        assert device.counters()["bad_answers"] == 0


def test_bad_crc_is_counted_by_the_agent_and_not_answered(agent: Agent) -> None:
    frame = bytearray(encode({"seq": 7, "type": "hello", "versions": [1], "host": "t"}))
    damaged = bytearray(frame)
    damaged[8] ^= 0x20
    port = open_serial(agent.port, 115_200, WallClock())
    try:
        before = _counters(port)
        port.write(bytes(damaged), soon())
        after = _counters(port)
    finally:
        port.close()
    assert after["crc_errors"] == before["crc_errors"] + 1


def _counters(port: Transport) -> dict[str, int]:
    answers = _talk(
        port,
        {"seq": 1, "type": "hello", "versions": [1], "host": "t"},
        {"seq": 2, "type": "status"},
    )
    counters: dict[str, int] = answers[-1]["counters"]
    return counters


def _talk(port: Transport, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Answers to requests sent in one write."""
    deadline = soon()
    port.write(b"".join(map(encode, requests)), deadline)
    decoder = Decoder()
    answers: list[dict[str, Any]] = []
    while len(answers) < len(requests):
        data = port.read(deadline)
        assert data, f"the agent answered only {answers}"
        answers += decoder.feed(data)
    return answers


def test_answers_by_the_specification(agent: Agent) -> None:
    port = open_serial(agent.port, 115_200, WallClock())
    try:
        answers = _talk(
            port,
            {"seq": 1, "type": "hello", "versions": [7], "host": "t"},
            {"seq": 2, "type": "ping"},
            {"seq": 3, "type": "hello", "versions": [1, 7], "host": "t", "future": 1},
            {"seq": 4, "type": "fly"},
            {"seq": "five", "type": "ping"},
            {"seq": 6, "type": "load-chunk", "offset": 0, "data": b"x"},
            {"seq": 7, "type": "load-begin", "name": "m", "total": 2**39, "sha256": "0" * 64},
            {"seq": 8, "type": "load-begin", "name": "m", "total": 9, "sha256": "0" * 64},
            {"seq": 9, "type": "load-chunk", "offset": 4, "data": b"x"},
            {"seq": 10, "type": "status"},
            {"seq": 11, "type": "reset"},
        )
    finally:
        port.close()
    told = [(answer["seq"], answer.get("code", answer["type"])) for answer in answers]
    assert told == [
        (1, "version"),
        (2, "no-session"),
        (3, "welcome"),
        (4, "unknown-type"),
        (0, "bad-message"),
        (6, "offset"),
        (7, "too-large"),
        (8, "load-ack"),
        (9, "offset"),
        (10, "health"),
        (11, "health"),
    ]
    assert [answers[9]["state"], answers[10]["state"]] == ["loading", "idle"]


def test_requests_that_waited_are_superseded_by_the_newest(agent: Agent) -> None:
    begin = {"name": "m", "total": len(DOUBLE.content), "sha256": DOUBLE.sha256}
    tensor = {"kind": "tensor", "dtype": "float32", "shape": [1, 3], "data": bytes(12)}
    port = open_serial(agent.port, 115_200, WallClock())
    try:
        loading = _talk(
            port,
            {"seq": 1, "type": "hello", "versions": [1]},
            {"seq": 2, "type": "load-begin", **begin},
            {"seq": 3, "type": "load-chunk", "offset": 0, "data": DOUBLE.content},
            {"seq": 4, "type": "load-end"},
        )
        infers = [{"seq": 5 + i, "type": "infer", "inputs": {"x": tensor}} for i in range(3)]
        answers = _talk(port, *infers)
    finally:
        port.close()
    assert loading[-1]["type"] == "loaded"
    told = [answer.get("code", answer["type"]) for answer in answers]
    assert told == ["superseded", "superseded", "result"]


def test_delay_shows_in_the_stamps_and_a_late_answer_is_dropped() -> None:
    with running_agent(delay_ms=60) as agent, opened(agent.port) as device:
        device.load(DOUBLE, soon())
        stamps = device.infer(INPUT, soon()).stamps
        assert stamps.end_ns - stamps.start_ns >= 60_000_000
        with pytest.raises(DeadlineMissed, match="no answer to infer"):
            device.infer(INPUT, soon(0.01))
        fresh = {"x": np.array([[9.0, 9.0, 9.0]], np.float32)}
        np.testing.assert_array_equal(device.infer(fresh, soon()).outputs["y"], 2 * fresh["x"])
        assert device.counters()["late_answers"] == 1
        assert device.counters()["timeouts"] == 1


def test_a_host_that_stops_reading_does_not_hold_the_agent_for_ever() -> None:
    with running_agent(write_timeout_s=0.2) as agent:
        port = open_serial(agent.port, 115_200, WallClock())
        # nobody reads: what was answered fills the line, and only when the agent has given up on
        # it are so many more questions taken
        port.write(encode({"seq": 1, "type": "ping"}) * 20_000, soon())
        port.close()
        with opened(agent.port) as device:
            device.ping(soon())
        port = open_serial(agent.port, 115_200, WallClock())
        try:
            assert _counters(port)["writes_abandoned"] > 0
        finally:
            port.close()


def test_the_end_of_the_parent_ends_the_agent() -> None:
    with running_agent() as agent:
        assert agent.process.stdin is not None
        agent.process.stdin.close()
        assert agent.process.wait(10) == 0


def test_sigterm_ends_the_agent_and_sigint_is_left_to_the_parent() -> None:
    with running_agent() as agent:
        agent.process.send_signal(signal.SIGINT)
        with opened(agent.port) as device:
            device.ping(soon())
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(10) == 0


def test_a_vanished_agent_is_link_lost_and_not_safe() -> None:
    with running_agent() as agent, opened(agent.port) as device:
        agent.process.kill()
        agent.process.wait(10)
        with pytest.raises(LinkLost):
            device.ping(soon())
        proof = device.make_safe(soon())
        assert (proof.safe, proof.state) == (False, "unreachable")
        assert [finding.ok for finding in device.health(soon())] == [False]


def test_a_silent_port_costs_no_more_than_the_deadline() -> None:
    master, slave = os.openpty()
    try:
        device = build(
            DeviceSpec("terminal", "terminal-agent", os.ttyname(slave), {}, Path()),
            BenchContext(WallClock()),
        )
        begun = time.monotonic()
        with pytest.raises(DeadlineMissed, match="no answer to hello"):
            device.open(soon(0.1))
        assert time.monotonic() - begun < 5
        device.close()
    finally:
        os.close(master)
        os.close(slave)


def test_a_serial_device_is_served_like_a_pseudo_terminal(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        serve(str(tmp_path / "absent"), False, 0.0, io.StringIO(), False)
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(BadInput, match="not a serial device"):
        serve(str(plain), False, 0.0, io.StringIO(), False)


@pytest.mark.parametrize(("port", "pty"), [(None, False), ("/dev/null", True)])
def test_the_agent_needs_exactly_one_line(port: str | None, pty: bool) -> None:
    with pytest.raises(BadInput, match="either"):
        serve(port, pty, 0.0, io.StringIO(), False)


def test_bad_parameters_are_named() -> None:
    context = BenchContext(WallClock())
    with pytest.raises(BadInput, match=r"parameters\.speed: unknown key"):
        build(DeviceSpec("t", "terminal-agent", "/dev/x", {"speed": 1}, Path()), context)
    with pytest.raises(BadInput, match="needs a port"):
        build(DeviceSpec("t", "terminal-agent", "", {}, Path()), context)
