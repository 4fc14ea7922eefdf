"""A device's own watchdog: armed while the loop ticks, and in no pause."""

from __future__ import annotations

from typing import Any

import pytest
from episodes import Setup
from fakes import FakeArm

from hil.clock import Deadline, VirtualClock
from hil.contracts import SelfWatching
from hil.errors import DeadlineMissed, DeviceFault
from hil.record.format import EpisodeEnd
from hil.run.episode import Attempt


class WatchfulArm(FakeArm):
    """Falls silent for good once it was armed and heard nothing for its time-out."""

    def __init__(self, role: str, clock: VirtualClock) -> None:
        super().__init__(role, clock)
        self.timeout_s = 0.0
        self.heard_ns = 0
        self.fails_to: set[str] = set()

    def reach(self, name: str) -> None:
        now_ns = self.clock.now_ns()
        if self.timeout_s and now_ns - self.heard_ns > self.timeout_s * 1e9:
            raise DeviceFault(f"{self.role} has switched itself off")
        self.heard_ns = now_ns
        super().reach(name)

    def arm_watchdog(self, timeout_s: float, deadline: Deadline) -> float:
        self.reach("arm_watchdog")
        self.timeout_s = timeout_s
        return timeout_s

    def disarm_watchdog(self, deadline: Deadline) -> None:
        if "disarm" in self.fails_to:
            raise DeadlineMissed("no answer")
        self.reach("disarm_watchdog")
        self.timeout_s = 0.0


def watchful() -> tuple[Setup, WatchfulArm]:
    setup = Setup()
    arm = WatchfulArm("arm", setup.bench.clock)  # type: ignore[arg-type]
    assert isinstance(arm, SelfWatching)
    setup.bench.devices["arm"] = arm  # type: ignore[index]
    setup.scene.arm = arm
    return setup, arm


def events(attempt: Attempt) -> list[dict[str, Any]]:
    return [dict(one) for one in attempt.episode.events if one["event"] == "self-watch"]


def test_it_is_armed_for_the_loop_and_let_go_after_it() -> None:
    setup, arm = watchful()
    attempt = setup.run(loop={"duration_s": 0.4})
    assert attempt.end is EpisodeEnd.COMPLETED
    first, last = arm.calls.index("arm_watchdog"), arm.calls.index("disarm_watchdog")
    assert first < last
    assert arm.calls[first + 1 : last].count("command") == 20, "the whole loop lies between"
    assert events(attempt) == [
        {"event": "self-watch", "role": "arm", "asked_ms": 500, "timeout_ms": 500}
    ]


def test_a_loop_with_long_ticks_gets_a_longer_time() -> None:
    setup, _ = watchful()
    attempt = setup.run(loop={"duration_s": 0.2, "infer_timeout_ms": 600})
    (told,) = events(attempt)
    assert told["asked_ms"] == 2 * (2 * 20 + 6 + 600 + 2)


def test_a_silence_in_the_loop_trips_it() -> None:
    setup, _ = watchful()

    def act(row: int) -> None:
        if row == 5:
            setup.bench.clock.sleep_until(setup.bench.clock.now_ns() + 700_000_000)

    setup.act = act
    attempt = setup.run()
    assert attempt.end is EpisodeEnd.DEVICE_FAULT
    assert "switched itself off" in attempt.reason
    assert events(attempt)[-1]["left"] == "arm has switched itself off"


@pytest.mark.parametrize("duration_s", [0.2])
def test_one_that_cannot_be_let_go_ends_the_episode(duration_s: float) -> None:
    setup, arm = watchful()
    arm.fails_to.add("disarm")
    attempt = setup.run(loop={"duration_s": duration_s})
    assert attempt.end is EpisodeEnd.ERROR
    assert "DeadlineMissed: no answer" in attempt.reason
