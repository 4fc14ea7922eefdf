"""A model gets there over a line that loses frames, from where it stopped, or fails by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from terminal_loop import Rig, model_of, never

from drivers.terminal import messages
from drivers.terminal.codec import Decoder
from hil.errors import DeadlineMissed, LinkLost, ModelRefused, ProtocolError

MODEL = model_of(6000)
ZEROS = {"x": np.zeros((1, 3), np.float32)}


def chunk_bytes(rig: Rig) -> int:
    """Of the model, that reached the agent."""
    return sum(
        len(one["data"])  # type: ignore[arg-type]
        for one in rig.line.requests
        if one["type"] == "load-chunk"
    )


def test_without_loss_every_byte_goes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    rig.open().load(MODEL, rig.soon())
    assert rig.works()
    assert chunk_bytes(rig) == len(MODEL.content)
    assert rig.device.counters()["load_resumes"] == 0


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sets(st.integers(1, 40), max_size=8),
    st.sets(st.integers(1, 40), max_size=8),
    st.sampled_from([(1, 2), (1,)]),
)
def test_whatever_single_frames_are_lost_it_gets_there(
    monkeypatch: pytest.MonkeyPatch,
    to_agent: set[int],
    to_host: set[int],
    versions: tuple[int, ...],
) -> None:
    rig = Rig(
        monkeypatch,
        to_agent=lambda number: number in to_agent,
        to_host=lambda number: number in to_host,
        versions=versions,
    )
    device = rig.open()
    refusal = ""
    try:
        device.load(MODEL, rig.soon())
    except ProtocolError as error:
        refusal = error.message
    rig.line.to_agent = rig.line.to_host = never
    if refusal:  # only after attempts that brought nothing, of which version 1 has three in all
        assert "brought no more" in refusal
        assert len(to_agent) + len(to_host) >= 2
        device.load(MODEL, rig.soon())
    assert rig.works()


def test_a_lost_chunk_costs_what_was_behind_it_and_not_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch, to_agent=lambda number: number == 10)
    rig.open().load(MODEL, rig.soon())
    assert rig.works()
    counters = rig.device.counters()
    assert counters["load_resumes"] == 1
    assert 0 < counters["load_resent_bytes"] <= rig.limits.window


@pytest.mark.parametrize("number", [1, 2, 9, 14])
def test_a_lost_answer_is_noticed_by_the_next_and_not_by_time(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    rig = Rig(monkeypatch, to_host=lambda answer: answer == number)
    rig.open().load(MODEL, rig.soon())
    assert rig.works()
    assert rig.clock.now_ns() < 5e9


def test_a_link_that_was_lost_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    rig.open()
    rig.line.cut_after = rig.line.read_bytes + 100
    with pytest.raises(LinkLost):
        rig.device.load(MODEL, rig.soon())
    before = chunk_bytes(rig)
    assert 0 < before < len(MODEL.content)
    rig.line.cut_after = None
    rig.open().load(MODEL, rig.soon())
    assert rig.works()
    assert chunk_bytes(rig) == len(MODEL.content)


def test_by_version_1_it_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, versions=(1,), to_agent=lambda number: number == 10)
    rig.open().load(MODEL, rig.soon())
    assert rig.works()
    assert rig.device.counters()["load_resumes"] == 1
    assert rig.device.counters()["load_resent_bytes"] > rig.limits.window


def test_an_upload_of_another_model_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    rig.open()
    rig.line.cut_after = rig.line.read_bytes + 100
    with pytest.raises(LinkLost):
        rig.device.load(MODEL, rig.soon())
    rig.line.cut_after = None
    other = model_of(5000, "other")
    rig.open().load(other, rig.soon())
    assert rig.works()
    health = rig.line.session.answer(
        messages.Status(seq=1, session=rig.line.session._session).map(), 0
    )
    assert isinstance(health, messages.Health)
    assert (health.model, health.sha256) == ("other", other.sha256)


def test_bytes_that_somebody_else_had_begun_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    device = rig.open()
    session = rig.line.session._session
    total, sha256 = len(MODEL.content), MODEL.sha256
    begin = messages.LoadBegin(seq=1, name="x", total=total, sha256=sha256, session=session)
    rig.line.session.answer(begin.map(), 0)
    junk = messages.LoadChunk(seq=2, offset=0, data=b"junk" * 100, session=session)
    rig.line.session.answer(junk.map(), 0)
    device.load(MODEL, rig.soon())
    assert rig.works()
    assert device.counters()["load_resumes"] == 1


def test_a_wrong_digest_is_refused_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    with pytest.raises(ModelRefused, match="digest"):
        rig.open().load(replace(MODEL, sha256="0" * 64), rig.soon())
    assert chunk_bytes(rig) == len(MODEL.content)


def test_a_line_that_loses_every_chunk_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    device = rig.open()
    rig.line._decoder = Chunkless()
    with pytest.raises(ProtocolError, match=r"0 of .* and 3 attempts brought no more"):
        device.load(MODEL, rig.soon())
    assert rig.clock.now_ns() < 60e9


class Chunkless:
    """A decoder for a line on which long frames never arrive."""

    def __init__(self) -> None:
        self._decoder = Decoder()

    def feed(self, data: bytes) -> list[dict[str, object]]:
        return [one for one in self._decoder.feed(data) if one["type"] != "load-chunk"]


@pytest.mark.parametrize("step", ["ping", "load", "infer", "exchange"])
def test_a_silent_terminal_costs_the_deadline(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    rig = Rig(monkeypatch)
    device = rig.open()
    device.load(MODEL, rig.soon())
    rig.line.deaf = True
    calls = {
        "ping": lambda: device.ping(rig.soon(2)),
        "load": lambda: device.load(MODEL, rig.soon(2)),
        "infer": lambda: device.infer(ZEROS, rig.soon(2)),
        "exchange": lambda: device.exchange(rig.soon(2)),
    }
    begun_ns = rig.clock.now_ns()
    with pytest.raises(DeadlineMissed):
        calls[step]()
    assert rig.clock.now_ns() - begun_ns <= 2e9


@pytest.mark.parametrize("step", ["ping", "load", "infer"])
def test_unplugged_at_every_byte_of_an_answer_it_is_a_lost_link(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def prepared() -> Rig:
        rig = Rig(monkeypatch, window=8192)
        rig.open()
        if step == "infer":
            rig.device.load(MODEL, rig.soon())
        return rig

    def run(rig: Rig) -> None:
        match step:
            case "ping":
                rig.device.ping(rig.soon())
            case "load":
                rig.device.load(MODEL, rig.soon())
            case "infer":
                rig.device.infer(ZEROS, rig.soon())

    whole = prepared()
    before = whole.line.read_bytes
    run(whole)
    size = whole.line.read_bytes - before
    for cut in range(size):
        rig = prepared()
        rig.line.cut_after = rig.line.read_bytes + cut
        with pytest.raises(LinkLost):
            run(rig)
        assert not rig.device.make_safe(rig.soon()).safe


def test_noise_between_answers_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    rig.open()
    rig.line.babble = b"kernel: oops\n\x00"
    rig.device.load(MODEL, rig.soon())
    assert rig.works()
    counters = rig.device.counters()
    assert counters["framing_errors"] + counters["crc_errors"] > 10
