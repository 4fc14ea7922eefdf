"""Lines and messages against what a real parser said, and against anything a line can deliver."""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.mlperf_tiny import codec
from drivers.mlperf_tiny.lines import (
    MAX_COMMAND,
    MAX_LINE,
    CommandReader,
    LineReader,
    data_commands,
    encode_command,
)
from hil.errors import HarnessError

_FILE = Path(__file__).parents[2] / "vectors" / "mlperf_tiny.json"
VECTORS = json.loads(_FILE.read_text())


def _plain(message: codec.Message) -> list[Any]:
    """A message as the vectors write it; stamps and results belong to the run."""
    match message:
        case codec.Mark():
            return [message.removeprefix("m-")]
        case codec.Name(device, vendor):
            return ["name", device, vendor]
        case codec.Profile(text):
            return ["profile", text]
        case codec.Model(text):
            return ["model", text]
        case codec.Lap():
            return ["lap"]
        case codec.Expecting(count):
            return ["expecting", count]
        case codec.Buffer(data):
            return ["buffer", data.hex()]
        case codec.WarmupStart(count):
            return ["warmup-start", count]
        case codec.InferStart(count):
            return ["infer-start", count]
        case codec.Results():
            return ["results"]
        case codec.Failure(text):
            return ["failure", text]
        case codec.Note(text):
            return ["note", text]
    return [type(message).__name__]


def decoded(data: bytes) -> list[codec.Message]:
    return [heard.message for heard in codec.Decoder().feed(data)]


@pytest.mark.parametrize("vector", VECTORS["session"], ids=itemgetter("what"))
def test_what_a_board_said_means_what_it_means(vector: dict[str, Any]) -> None:
    assert [_plain(one) for one in decoded(vector["answer"].encode())] == vector["means"]


def test_the_boot_says_how_time_is_told() -> None:
    mode, lap, *marks = decoded(VECTORS["boot"].encode())
    assert isinstance(mode, codec.TimestampMode)
    assert isinstance(lap, codec.Lap)
    assert marks == [codec.Mark.INIT_DONE, codec.Mark.READY]
    assert decoded(b"m-timestamp-mode-energy\r\n") == [codec.TimestampMode("energy")]


def test_pipelined_answers_come_apart() -> None:
    found = decoded(VECTORS["pipelined"]["answer"].encode())
    assert found == [codec.Name("dut", "unspecified"), codec.Mark.READY] * 3


@pytest.mark.parametrize("port", VECTORS["other_ports"], ids=itemgetter("what"))
def test_results_as_other_ports_print_them(port: dict[str, Any]) -> None:
    assert codec.parse(port["line"]) == codec.Results(tuple(port["values"]))


@pytest.mark.parametrize("text", ["m-results-[1,,2]", "m-results-[one]", "m-results-[1", "m-new-1"])
def test_a_message_without_its_form_is_kept_as_text(text: str) -> None:
    assert codec.parse(text) == codec.Other(text)


def test_an_io_manager_says_what_is_its_own() -> None:
    heard = codec.Decoder().feed(VECTORS["io_manager"]["answer"].encode())
    assert [one.relayed for one in heard] == [False, False] + [True] * 8
    assert heard[0].message == codec.Passthrough("infer 1")
    assert [one.message for one in heard if isinstance(one.message, codec.Lap)] == [
        codec.Lap(67410227),
        codec.Lap(67565820),
    ]


def test_debug_output_is_told_from_messages_and_a_glued_ready_is_found() -> None:
    decoder = codec.Decoder()
    heard = decoder.feed(b"temperature 41\r\nloading... m-ready\r\n")
    assert [one.message for one in heard] == [
        codec.Note("temperature 41"),
        codec.Note("loading... "),
        codec.Mark.READY,
    ]
    assert (decoder.counters.debug_lines, decoder.counters.glued_lines) == (1, 1)


def test_cr_and_nul_are_taken_out_and_noise_is_no_message() -> None:
    assert decoded(b"\x00m-rea\x00dy\r\r\n") == [codec.Mark.READY]
    assert decoded(b"\xffm-ready!\n") == [codec.Note("\\xffm-ready!")]


def test_a_line_without_end_is_dropped_once_and_the_next_one_is_read() -> None:
    reader = LineReader()
    for _ in range(50):
        assert reader.feed(b"#" * 1000) == []
        assert reader.pending <= MAX_LINE
    assert reader.feed(b"\nm-ready\r\n") == ["m-ready"]
    assert (reader.counters.overlong_lines, reader.counters.lines) == (1, 1)
    assert reader.feed(b"x" * MAX_LINE + b"\n") == ["x" * MAX_LINE]


_LINES = st.lists(
    st.sampled_from([vector["answer"] for vector in VECTORS["session"]])
    | st.text("abc -[]m%e0\r", max_size=30).map(lambda text: text + "\n"),
    min_size=1,
    max_size=5,
).map(lambda parts: "".join(parts).encode())


@settings(max_examples=60, deadline=None)
@given(_LINES, st.data())
def test_any_split_is_heard_the_same(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = codec.Decoder()
    heard = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += [one.message for one in decoder.feed(stream[start:end])]
    assert heard == decoded(stream)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_survived_within_bounded_memory(portions: list[bytes]) -> None:
    decoder = codec.Decoder()
    decoder.lines = LineReader(longest=64)
    for portion in portions:
        decoder.feed(portion)
        assert decoder.lines.pending <= 64
    decoder.feed(b"\n")
    assert decoder.feed(b"m-ready\r\n") == [codec.Heard(codec.Mark.READY)]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_message(text: str) -> None:
    assert isinstance(codec.parse(text), codec.Message)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.integers(1, 37))
def test_data_arrives_in_commands_that_no_board_cuts(data: bytes, size: int) -> None:
    commands = list(data_commands(data, size))
    # taken apart as the reference's parser does: a word, and digits in pairs
    arrived = b"".join(bytes.fromhex(command.split(" ")[1]) for command in commands)
    assert arrived == data
    assert all(len(command) <= MAX_COMMAND for command in commands)


def test_a_command_of_31_bytes_is_as_long_as_the_reference_s_host_sends() -> None:
    (command,) = data_commands(bytes(31))
    assert len(encode_command(command)) == 66


@pytest.mark.parametrize(
    "command", ["", "   ", "name\r\n", "name\n", "name%", "näme", "a" * 81, "\x00", "tab\t"]
)
def test_what_harms_a_board_is_never_sent(command: str) -> None:
    with pytest.raises(HarnessError):
        encode_command(command)


@pytest.mark.parametrize("vector", VECTORS["session"], ids=itemgetter("what"))
def test_commands_are_read_as_sent_and_cut_at_80(vector: dict[str, Any]) -> None:
    command = vector["command"].encode()
    assert CommandReader().feed(command + b"%") == [command[:MAX_COMMAND]]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.data())
def test_commands_do_not_depend_on_the_split(stream: bytes, data: st.DataObject) -> None:
    whole = CommandReader().feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = CommandReader()
    parts = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        parts += reader.feed(stream[start:end])
    assert parts == whole
    assert all(len(command) <= MAX_COMMAND for command in whole)


def test_a_nul_ends_a_command_as_it_ends_a_string() -> None:
    assert CommandReader().feed(b"name\x00x%%") == [b"name", b""]
