"""The agent's session without a line: any map in, one answer out."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from terminal_fixtures import DOUBLE

from drivers.terminal import messages
from drivers.terminal.session import Limits, Session, superseded

_KEYS = st.sampled_from(
    ["type", "seq", "inputs", "offset", "data", "total", "sha256", "name", "versions", "preprocess"]
)
_VALUES = (
    st.sampled_from([*sorted(messages.requests().types), "result", ""])
    | st.integers(-1, 2**33)
    | st.binary(max_size=8)
    | st.none()
    | st.booleans()
    | st.lists(st.integers(0, 2), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2)
)


def _session() -> Session:
    session = Session("1.0", Limits(max_model=1000))
    session.answer({"type": "hello", "seq": 0, "versions": [1]}, 0)
    return session


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=6), max_size=6))
def test_any_map_gets_exactly_one_answer(plain: list[dict[str, object]]) -> None:
    session = _session()
    for message in plain:
        assert isinstance(session.answer(message, 0), messages.Answer)


def _load(session: Session, **changes: Any) -> messages.Answer:
    begin = messages.LoadBegin(
        seq=1, name=DOUBLE.name, total=len(DOUBLE.content), sha256=DOUBLE.sha256, **changes
    )
    session.answer(begin.map(), 0)
    session.answer(messages.LoadChunk(seq=2, offset=0, data=DOUBLE.content).map(), 0)
    return session.answer(messages.LoadEnd(seq=3).map(), 0)


def _state(session: Session) -> str:
    health = session.answer(messages.Status(seq=9).map(), 0)
    assert isinstance(health, messages.Health)
    return health.state


def test_states_follow_the_specification() -> None:
    session = _session()
    assert _state(session) == "idle"
    assert isinstance(_load(session), messages.Loaded)
    assert _state(session) == "ready"
    session.answer(messages.LoadBegin(seq=4, name="m", total=5, sha256="0" * 64).map(), 0)
    assert _state(session) == "loading"
    session.answer(messages.Reset(seq=5).map(), 0)
    assert _state(session) == "idle"


def test_preprocess_for_an_input_the_network_lacks_is_refused() -> None:
    image: dict[str, Any] = {"width": 8, "height": 8, "color": "gray", "scale": 1.0}
    session = _session()
    answer = _load(session, preprocess={"picture": image})
    assert isinstance(answer, messages.Error)
    assert (answer.code, _state(session)) == ("model", "idle")
    assert "picture" in answer.text


def test_more_bytes_than_announced_are_refused() -> None:
    session = _session()
    session.answer(messages.LoadBegin(seq=1, name="m", total=2, sha256="0" * 64).map(), 0)
    answer = session.answer(messages.LoadChunk(seq=2, offset=0, data=b"abc").map(), 0)
    assert isinstance(answer, messages.Error)
    assert answer.code == "offset"


def test_a_missing_end_is_refused() -> None:
    session = _session()
    session.answer(messages.LoadBegin(seq=1, name="m", total=2, sha256="0" * 64).map(), 0)
    answer = session.answer(messages.LoadEnd(seq=2).map(), 0)
    assert isinstance(answer, messages.Error)
    assert (answer.code, answer.text) == ("digest", "0 of 2 bytes were received")


def test_only_the_newest_inference_of_a_batch_is_run() -> None:
    batch = [{"type": kind} for kind in ("infer", "ping", "infer", "status", "infer", "ping")]
    assert superseded(batch) == {0, 2}
    assert superseded([{"type": "ping"}]) == frozenset()
