"""The simulated terminal: real answers, declared time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.clock import Deadline, VirtualClock
from hil.contracts import (
    NEVER,
    BenchContext,
    DeviceSpec,
    Inference,
    ModelImage,
    OverlappedInference,
)
from hil.errors import BadInput, DeadlineMissed, DeviceFault, ModelRefused
from hil.record.format import TICK, TickFlag
from models.zoo import find_model, load_card
from sim.tasks.gauge_read import TASK, Parameters
from sim.terminal import SimTerminal, build
from sim.terminal_time import InferTime
from sim.terminal_time import Parameters as TimeParameters

_MODEL: ModelImage = load_card(find_model("gauge-reading"))[1]


_HERE = Path()


def _terminal(clock: VirtualClock, base: Path = _HERE, **parameters: Any) -> SimTerminal:
    spec = DeviceSpec("terminal", "sim-terminal", "", parameters, base)
    terminal = build(spec, BenchContext(clock))
    terminal.open(Deadline.after_s(clock, 1))
    return terminal


def _picture() -> bytes:
    draw = TASK.draw(Parameters(frames=1), np.random.default_rng(3))
    return bytes(TASK.stimuli(draw)[0]["image"])


def test_the_declared_time_passes_and_nothing_else() -> None:
    clock = VirtualClock()
    terminal = _terminal(clock, infer_us=2500)
    assert isinstance(terminal, Inference)
    terminal.load(_MODEL, Deadline.after_s(clock, 1))
    clock.advance(1000)
    result = terminal.infer({"image": _picture()}, Deadline.after_s(clock, 1))
    assert clock.now_ns() == 1000 + 2_500_000
    assert (result.stamps.received_ns, result.stamps.start_ns) == (1000, 1000)
    assert (result.stamps.end_ns, result.stamps.sent_ns) == (2_501_000, 2_501_000)
    again = terminal.infer({"image": _picture()}, Deadline.after_s(clock, 1))
    np.testing.assert_array_equal(result.outputs["reading"], again.outputs["reading"])


def test_a_declared_time_past_the_deadline_is_a_missed_deadline() -> None:
    clock = VirtualClock()
    terminal = _terminal(clock, infer_us=30_000)
    terminal.load(_MODEL, Deadline.after_s(clock, 1))
    with pytest.raises(DeadlineMissed, match="30000 us"):
        terminal.infer({"image": _picture()}, Deadline.after_s(clock, 0.018))
    assert clock.now_ns() == 18_000_000
    assert terminal.counters()["late_answers"] == 1


def test_a_wrong_digest_is_refused() -> None:
    clock = VirtualClock()
    with pytest.raises(ModelRefused, match="0" * 64):
        _terminal(clock).load(replace(_MODEL, sha256="0" * 64), Deadline.after_s(clock, 1))


def test_safe_is_without_a_network() -> None:
    clock = VirtualClock()
    terminal = _terminal(clock)
    terminal.load(_MODEL, Deadline.after_s(clock, 1))
    proof = terminal.make_safe(Deadline.after_s(clock, 1))
    assert (proof.safe, proof.state, proof.role) == (True, "idle", "terminal")
    with pytest.raises(DeviceFault, match="no model"):
        terminal.infer({"image": _picture()}, Deadline.after_s(clock, 1))


def test_unknown_parameters_are_named() -> None:
    with pytest.raises(
        BadInput, match=r"parameters\.infer_ms: .* expected in microseconds, as .infer_us"
    ):
        _terminal(VirtualClock(), infer_ms=3)


def _loaded(clock: VirtualClock, base: Path = _HERE, **parameters: Any) -> SimTerminal:
    terminal = _terminal(clock, base, **parameters)
    terminal.load(_MODEL, Deadline.after_s(clock, 1))
    return terminal


def test_asked_without_being_waited_for_it_takes_its_time_meanwhile() -> None:
    clock = VirtualClock()
    terminal = _loaded(clock, infer_us=3000)
    assert isinstance(terminal, OverlappedInference)
    ticket = terminal.submit({"image": _picture()}, Deadline.after(clock, 0))
    assert clock.now_ns() == 0
    clock.advance(2_000_000)
    assert terminal.collect(Deadline.after(clock, 0)) is None
    clock.advance(2_000_000)
    found = terminal.collect(Deadline.after(clock, 0))
    assert found is not None
    assert found[0] == ticket
    assert (found[1].asked_ns, found[1].answered_ns) == (0, 4_000_000)
    assert (found[1].stamps.start_ns, found[1].stamps.end_ns) == (0, 3_000_000)
    assert terminal.collect(Deadline.after(clock, 0)) is None


def test_collecting_may_wait_on_the_clock_of_the_run() -> None:
    clock = VirtualClock()
    terminal = _loaded(clock, infer_us=3000)
    terminal.submit({"image": _picture()}, Deadline.after(clock, 0))
    assert terminal.collect(Deadline.after(clock, 1_000_000)) is None
    assert clock.now_ns() == 1_000_000
    assert terminal.collect(Deadline.after(clock, 10_000_000)) is not None
    assert clock.now_ns() == 3_000_000


def test_one_inference_after_another_and_only_the_newest_waits() -> None:
    clock = VirtualClock()
    terminal = _loaded(clock, infer_us=3000)
    first, _, third = (
        terminal.submit({"image": _picture()}, Deadline.after(clock, 0)) for _ in "123"
    )
    assert terminal.counters()["outrun_answers"] == 1, "the second never started"
    clock.advance(3_000_000)
    found = terminal.collect(Deadline.after(clock, 0))
    assert found is not None
    assert found[0] == first
    clock.advance(3_000_000)
    found = terminal.collect(Deadline.after(clock, 0))
    assert found is not None
    assert found[0] == third
    assert found[1].stamps.start_ns == 3_000_000, "it waited for the one before"
    assert terminal.counters() == {"late_answers": 0, "outrun_answers": 1}


def test_of_two_that_are_finished_the_newest_is_taken() -> None:
    clock = VirtualClock()
    terminal = _loaded(clock, infer_us=1000)
    for _ in range(2):
        newest = terminal.submit({"image": _picture()}, Deadline.after(clock, 0))
        clock.advance(1_000_000)
    found = terminal.collect(Deadline.after(clock, 0))
    assert found is not None
    assert found[0] == newest
    assert terminal.counters()["outrun_answers"] == 1


def test_measured_time_is_that_of_the_call_and_the_record_says_so() -> None:
    clock = VirtualClock()
    watch = iter([100, 4_000_100])
    time = InferTime(TimeParameters(infer="measured"), _HERE)
    terminal = SimTerminal("terminal", time, BenchContext(clock), stopwatch=lambda: next(watch))
    terminal.open(Deadline.after_s(clock, 1))
    terminal.load(_MODEL, Deadline.after_s(clock, 1))
    result = terminal.infer({"image": _picture()}, Deadline.after_s(clock, 1))
    assert clock.now_ns() == 4_000_000
    assert (result.asked_ns, result.answered_ns) == (0, 4_000_000)
    detail = terminal.identity(Deadline.after_s(clock, 1)).detail
    assert (detail["infer"], detail["reproducible"]) == ("measured", False)
    assert "infer_us" not in detail


def test_a_real_call_takes_measured_time() -> None:
    clock = VirtualClock()
    terminal = _loaded(clock, infer="measured")
    terminal.infer({"image": _picture()}, Deadline.after_s(clock, 60))
    assert clock.now_ns() > 0


def _recorded(folder: Path) -> Path:
    """Ticks of 2 ms by the host's stamps, 7 ms by the stage, one unanswered, one not asked."""
    ticks = np.zeros(4, TICK)
    for name in ("asked_ns", "answered_ns", "device_start_ns"):
        ticks[name] = NEVER
    ticks["infer_ns"] = [9_000_000, 7_000_000, 18_000_000, 1_000]
    ticks["asked_ns"][0], ticks["answered_ns"][0] = 1_000_000, 3_000_000
    ticks["device_start_ns"][:2] = 5
    ticks["flags"][2] = TickFlag.NO_ANSWER
    path = folder / "ticks.npy"
    np.save(path, ticks)
    return path


