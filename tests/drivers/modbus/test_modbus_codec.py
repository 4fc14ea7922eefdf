"""Frames against independent vectors, and what holds for all of them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.codec import (
    answer_frame,
    answer_of,
    answer_size,
    crc16,
    encode,
    request_frame,
    request_of,
)
from drivers.modbus.framing import AnswerDecoder, Decoder, reply_size, request_size
from drivers.modbus.messages import (
    MAX_FRAME,
    Bits,
    Done,
    ExceptionCode,
    Frame,
    MaskRegister,
    ReadBits,
    ReadRegisters,
    ReadWrite,
    Refused,
    Registers,
    Request,
    WriteBit,
    WriteBits,
    WriteRegister,
    WriteRegisters,
    exception_name,
)
from hil.errors import HarnessError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "modbus_rtu.json").read_text(encoding="utf-8")
)["vectors"]

CLOSE = (0x0900, 0x00FF, 0xFFFF)
REQUESTS = {
    "fc03_read_2_from_0": (1, ReadRegisters(0, 2)),
    "fc06_write_reg10_1234": (1, WriteRegister(10, 0x1234)),
    "exception_illegal_data_address": (1, ReadRegisters(0, 2)),
    "bad_crc": (1, ReadRegisters(0, 2)),
    "robotiq_reset_0x03E8": (9, WriteRegisters(0x03E8, (0, 0, 0))),
    "robotiq_activate_0x03E8": (9, WriteRegisters(0x03E8, (0x0100, 0, 0))),
    "robotiq_close_full_speed_force": (9, WriteRegisters(0x03E8, CLOSE)),
    "robotiq_open_full_speed_force": (9, WriteRegisters(0x03E8, (0x0900, 0, 0xFFFF))),
    "robotiq_status_activating": (9, ReadRegisters(0x07D0, 1)),
    "robotiq_status_activated": (9, ReadRegisters(0x07D0, 1)),
    "robotiq_status_object": (9, ReadRegisters(0x07D0, 3)),
    "robotiq_status_fc04": (9, ReadRegisters(0x07D0, 3, function=4)),
    "robotiq_fc23_write_and_read": (9, ReadWrite(0x07D0, 3, 0x03E8, CLOSE)),
    "inspire_rh56_modbus_angle_set_open": (1, WriteRegisters(1486, (1000,) * 6)),
}
ANSWERS = {
    "exception_illegal_data_address": Refused(2),
    "robotiq_status_activating": Registers((0x1100,)),
    "robotiq_status_fc04": Registers((0xB900, 0x00FF, 0xBD00)),
    "robotiq_fc23_write_and_read": Registers((0x3900, 0x00FF, 0x1000)),
}

units = st.integers(0, 255)
words = st.integers(0, 0xFFFF)
low = st.integers(0, 0xFF00)


def some_words(most: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(words, min_size=1, max_size=most).map(tuple)


def some_bits(most: int) -> st.SearchStrategy[tuple[bool, ...]]:
    return st.lists(st.booleans(), min_size=1, max_size=most).map(tuple)


requests = st.one_of(
    st.builds(ReadBits, low, st.integers(1, 256), st.sampled_from([1, 2])),
    st.builds(ReadRegisters, low, st.integers(1, 125), st.sampled_from([3, 4])),
    st.builds(WriteBit, words, st.booleans()),
    st.builds(WriteRegister, words, words),
    st.builds(WriteBits, low, some_bits(256)),
    st.builds(WriteRegisters, low, some_words(123)),
    st.builds(MaskRegister, words, words, words),
    st.builds(ReadWrite, low, st.integers(1, 125), low, some_words(121)),
)


@st.composite
def exchanges(draw: st.DrawFn) -> tuple:
    """A request and an answer that fits it."""
    request = draw(requests)
    if draw(st.integers(0, 4)) == 0:
        return request, Refused(draw(st.integers(0, 255)))
    if isinstance(request, ReadBits):
        size = request.count
        return request, Bits(draw(st.tuples(*[st.booleans()] * size)))
    if isinstance(request, ReadRegisters | ReadWrite):
        return request, Registers(draw(st.tuples(*[words] * request.count)))
    return request, Done()


streams = st.lists(
    st.one_of(
        st.builds(lambda unit, request: encode(request_frame(unit, request)), units, requests),
        st.builds(lambda unit, pair: encode(answer_frame(unit, *pair)), units, exchanges()),
        st.binary(max_size=40),
        st.lists(st.sampled_from([1, 3, 9, 16, 23, 0x83]), max_size=80).map(bytes),
    ),
    max_size=6,
)


def pieces(stream: bytes, data: st.DataObject) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def test_check_value_of_the_crc() -> None:
    assert crc16(b"123456789") == 0x4B37


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector_both_ways(vector: dict) -> None:
    unit, request = REQUESTS[vector["name"]]
    sent, received = bytes.fromhex(vector["tx"]), bytes.fromhex(vector["rx"])
    assert encode(request_frame(unit, request)) == sent
    (frame,) = Decoder(request_size).feed(sent)
    assert request_of(frame) == request
    assert len(received) == (5 if received[1] & 0x80 else answer_size(request))
    decoder = AnswerDecoder()
    decoder.expect(unit, request)
    found = decoder.feed(received)
    if vector["name"] == "bad_crc":
        assert found is None
        assert decoder.damaged == 1
        return
    assert found is not None
    answer = answer_of(request, found)
    assert answer is not None
    assert encode(answer_frame(unit, request, answer)) == received
    assert answer == ANSWERS.get(vector["name"], answer)
    if isinstance(vector["parsed"], list):
        assert answer == Registers(tuple(vector["parsed"]))
    assert Decoder(reply_size).feed(received) == [found]


def test_exceptions_have_names() -> None:
    assert exception_name(2) == "illegal address"
    assert exception_name(99) == "exception 99"


@pytest.mark.parametrize(
    "asked",
    [
        ReadRegisters(0, 126),
        ReadRegisters(0, 0),
        ReadRegisters(65535, 2),
        ReadRegisters(0, 1, function=5),
        ReadBits(0, 2001),
        WriteRegister(0, 65536),
        WriteRegister(-1, 0),
        WriteRegisters(0, ()),
        WriteRegisters(0, (0,) * 124),
        ReadWrite(0, 1, 0, (0,) * 122),
    ],
    ids=str,
)
def test_request_that_the_protocol_forbids(asked: Request) -> None:
    with pytest.raises(HarnessError):
        request_frame(1, asked)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(1, 0x2B, b"\x0e\x01\x00"), ExceptionCode.ILLEGAL_FUNCTION),
        (Frame(1, 3, b"\0\0\0"), ExceptionCode.ILLEGAL_VALUE),
        (Frame(1, 3, b"\0\0\0\0"), ExceptionCode.ILLEGAL_VALUE),
        (Frame(1, 5, b"\0\0\x12\x34"), ExceptionCode.ILLEGAL_VALUE),
        (Frame(1, 16, b"\0\0\0\x02\x02\0\0"), ExceptionCode.ILLEGAL_VALUE),
        (Frame(1, 16, b"\0\0\0"), ExceptionCode.ILLEGAL_VALUE),
        (Frame(1, 23, b"\0\0\0\x01\0\0\0\x02\x02\0\0"), ExceptionCode.ILLEGAL_VALUE),
    ],
    ids=str,
)
def test_request_that_deserves_an_exception(frame: Frame, code: ExceptionCode) -> None:
    assert request_of(frame) == code


@given(units, requests)
def test_any_request_round_trips(unit: int, asked: Request) -> None:
    wire = encode(request_frame(unit, asked))
    (frame,) = Decoder(request_size).feed(wire)
    assert frame.unit == unit
    assert request_of(frame) == asked


@given(units, exchanges())
def test_any_answer_round_trips(unit: int, exchange: tuple) -> None:
    asked, answer = exchange
    wire = encode(answer_frame(unit, asked, answer))
    decoder = AnswerDecoder()
    decoder.expect(unit, asked)
    frame = decoder.feed(wire)
    assert frame is not None
    assert answer_of(asked, frame) == answer
    assert Decoder(reply_size).feed(wire) == [frame]


@given(units, st.integers(1, 20), st.data())
def test_answer_that_holds_a_whole_answer_is_not_cut(
    unit: int, count: int, data: st.DataObject
) -> None:
    inner = encode(answer_frame(unit, ReadRegisters(0, 1), Registers((7,)))) + bytes(1)
    values = tuple(int.from_bytes(inner[i : i + 2], "big") for i in range(0, len(inner), 2))
    before = data.draw(st.tuples(*[words] * count))
    asked = ReadRegisters(0, count + len(values))
    answer = Registers(before + values)
    decoder = AnswerDecoder()
    decoder.expect(unit, asked)
    found = [decoder.feed(bytes((b,))) for b in encode(answer_frame(unit, asked, answer))]
    assert [answer_of(asked, frame) for frame in found if frame] == [answer]


@given(st.lists(st.sampled_from(range(256)), max_size=40).map(bytes), exchanges())
def test_answer_behind_noise_comes_at_once(noise: bytes, exchange: tuple) -> None:
    asked, answer = exchange
    noise = bytes(byte for byte in noise if byte != 17)
    decoder = AnswerDecoder()
    decoder.expect(17, asked)
    frame = decoder.feed(noise + encode(answer_frame(17, asked, answer)))
    assert frame is not None
    assert answer_of(asked, frame) == answer


def test_answer_of_another_unit_before_the_right_one_is_a_stray() -> None:
    asked = ReadRegisters(0, 1)
    other = answer_frame(2, asked, Registers((5,)))
    right = answer_frame(1, asked, Registers((6,)))
    decoder = AnswerDecoder()
    decoder.expect(1, asked)
    assert decoder.feed(encode(other) + encode(right) + encode(other)) == right
    assert decoder.take_strays() == [other, other]
    assert decoder.take_strays() == []
    assert decoder.noise_bytes == 0


def test_acknowledgement_of_another_write_is_a_stray() -> None:
    late = answer_frame(1, WriteRegister(10, 1), Done())
    right = answer_frame(1, WriteRegister(10, 2), Done())
    decoder = AnswerDecoder()
    decoder.expect(1, WriteRegister(10, 2))
    assert decoder.feed(encode(late) + encode(right)) == right
    assert decoder.take_strays() == [late]


def test_refusal_behind_a_false_start_shows_when_the_line_falls_silent() -> None:
    asked = ReadRegisters(0, 20)
    refusal = answer_frame(1, asked, Refused(4))
    decoder = AnswerDecoder()
    decoder.expect(1, asked)
    assert decoder.feed(bytes((1, 3, 40, 0)) + encode(refusal)) is None
    assert decoder.pending == 9
    assert decoder.finish() == refusal
    assert decoder.held == 0


def test_frame_of_an_unknown_function_ends_with_the_gap() -> None:
    decoder = Decoder(request_size)
    odd = Frame(1, 0x2B, b"\x0e\x01\x00")
    assert decoder.feed(encode(odd)) == []
    assert decoder.finish() == [odd]
    assert decoder.counters.noise_bytes == 0


@given(streams, st.data())
def test_any_split_decodes_the_same(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    for sizer in (request_size, reply_size):
        whole, split = Decoder(sizer), Decoder(sizer)
        expected = whole.feed(stream)
        found = [frame for piece in pieces(stream, data) for frame in split.feed(piece)]
        assert found == expected
        assert split.finish() == whole.finish()
        assert split.counters == whole.counters


@given(streams, units, requests, st.data())
def test_any_split_answers_the_same(
    parts: list[bytes],
    unit: int,
    asked: Request,
    data: st.DataObject,
) -> None:
    stream = b"".join(parts)
    whole, split = AnswerDecoder(), AnswerDecoder()
    whole.expect(unit, asked)
    split.expect(unit, asked)
    expected = whole.feed(stream)
    found = [split.feed(piece) for piece in pieces(stream, data)]
    assert [frame for frame in found if frame] == ([expected] if expected else [])
    assert split.finish() == whole.finish()
    assert split.take_strays() == whole.take_strays()
    assert (split.damaged, split.noise_bytes) == (whole.damaged, whole.noise_bytes)


@given(streams, units, requests)
def test_all_bytes_are_accounted_for_in_bounded_memory(
    parts: list[bytes],
    unit: int,
    asked: Request,
) -> None:
    decoder, master = Decoder(request_size), AnswerDecoder()
    master.expect(unit, asked)
    frames, answers = [], []
    for part in parts:
        frames += decoder.feed(part)
        answers.append(master.feed(part))
        assert decoder.pending <= MAX_FRAME
        assert master.held <= 2 * MAX_FRAME
    frames += decoder.finish()
    answers.append(master.finish())
    total = sum(map(len, parts))
    used = sum(len(encode(frame)) for frame in frames)
    assert used + decoder.counters.noise_bytes == total
    taken = [frame for frame in answers if frame] + master.take_strays()
    assert sum(len(encode(frame)) for frame in taken) + master.noise_bytes == total
    assert decoder.counters.frames == len(frames)


@given(units, st.integers(0, 255), st.binary(max_size=252))
def test_any_frame_is_understood_or_deserves_an_exception(
    unit: int, function: int, body: bytes
) -> None:
    asked = request_of(Frame(unit, function, body))
    if not isinstance(asked, ExceptionCode | WriteBits):  # unused bits may be set
        assert request_frame(unit, asked) == Frame(unit, function, body)


@given(requests, st.integers(0, 255), st.binary(max_size=252))
def test_any_answer_fits_or_is_none(asked: Request, function: int, body: bytes) -> None:
    answer = answer_of(asked, Frame(1, function, body))
    if answer is not None and not isinstance(answer, Bits):  # unused bits may be set
        assert answer_frame(1, asked, answer) == Frame(1, function, body)
