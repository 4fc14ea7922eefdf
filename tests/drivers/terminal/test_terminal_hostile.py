"""The agent does not die of bytes, and takes no more memory than it says."""

from __future__ import annotations

import os
import random
import select
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terminal_fixtures import DOUBLE, DOUBLE_ONNX, opened, running_agent, soon
from terminal_peers_independent import PlainHost
from terminal_wire_independent import frame, pack

from drivers.terminal import messages
from drivers.terminal.picture import MAX_PIXELS, jpeg_size
from drivers.terminal.session import Limits, Session

ONES = np.ones((1, 3), np.float32)


def jpeg(width: int, height: int, *flags: int) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise, list(flags))[1])


def bomb(width: int, height: int) -> bytes:
    """A few bytes that announce so many pixels."""
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return b"\xff\xd8\xff\xc0\x00\x11\x08" + size + b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"


@pytest.mark.parametrize("flags", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)])
def test_the_size_of_a_picture_is_in_its_header(flags: tuple[int, ...]) -> None:
    assert jpeg_size(jpeg(37, 21, *flags)) == (37, 21)
    assert jpeg_size(b"\xff\xd8\xff\xff\xe1\x00\x04ab" + bomb(8, 9)[2:]) == (8, 9)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: b"\xff\xd8\xff" + data))
def test_any_bytes_have_a_size_or_none(data: bytes) -> None:
    size = jpeg_size(data)
    assert size is None or (size[0] > 0 and size[1] > 0)


def test_a_cut_picture_has_no_size_before_its_header() -> None:
    whole = jpeg(37, 21)
    sizes = [jpeg_size(whole[:count]) for count in range(len(whole))]
    assert set(sizes) == {None, (37, 21)}
    assert sizes[:20] == [None] * 20


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (bomb(65_500, 65_500), f"65500 x 65500 pixels, at most {MAX_PIXELS}"),
        (b"\xff\xd8", "no picture"),
        (bytes(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1]), "no picture"),
    ],
)
def test_a_picture_that_is_none_or_too_large_is_refused_unseen(data: bytes, text: str) -> None:
    with running_agent() as agent, opened(agent.port) as device:
        device.load(DOUBLE, soon())
        with pytest.raises(Exception, match=text):
            device.infer({"x": data}, soon())
        np.testing.assert_array_equal(device.infer({"x": ONES}, soon()).outputs["y"], 2 * ONES)


def test_a_flood_of_noise_and_broken_frames_leaves_the_agent_as_it_was() -> None:
    rng = random.Random(7)
    with running_agent() as agent, PlainHost(agent.port, 2) as host:
        host.hello()
        host.load(DOUBLE_ONNX)
        before = host.ask("status")
        good = frame(pack({"type": "load-chunk", "seq": 1, "offset": 0, "data": bytes(500)}))
        for _ in range(400):
            broken = bytearray(good * rng.randint(1, 4))
            for _ in range(rng.randint(1, 30)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            os.write(host._fd, bytes(broken))
            os.write(host._fd, rng.randbytes(rng.randint(1, 3000)))
            host._pending = _drained(host)
        os.write(host._fd, b"\0")
        after = _settled(host)
        assert after["state"] == "ready"
        assert after["uptime_ns"] > before["uptime_ns"]
        dropped = ("framing_errors", "crc_errors", "payload_errors", "oversize_frames")
        assert sum(after["counters"][name] for name in dropped) > 400
        assert after["memory_bytes"] < before["memory_bytes"] + 32 * 2**20


def _drained(host: PlainHost) -> bytes:
    """What the agent said to noise that happened to be a request is of no interest."""
    while select.select([host._fd], [], [], 0)[0]:
        os.read(host._fd, 65536)
    return b""


def _settled(host: PlainHost) -> dict[str, Any]:
    """The answer to a status, whatever came before it."""
    seq = host.send("status")
    answer = host.receive()
    while answer["seq"] != seq:
        answer = host.receive()
    return answer


def test_a_frame_without_end_is_not_kept() -> None:
    with running_agent() as agent, PlainHost(agent.port, 2) as host:
        host.hello()
        before = host.ask("status")["memory_bytes"]
        for _ in range(256):
            os.write(host._fd, b"\1" * 65_536)
        os.write(host._fd, b"\0")
        after = host.ask("status")
        assert after["counters"]["oversize_frames"] == 1
        assert after["memory_bytes"] < before + 16 * 2**20


def test_an_upload_takes_what_it_announced_and_no_more() -> None:
    session = Session("1.0", Limits(max_model=1000))
    session.answer({"type": "hello", "seq": 0, "versions": [2]}, 0)
    number = session._session

    def ask(kind: str, **fields: object) -> messages.Answer:
        return session.answer({"type": kind, "seq": 1, "session": number, **fields}, 0)

    def code(answer: messages.Answer) -> str:
        assert isinstance(answer, messages.Error)
        return answer.code

    begin = {"name": "m", "sha256": "0" * 64}
    assert code(ask("load-begin", total=1001, **begin)) == "too-large"
    ask("load-begin", total=10, **begin)
    assert code(ask("load-chunk", offset=0, data=bytes(11))) == "offset"
    ask("load-chunk", offset=0, data=bytes(10))
    assert code(ask("load-chunk", offset=10, data=b"x")) == "offset"
    assert code(ask("load-end")) == "digest"
    assert code(ask("load-end")) == "offset"


_VALUES = st.none() | st.booleans() | st.integers(-1, 2**64) | st.binary(max_size=4) | st.text()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["type", "session", "target", "seq"]), _VALUES)))
def test_overhearing_anything_does_no_harm(plain: list[dict[str, object]]) -> None:
    session = Session("1.0", Limits())
    session.answer({"type": "hello", "seq": 0, "versions": [2]}, 0)
    for message in plain:
        session.overhear({**message, "type": "cancel"})
        session.overhear({**message, "session": session._session, "type": "cancel"})
    status = {"type": "status", "seq": 1, "session": session._session}
    assert isinstance(session.answer(status, 0), messages.Health)
