"""A twin whose host process is held up for some milliseconds: nothing old is taken for new."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from damiao_chains import STEP, emulator, spec
from stalled_twin import StalledTwin

from drivers.can.slcan import open_slcan
from drivers.damiao.chain import DamiaoChain, build
from hil.clock import NS_PER_MS, NS_PER_S, NS_PER_US, Deadline, VirtualClock
from hil.contracts import BenchContext

AFTER_FIVE_ANSWERS_NS = 1600 * NS_PER_US
LONGER_THAN_THE_TIME_OUT_NS = 8 * NS_PER_MS
LAST_OF_SURVEY = b"3324"
"""A question about register 36, the last that `open` reads, as it stands in its line."""


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def twin(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> StalledTwin:
    made = StalledTwin(clock, emulator())
    monkeypatch.setattr(
        "drivers.damiao.chain.open_line",
        lambda _, parameters, clock, deadline: open_slcan(made, parameters.bus, clock, deadline),
    )
    return made


@pytest.fixture
def chain(twin: StalledTwin, clock: VirtualClock) -> DamiaoChain:
    """Open; the host was held up while the last register was read, after five of eight answers,
    so that three motors were asked for it twice and their second answers are still to come."""
    asked: list[bytes] = []

    def stall_once(data: bytes) -> None:
        if LAST_OF_SURVEY in data:
            asked.append(data)
            if len(asked) == 1:
                twin.stall(AFTER_FIVE_ANSWERS_NS, LONGER_THAN_THE_TIME_OUT_NS)

    twin.heard = stall_once
    device = build(spec("stalled", answer_timeout_ms=5), BenchContext(clock))
    device.open(Deadline.after(clock, 10 * NS_PER_S))
    assert [data.count(LAST_OF_SURVEY) for data in asked] == [8, 3]
    return device


@pytest.fixture
def within(clock: VirtualClock) -> Callable[[], Deadline]:
    return lambda: Deadline.after(clock, NS_PER_S)


def test_second_answer_about_a_register_is_no_state(
    chain: DamiaoChain, within: Callable[[], Deadline]
) -> None:
    assert np.abs(chain.read(within()).position).max() < STEP
    assert chain.counters()["late_answers"] == 3


def test_arm_that_is_enabled_then_stays_where_it_is(
    chain: DamiaoChain, twin: StalledTwin, within: Callable[[], Deadline]
) -> None:
    """Its target is where it said that it is: an answer taken for a state would be a turn away,
    and the arm would leap there."""
    chain.enable(within())
    twin.pass_time(NS_PER_S)
    assert chain.make_safe(within()).safe
    twin.pass_time(2 * NS_PER_S)
    assert np.abs(twin.position).max() < 2 * STEP
