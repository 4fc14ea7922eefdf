"""Frames of the maker's bridge both ways."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.frames import CanFrame
from drivers.damiao.bridge_codec import (
    RECEIVED_LENGTH,
    SENT_LENGTH,
    BridgeDecoder,
    BridgeMessage,
    BridgeRequestDecoder,
    Report,
    encode_received,
    encode_sent,
)
from hil.errors import HarnessError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "damiao_can.json").read_text(encoding="utf-8")
)


@st.composite
def frames(draw: st.DrawFn) -> CanFrame:
    extended = draw(st.booleans())
    number = draw(st.integers(0, 0x1FFF_FFFF if extended else 0x7FF))
    remote = draw(st.none() | st.integers(0, 8))
    data = b"" if remote is not None else draw(st.binary(max_size=8))
    return CanFrame(number, data, extended=extended, remote_length=remote)


messages = st.builds(BridgeMessage, st.sampled_from(Report), frames())


@pytest.mark.parametrize("vector", VECTORS["bridge_sent"], ids=lambda vector: vector["name"])
def test_sent_vector_both_ways(vector: dict) -> None:
    frame = CanFrame(vector["id"], bytes.fromhex(vector["data"]))
    assert encode_sent(frame) == bytes.fromhex(vector["wire"])
    assert BridgeRequestDecoder().feed(bytes.fromhex(vector["wire"])) == [frame]


@pytest.mark.parametrize("vector", VECTORS["bridge_received"], ids=lambda vector: vector["name"])
def test_received_vector_both_ways(vector: dict) -> None:
    frame = CanFrame(vector["id"], bytes.fromhex(vector["data"]))
    message = BridgeMessage(Report.RECEIVED, frame)
    assert encode_received(message) == bytes.fromhex(vector["wire"])
    assert BridgeDecoder().feed(bytes.fromhex(vector["wire"])) == [message]


@pytest.mark.parametrize("frame", [CanFrame(1, bytes(8), fd=True), CanFrame(0x800)])
def test_frame_without_a_form_is_refused(frame: CanFrame) -> None:
    with pytest.raises(HarnessError):
        encode_sent(frame)
    with pytest.raises(HarnessError):
        encode_received(BridgeMessage(Report.RECEIVED, frame))


@given(frames())
def test_sent_round_trip(frame: CanFrame) -> None:
    assert BridgeRequestDecoder().feed(encode_sent(frame)) == [frame]


@given(st.lists(st.sampled_from(b"\x00\x01\x55\xff"), max_size=40).map(bytes), messages)
def test_noise_without_a_header_is_skipped_and_counted(noise: bytes, wanted: object) -> None:
    decoder = BridgeDecoder()
    assert isinstance(wanted, BridgeMessage)
    assert decoder.feed(noise + encode_received(wanted)) == [wanted]
    assert decoder.counters.skipped_bytes == len(noise)


@pytest.mark.parametrize("make", [BridgeDecoder, BridgeRequestDecoder])
@given(
    parts=st.lists(
        st.one_of(
            messages.map(encode_received),
            frames().map(encode_sent),
            st.lists(st.sampled_from(b"\x55\xaa\x1e\x11\x08"), max_size=60).map(bytes),
            st.binary(max_size=60),
        ),
        max_size=6,
    ),
    data=st.data(),
)
def test_any_split_decodes_the_same_within_bounded_memory(
    make: type, parts: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, pieces = make(), make()
    expected = whole.feed(stream)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += pieces.feed(stream[start:end])
        assert pieces.pending < SENT_LENGTH
    assert found == expected
    assert pieces.counters == whole.counters
    size = RECEIVED_LENGTH if make is BridgeDecoder else SENT_LENGTH
    used = size * whole.counters.messages + whole.counters.skipped_bytes + whole.pending
    assert used == len(stream)
