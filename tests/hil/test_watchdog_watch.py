"""What the watchdog sees of a process: its beats, its death, its silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from hil.clock import NS_PER_MS, NS_PER_S
from hil.watchdog.heart import Heart, Pulse
from hil.watchdog.line import Line, line_pair
from hil.watchdog.messages import Cause
from hil.watchdog.watch import LOOK_NS, Alarm, end_process, state_of, wait_ns, watch

FOR_EVER_NS = 3600 * NS_PER_S


@pytest.fixture
def heart() -> Iterator[Heart]:
    with closing(Heart.create()) as made:
        yield made


@pytest.fixture
def line() -> Iterator[Line]:
    ours, theirs = line_pair()
    with closing(ours), theirs:
        yield ours


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as child:
        yield child
        child.kill()


def watched(heart: Heart, child: subprocess.Popen[bytes], line: Line) -> Alarm | None:
    pidfd = os.pidfd_open(child.pid)
    try:
        return watch(heart, child.pid, pidfd, line)
    finally:
        os.close(pidfd)


def test_beats_and_allowances_are_seen_through_another_mapping(heart: Heart) -> None:
    with closing(Heart(os.dup(heart.fileno()))) as other:
        assert not other.pulse().armed
        heart.expect(5)
        first = other.pulse()
        assert first.armed
        assert first.due_ns == first.beat_ns + 5
        heart.beat()
        assert other.pulse().beat_ns > first.beat_ns
        heart.expect(7)
        assert other.pulse().allowance_ns == 7


@pytest.mark.parametrize(
    ("pulse", "now_ns", "expected_ns"),
    [
        (Pulse(0, 0), 10**15, LOOK_NS),
        (Pulse(1000, 5), 1002, 3),
        (Pulse(1000, 5), 1005, 0),
        (Pulse(1000, 5), 9999, 0),
        (Pulse(1000, FOR_EVER_NS), 1001, LOOK_NS),
    ],
    ids=["disarmed", "due soon", "due now", "overdue", "due late"],
)
def test_the_next_look_is_when_the_beat_is_due_or_sooner(
    pulse: Pulse, now_ns: int, expected_ns: int
) -> None:
    assert wait_ns(pulse, now_ns) == expected_ns


def test_death_counts_where_something_is_at_stake(
    heart: Heart, line: Line, process: subprocess.Popen[bytes]
) -> None:
    heart.expect(FOR_EVER_NS)
    beat_ns = heart.pulse().beat_ns
    process.kill()
    alarm = watched(heart, process, line)
    assert alarm is not None
    assert alarm.cause is Cause.DIED
    assert alarm.beat_ns == beat_ns < alarm.seen_ns


def test_an_end_with_nothing_at_stake_is_no_alarm(
    heart: Heart, line: Line, process: subprocess.Popen[bytes]
) -> None:
    heart.expect(FOR_EVER_NS)
    heart.expect(0)
    assert process.stdin is not None
    process.stdin.close()
    assert watched(heart, process, line) is None


def test_a_running_process_without_a_beat_hangs(
    heart: Heart, line: Line, process: subprocess.Popen[bytes]
) -> None:
    heart.expect(30 * NS_PER_MS)
    alarm = watched(heart, process, line)
    assert alarm.cause is Cause.HUNG
    assert "no sign of life" in alarm.detail
    assert alarm.seen_ns - alarm.beat_ns > 30 * NS_PER_MS


def test_a_stopped_process_is_told_from_one_that_hangs(
    heart: Heart, line: Line, process: subprocess.Popen[bytes]
) -> None:
    process.send_signal(signal.SIGSTOP)
    heart.expect(30 * NS_PER_MS)
    assert watched(heart, process, line).cause is Cause.SUSPENDED


def test_the_watch_goes_on_when_the_harness_is_gone(
    heart: Heart, process: subprocess.Popen[bytes]
) -> None:
    ours, theirs = line_pair()
    theirs.close()
    heart.expect(60 * NS_PER_MS)
    with closing(ours):
        assert watched(heart, process, ours).cause is Cause.HUNG


def test_a_stopped_process_is_ended_and_its_ports_are_free(
    process: subprocess.Popen[bytes],
) -> None:
    process.send_signal(signal.SIGSTOP)
    pidfd = os.pidfd_open(process.pid)
    try:
        assert end_process(pidfd)
        assert state_of(process.pid) == "Z", "it waits to be reaped, with everything closed"
    finally:
        os.close(pidfd)
    process.wait()
    assert state_of(process.pid) == "?"
