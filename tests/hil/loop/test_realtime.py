"""Settings asked and obtained, undone on leaving, and noted where they are refused."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from pydantic import ValidationError

from hil.loop.realtime import Setting, realtime, scheduler_now
from rigs.schema import Realtime


def by_name(settings: tuple[Setting, ...]) -> dict[str, Setting]:
    return {setting.name: setting for setting in settings}


def state() -> tuple[object, ...]:
    slack = Path("/proc/self/timerslack_ns").read_text()
    locked = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmLck" in line
    )
    return (
        gc.isenabled(),
        gc.get_freeze_count() > 0,
        sys.getswitchinterval(),
        os.sched_getaffinity(0),
        scheduler_now(),
        slack,
        locked,
    )


def test_what_is_not_asked_for_is_left_and_told() -> None:
    before = state()
    with realtime(Realtime()) as settings:
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
        assert state()[2:] == before[2:]
    assert state() == before
    found = by_name(settings)
    assert found["garbage_collector"].obtained == "off"
    assert found["scheduler"].asked is None
    assert found["cpus"].obtained
    assert all(setting.met for setting in settings)


def test_everything_is_undone_even_after_an_error() -> None:
    before = state()
    cpu = max(os.sched_getaffinity(0))
    asked = Realtime(cpus=[cpu], switch_interval_us=500, timer_slack_us=3)
    seen: dict[str, object] = {}

    def episode() -> None:
        with realtime(asked) as settings:
            seen.update(state=state(), settings=settings)
            raise RuntimeError("in the episode")

    with pytest.raises(RuntimeError, match="in the episode"):
        episode()
    assert state() == before
    settings = cast("tuple[Setting, ...]", seen["settings"])
    assert cast("tuple[object, ...]", seen["state"])[2:4] == (pytest.approx(5e-4), {cpu})
    assert all(setting.met for setting in settings)
    assert by_name(settings)["timer_slack_us"].obtained == 3


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with realtime(Realtime()) as settings:
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert by_name(settings)["garbage_collector"].obtained == "off"


def test_a_cpu_that_does_not_exist_is_a_note_and_no_error() -> None:
    before = os.sched_getaffinity(0)
    with realtime(Realtime(cpus=[4095])) as settings:
        assert os.sched_getaffinity(0) == before
    setting = by_name(settings)["cpus"]
    assert not setting.met
    assert "refused" in setting.note
    assert os.sched_getaffinity(0) == before


def test_a_missing_latency_device_is_a_note(tmp_path: Path) -> None:
    with realtime(Realtime(cpu_dma_latency_us=0), tmp_path / "none") as settings:
        pass
    setting = by_name(settings)["cpu_dma_latency_us"]
    assert (setting.obtained, setting.met) == (None, False)
    assert "No such file" in setting.note


def test_the_latency_request_lasts_as_long_as_the_episode(tmp_path: Path) -> None:
    device = tmp_path / "cpu_dma_latency"
    device.write_bytes(b"")
    with realtime(Realtime(cpu_dma_latency_us=20), device) as settings:
        assert str(device) in held()
    assert str(device) not in held()
    assert by_name(settings)["cpu_dma_latency_us"].obtained == 20


def held() -> list[str]:
    """What this process has open; the listing's own descriptor may be gone by then."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return found


def test_refusals_are_noted_with_what_would_permit_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with realtime(Realtime(scheduler="fifo", priority=10)) as settings:
        assert scheduler_now() == "other 0"
    setting = by_name(settings)["scheduler"]
    assert (setting.asked, setting.obtained, setting.met) == ("fifo 10", "other 0", False)
    assert "rtprio" in setting.note
    assert json.loads(json.dumps(setting.as_data()))["met"] is False


WITHOUT_RIGHTS = """
import json, os, sys
from hil.loop.realtime import realtime
from rigs.schema import Realtime
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
asked = Realtime(scheduler="fifo", priority=80, lock_memory=True, cpu_dma_latency_us=0)
with realtime(asked) as settings:
    inside = [setting.as_data() for setting in settings]
with realtime(Realtime()) as settings:
    after = [setting.as_data() for setting in settings]
print(json.dumps([inside, after]))
"""


def test_a_process_without_rights_runs_with_what_it_gets() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_RIGHTS], capture_output=True, timeout=20, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    inside, after = json.loads(ended.stdout)
    assert {row["name"] for row in inside} == {row["name"] for row in after}
    for row in inside:
        assert row["met"] or row["note"], row
    assert {row["obtained"] for row in after if row["name"] == "scheduler"} == {"other 0"}
    assert {row["obtained"] for row in after if row["name"] == "memory"} == {"not locked"}


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"scheduler": "fifo"}, "80 is usual"),
        ({"scheduler": "other", "priority": 5}, "goes with"),
        ({"priority": 5}, "goes with"),
        ({"scheduler": "deadline", "priority": 5}, "other"),
        ({"cpus": []}, "at least 1"),
        ({"spin": 5}, "not permitted"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(asked: dict[str, object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        Realtime.model_validate(asked)
