"""The codec against vectors made without it, and against anything a line can deliver."""

from __future__ import annotations

import json
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terminal_wire_independent import frame as independent_frame
from terminal_wire_independent import pack as independent_pack

from drivers.terminal.codec import Decoder, encode
from hil.errors import BadInput

_FILE = Path(__file__).parents[2] / "vectors" / "terminal_agent.json"
_VECTORS = json.loads(_FILE.read_text())


def _message(plain: Any) -> Any:
    if isinstance(plain, dict):
        if set(plain) == {"hex"}:
            return bytes.fromhex(plain["hex"])
        return {key: _message(value) for key, value in plain.items()}
    return [_message(item) for item in plain] if isinstance(plain, list) else plain


@pytest.mark.parametrize("vector", _VECTORS["good"], ids=itemgetter("name"))
def test_vectors_encode_and_decode(vector: dict[str, Any]) -> None:
    message, frame = _message(vector["message"]), bytes.fromhex(vector["frame"])
    assert encode(message) == frame
    assert Decoder().feed(frame) == [message]


@pytest.mark.parametrize("vector", _VECTORS["good"], ids=itemgetter("name"))
def test_vectors_agree_with_the_independent_implementation(vector: dict[str, Any]) -> None:
    payload = independent_pack(_message(vector["message"]))
    assert payload.hex() == vector["payload"]
    assert independent_frame(payload).hex() == vector["frame"]


@pytest.mark.parametrize("vector", _VECTORS["bad"], ids=itemgetter("name"))
def test_bad_frames_are_dropped_and_counted_and_the_next_one_is_read(
    vector: dict[str, Any],
) -> None:
    decoder = Decoder()
    good = {"seq": 1, "type": "ping"}
    assert decoder.feed(bytes.fromhex(vector["frame"]) + encode(good)) == [good]
    counted = {name: count for name, count in asdict(decoder.counters).items() if count}
    assert counted == {"frames": 1, vector["counter"]: 1}


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(0, 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=300)
)
_MESSAGES = st.dictionaries(
    st.text(max_size=20),
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        ),
        max_leaves=4,
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(_MESSAGES)
def test_any_message_round_trips_and_matches_the_independent_frame(message: Any) -> None:
    frame = encode(message)
    assert frame == independent_frame(independent_pack(message))
    assert frame.count(0) == 1
    assert Decoder().feed(frame) == [message]


@settings(max_examples=60, deadline=None)
@given(st.lists(_MESSAGES, min_size=1, max_size=4), st.data())
def test_any_split_decodes_the_same(sent: list[Any], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += decoder.feed(stream[start:end])
    assert received == sent
    assert decoder.pending == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_survived_within_bounded_memory(portions: list[bytes]) -> None:
    decoder = Decoder(max_frame=64)
    for portion in portions:
        decoder.feed(portion)
        assert decoder.pending <= 64
    ping = {"seq": 1, "type": "ping"}
    decoder.feed(b"\x00")
    assert decoder.feed(encode(ping)) == [ping]


@settings(max_examples=60, deadline=None)
@given(_MESSAGES, st.data())
def test_any_single_changed_byte_is_noticed(message: Any, data: st.DataObject) -> None:
    frame = bytearray(encode(message))
    place = data.draw(st.integers(0, len(frame) - 2))
    frame[place] ^= data.draw(st.integers(1, 255))
    assert message not in Decoder().feed(bytes(frame))


def test_an_oversize_frame_is_dropped_once_however_long_it_is() -> None:
    decoder = Decoder(max_frame=100)
    for _ in range(50):
        assert decoder.feed(b"\x01" * 1000) == []
        assert decoder.pending == 0
    ping = {"seq": 1, "type": "ping"}
    assert decoder.feed(b"\x00" + encode(ping)) == [ping]
    assert decoder.counters.oversize_frames == 1


def test_a_frame_of_exactly_the_limit_passes_and_one_more_byte_does_not() -> None:
    message = {"data": b"\x01" * 80}
    body = len(encode(message)) - 1
    assert Decoder(max_frame=body).feed(encode(message)) == [message]
    assert Decoder(max_frame=body - 1).feed(encode(message)) == []


def test_deeply_nested_payload_is_refused() -> None:
    decoder = Decoder()
    assert decoder.feed(independent_frame(b"\x81\xa1x" + b"\x91" * 100_000 + b"\xc0")) == []
    assert decoder.counters.payload_errors == 1


def test_announced_but_absent_items_take_no_memory() -> None:
    decoder = Decoder()
    assert decoder.feed(independent_frame(b"\x81\xa1x\xdd\xff\xff\xff\xff")) == []
    assert decoder.counters.payload_errors == 1


def test_a_message_too_long_for_the_receiver_is_refused_before_it_is_sent() -> None:
    with pytest.raises(BadInput, match="the receiver takes 1024"):
        encode({"type": "infer", "data": b"\x01" * 2000}, max_frame=1024)


def test_a_value_without_a_wire_type_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be packed"):
        encode({"type": "infer", "data": object()})


def test_the_specification_shows_these_vectors() -> None:
    text = (_FILE.parents[2] / "docs" / "terminal-agent.md").read_text(encoding="utf-8")
    section = text[text.index("## 5. Vectors") : text.index("## 6.")]
    shown = ["".join(block.split()).lower() for block in section.split("```")[1::2]]
    known = {vector["frame"] for vector in _VECTORS["good"] + _VECTORS["bad"]}
    assert len(shown) == 13
    assert set(shown) <= known
