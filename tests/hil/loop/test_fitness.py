"""The host's self-test: what is measured, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hil.clock import VirtualClock
from hil.loop.fitness import HostState, Wakes, fit, judge_host, reasons
from hil.loop.realtime import Setting
from hil.loop.selftest import measure_wakes, self_test
from rigs.schema import Fitness

WAKES = Wakes(1000.0, 10.0, 10_000, 0, 2.0, 20.0, 60.0, 200.0)
GOOD = HostState(
    wakes=WAKES,
    stolen=0.001,
    load_1min=0.5,
    cores=4,
    governors=("performance (acpi-cpufreq)",) * 4,
    clock_source="tsc",
    rtprio_limit=99,
    memlock_limit_bytes=None,
    latency_timers_ms={"/dev/ttyUSB0": 1},
)


def test_a_good_host_is_fit() -> None:
    checks = judge_host(GOOD, Fitness())
    assert fit(checks)
    assert reasons(checks) == []
    assert all(check.limit for check in checks)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"wakes": replace(WAKES, p99_us=2500.0)}, "wake-up error p99"),
        ({"wakes": replace(WAKES, p999_us=10_001.0)}, "wake-up error p99.9"),
        ({"stolen": 0.06}, "stolen time"),
        ({"load_1min": 9.0}, "load per core"),
        ({"governors": ("powersave (acpi-cpufreq)",)}, "CPU governor"),
        ({"clock_source": "hpet"}, "clock source"),
        ({"latency_timers_ms": {"/dev/ttyUSB0": 16}}, "latency timer of /dev/ttyUSB0"),
    ],
)
def test_each_limit_makes_a_host_unfit_and_says_why(changes: dict[str, object], name: str) -> None:
    checks = judge_host(replace(GOOD, **changes), Fitness())
    assert not fit(checks)
    assert [check.name for check in checks if not check.ok] == [name]
    (reason,) = reasons(checks)
    assert reason.startswith(name)
    assert "limit" in reason
    assert len(reason.split("; ", 1)[1]) > 10, "a remedy"


def test_a_limit_on_the_maximum_is_judged_where_it_is_stated() -> None:
    assert fit(judge_host(GOOD, Fitness()))
    assert not fit(judge_host(GOOD, Fitness(wake_max_us=100.0)))


def test_a_driver_that_follows_the_load_is_not_called_slow() -> None:
    assert fit(judge_host(replace(GOOD, governors=("powersave (intel_pstate)",)), Fitness()))


def test_what_the_kernel_does_not_say_is_not_judged() -> None:
    silent = replace(GOOD, stolen=None, governors=(), clock_source=None, latency_timers_ms={})
    names = {check.name for check in judge_host(silent, Fitness())}
    assert names == {"wake-up error p99", "wake-up error p99.9", "load per core"}


def test_settings_count_where_they_are_required() -> None:
    refused = Setting("scheduler", "fifo 80", "other 0", "refused: Operation not permitted")
    left = Setting("cpus", None, "0,1")
    assert fit(judge_host(GOOD, Fitness(), [refused, left]))
    checks = judge_host(GOOD, Fitness(settings_required=True), [refused, left])
    assert [check.name for check in checks if not check.ok] == ["setting scheduler"]
    assert "not permitted" in reasons(checks)[0]


class LateClock(VirtualClock):
    """Every sleep ends late by the next of the stated times."""

    def __init__(self, late_ns: list[int]) -> None:
        super().__init__()
        self.late_ns = late_ns

    def sleep_until(self, stamp_ns: int) -> None:
        passed = stamp_ns <= self.now_ns()
        super().sleep_until(stamp_ns)
        if not passed and self.late_ns:
            self.advance(self.late_ns.pop(0))


def test_wakes_are_the_order_statistics_of_the_lateness() -> None:
    clock = LateClock([1000 * number for number in range(1, 101)])
    wakes = measure_wakes(clock, 1_000_000, 0.1)
    assert (wakes.count, wakes.skipped) == (100, 0)
    assert (wakes.p50_us, wakes.p999_us, wakes.max_us) == (51.0, 100.0, 100.0)


def test_a_stall_is_one_long_wake_and_skipped_points() -> None:
    wakes = measure_wakes(LateClock([0, 5_500_000]), 1_000_000, 0.02)
    assert wakes.max_us == 5500.0
    assert wakes.skipped == 4
    assert wakes.count == 16


def test_the_self_test_ends_when_it_is_told_to() -> None:
    clock = VirtualClock()
    wakes = measure_wakes(clock, 1_000_000, 10.0, stop=lambda: clock.now_ns() > 5_000_000)
    assert 0 < wakes.count < 10


def fake_system(root: Path) -> Path:
    files = {
        "proc/stat": "cpu  100 0 50 800 0 0 0 50 7 0\n",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "acpi-cpufreq\n",
        "sys/class/tty/ttyUSB7/device/latency_timer": "16\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


class StolenClock(VirtualClock):
    """A clock under which the hypervisor takes a tenth of the time."""

    def __init__(self, system: Path) -> None:
        super().__init__()
        self.stat = system / "proc/stat"

    def sleep_until(self, stamp_ns: int) -> None:
        super().sleep_until(stamp_ns)
        self.stat.write_text("cpu  190 0 50 800 0 0 0 60 7 0\n")


def test_facts_are_read_from_the_system(tmp_path: Path) -> None:
    system = fake_system(tmp_path)
    ports = ["/dev/ttyUSB7", "/dev/ttyACM0"]
    state = self_test(StolenClock(system), 1_000_000, 0.01, ports, system=system)
    assert state.stolen == pytest.approx(0.1)
    assert state.clock_source == "tsc"
    assert state.governors == ("powersave (acpi-cpufreq)",)
    assert state.latency_timers_ms == {"/dev/ttyUSB7": 16}
    assert state.as_data()["wakes"]["count"] == 10
    failed = {check.name for check in judge_host(state, Fitness(load_per_core=1e6)) if not check.ok}
    assert failed == {"stolen time", "CPU governor", "latency timer of /dev/ttyUSB7"}


def test_a_system_without_these_files_still_has_wakes(tmp_path: Path) -> None:
    state = self_test(VirtualClock(), 1_000_000, 0.01, ["/dev/ttyUSB7"], system=tmp_path)
    assert (state.stolen, state.clock_source, state.governors) == (None, None, ())
    assert state.wakes.count == 10
