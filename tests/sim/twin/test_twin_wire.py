"""Messages of the scene link: round trips, any split, refusals."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import ProtocolError
from sim.twin.wire import MAX_MESSAGE, Unpacker, pack, pack_array, unpack_array

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
messages = st.dictionaries(st.text(max_size=8), values, max_size=4)


@settings(deadline=None)
@given(st.lists(messages, max_size=4), st.integers(1, 40))
def test_messages_come_back_whatever_the_split(sent: list[dict[str, object]], size: int) -> None:
    stream = b"".join(pack(message) for message in sent)
    unpacker = Unpacker()
    received = []
    for start in range(0, len(stream), size):
        received += unpacker.feed(stream[start : start + size])
    assert received == sent


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        messages = Unpacker().feed(data)
    except ProtocolError:
        return
    assert all(isinstance(message, dict) for message in messages)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (struct.pack(">I", MAX_MESSAGE + 1), "at most"),
        (struct.pack(">I", 1) + b"\xc1", "not MessagePack"),
        (struct.pack(">I", 1) + b"\x05", "a map was expected"),
    ],
)
def test_nonsense_is_refused(stream: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        Unpacker().feed(stream)


@pytest.mark.parametrize("message", [{"x": object()}, {"x": 2**70}, {"x": bytes(MAX_MESSAGE)}])
def test_what_cannot_travel_is_refused_at_the_sender(message: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        pack(message)


def test_an_array_comes_back() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    (message,) = Unpacker().feed(pack({"value": pack_array(picture)}))
    np.testing.assert_array_equal(unpack_array(message["value"]), picture)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"dtype": "|u1", "shape": [3], "data": b"ab"},
        {"dtype": "?!", "shape": [], "data": b""},
    ],
)
def test_what_is_no_array_is_refused(data: object) -> None:
    with pytest.raises(ProtocolError, match="not an array"):
        unpack_array(data)
