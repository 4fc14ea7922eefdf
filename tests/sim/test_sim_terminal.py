"""The simulated terminal: real answers, declared time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.clock import Deadline, VirtualClock
from hil.contracts import BenchContext, DeviceSpec, Inference, ModelImage
from hil.errors import BadInput, DeadlineMissed, DeviceFault, ModelRefused
from models.zoo import find_model, load_card
from sim.tasks.gauge_read import TASK, Parameters
from sim.terminal import SimTerminal, build

_MODEL: ModelImage = load_card(find_model("gauge-reading"))[1]


def _terminal(clock: VirtualClock, **parameters: Any) -> SimTerminal:
    spec = DeviceSpec("terminal", "sim-terminal", "", parameters, Path())
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
    assert terminal.counters() == {"late_answers": 1}


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