def test_recorded_times_are_replayed_in_order_and_again_from_the_start(tmp_path: Path) -> None:
    _recorded(tmp_path)
    clock = VirtualClock()
    terminal = _loaded(clock, tmp_path, infer="recorded", recorded_ticks="ticks.npy")
    took = []
    for _ in range(4):
        begun = clock.now_ns()
        terminal.infer({"image": _picture()}, Deadline.after_s(clock, 1))
        took.append(clock.now_ns() - begun)
    assert took == [2_000_000, 7_000_000, 18_000_001, 2_000_000]
    detail = terminal.identity(Deadline.after_s(clock, 1)).detail
    assert (detail["infer"], detail["recorded_inferences"]) == ("recorded", 3)
    assert len(str(detail["recorded_sha256"])) == 64


def test_a_recorded_answer_that_never_came_misses_the_same_time_out_again(tmp_path: Path) -> None:
    _recorded(tmp_path)
    clock = VirtualClock()
    terminal = _loaded(clock, tmp_path, infer="recorded", recorded_ticks="ticks.npy")
    for _ in range(2):
        terminal.infer({"image": _picture()}, Deadline.after_s(clock, 1))
    with pytest.raises(DeadlineMissed):
        terminal.infer({"image": _picture()}, Deadline.after(clock, 18_000_000))


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"infer": "recorded"}, "recorded_ticks goes with"),
        ({"recorded_ticks": "ticks.npy"}, "recorded_ticks goes with"),
        ({"infer": "guessed"}, "declared"),
        ({"infer": "recorded", "recorded_ticks": "none.npy"}, "cannot be read"),
        ({"infer": "recorded", "recorded_ticks": "other.npy"}, "not a record of ticks"),
        ({"infer": "recorded", "recorded_ticks": "idle.npy"}, "no inference was asked"),
    ],
)
def test_times_that_cannot_be_used_are_refused(
    parameters: dict[str, Any], says: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "other.npy", np.zeros(3))
    idle = np.zeros(3, TICK)
    for name in ("asked_ns", "answered_ns", "device_start_ns"):
        idle[name] = NEVER
    np.save(tmp_path / "idle.npy", idle)
    with pytest.raises(BadInput, match=says):
        _terminal(VirtualClock(), tmp_path, **parameters)
