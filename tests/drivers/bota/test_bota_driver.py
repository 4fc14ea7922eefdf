"""The driver against the emulated sensor on a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pump import Pump, pumped

from drivers.bota.codec import Frame
from drivers.bota.device import BotaSensor, build
from drivers.bota.stream import Newest
from hil.clock import NS_PER_MS, NS_PER_S, Deadline, WallClock
from hil.contracts import NEVER, BenchContext, DeviceSpec, Sensor
from hil.errors import BadInput, DeadlineMissed, HarnessError, LinkLost
from sim.emulated.bota import BotaOptions
from sim.emulated.bota import BotaSensor as Emulated

LOAD = (1.0, -2.0, 30.0, 0.5, -0.25, 0.125)
EXACT = {"noise_n": 0, "noise_nm": 0, "bias_n": 0, "bias_nm": 0, "gain_error": 0, "crosstalk": 0}
CLOCK = WallClock()


def within(seconds: float) -> Deadline:
    return Deadline.after_s(CLOCK, seconds)


def spec(address: str, **parameters: object) -> DeviceSpec:
    return DeviceSpec("wrist", "bota-ft", address, parameters, Path())


@contextmanager
def opened(**parameters: object) -> Iterator[tuple[BotaSensor, Pump]]:
    model = {**EXACT, "walk_n": 0, "walk_nm": 0}
    pump = pumped(Emulated(BotaOptions(load=LOAD, model=model)))
    with pump as path:
        device = build(spec(path, **parameters), BenchContext(CLOCK))
        device.open(within(5))
        try:
            yield device, pump
        finally:
            device.close()


def until(true: Callable[[], bool]) -> None:
    """Ask again and again. Errors: AssertionError after ten seconds."""
    patience = within(10)
    while not true():
        assert not patience.expired


def test_newtons_and_newton_metres_with_their_age() -> None:
    with opened() as (device, _):
        assert isinstance(device, Sensor)
        device.ping(within(5))
        sample = device.sample(within(1))
        assert sample.value == pytest.approx(LOAD, abs=0.011)
        assert (sample.age_ns >= 0).all()
        assert sample.present.all()
        assert device.facts.rate_hz == 800
        assert len(device.facts.units) == len(device.facts.labels) == 6
        assert all(finding.ok for finding in device.health(within(5)))
        proof = device.make_safe(within(5))
        assert proof.safe
        assert proof.readings["fz"] == pytest.approx(30.0, abs=0.011)


def test_asked_twice_it_says_the_same_again_older() -> None:
    with opened() as (device, pump):
        pump.control({"silent": True})
        until(lambda: bool((device.sample(within(1)).age_ns > 20 * NS_PER_MS).all()))
        first, second = device.sample(within(1)), device.sample(within(1))
        assert (first.value == second.value).all()
        assert (second.age_ns > first.age_ns).all()


def test_the_filter_that_is_asked_is_set() -> None:
    with opened(filter_length=256, fir=True) as (device, pump):
        assert pump.status()["filter"] == 256
        assert device.facts.rate_hz == 200
        assert device.identity(within(1)).detail["filter_length"] == 256


def test_a_silent_sensor_is_told_and_not_made_up() -> None:
    with opened() as (device, pump):
        pump.control({"silent": True})
        until(lambda: bool((device.sample(within(1)).age_ns > 20 * NS_PER_MS).all()))
        with pytest.raises(DeadlineMissed, match="no frame"):
            device.ping(within(0.05))
        (finding,) = device.health(within(0.05))
        assert not finding.ok
        assert finding.remedy
        assert not device.make_safe(within(0.05)).safe


def test_spoiled_frames_are_counted_and_the_next_one_is_read() -> None:
    with opened() as (device, pump):
        pump.control({"load": LOAD, "corrupt": 3})
        until(lambda: bool(device.sample(within(1)).stamp_ns) and _spoiled(device) >= 3)
        device.ping(within(5))
        assert device.sample(within(1)).value == pytest.approx(LOAD, abs=0.011)


def _spoiled(device: BotaSensor) -> int:
    return device.counters()["crc_errors"]


@pytest.mark.parametrize(("bit", "name"), [(1, "filter"), (2, "range"), (8, "calibration")])
def test_what_the_sensor_says_of_itself_is_a_finding(bit: int, name: str) -> None:
    with opened() as (device, pump):
        pump.control({"load": LOAD, "status": bit})
        until(lambda: not all(finding.ok for finding in device.health(within(5))))
        bad = [finding for finding in device.health(within(5)) if not finding.ok]
        assert [finding.name for finding in bad] == [name]
        assert device.sample(within(1)).present.all()


def test_a_measurement_that_is_not_valid_is_absent() -> None:
    with opened() as (device, pump):
        pump.control({"load": LOAD, "status": 4})
        until(lambda: not device.sample(within(1)).present.any())
        assert (device.sample(within(1)).age_ns == NEVER).all()
        assert device.counters()["invalid"] > 0


def test_an_unplugged_sensor_is_a_lost_link() -> None:
    with opened() as (device, pump):
        pump.unplug()
        with pytest.raises(LinkLost):
            until(lambda: device.sample(within(1)) is None)


def test_nobody_there_is_a_missed_answer() -> None:
    pump = pumped(Emulated(BotaOptions()))
    with pump as path:
        pump.control({"silent": True})
        device = build(spec(path), BenchContext(CLOCK))
        with pytest.raises(DeadlineMissed, match="no answer to 'C'"):
            device.open(within(0.2))
        with pytest.raises(HarnessError, match="not open"):
            device.sample(within(1))


def test_bad_parameters_are_refused() -> None:
    for wrong in ({"filter_length": 10}, {"rate_hz": 100}):
        with pytest.raises(BadInput):
            build(spec("/dev/made-up", **wrong), BenchContext(CLOCK))
    with pytest.raises(BadInput, match="needs a port"):
        build(spec(""), BenchContext(CLOCK))


def frame(time_us: int) -> Frame:
    return Frame(0, LOAD, time_us % (1 << 32), 25.0)


def test_what_waited_in_a_buffer_is_known_to_be_old() -> None:
    newest = Newest()
    newest.take([frame(0)], NS_PER_S)
    # ten seconds in which nobody read; the line kept the first 0.1 s of what came
    newest.take([frame(time_us) for time_us in range(1250, 100_000, 1250)], 11 * NS_PER_S)
    age_s = newest.sample(11 * NS_PER_S).age_ns / NS_PER_S
    assert np.all((age_s > 9.8) & (age_s < 10))
    newest.take([frame(10_000_000)], 11 * NS_PER_S)
    assert (newest.sample(11 * NS_PER_S).age_ns == 0).all()


def test_the_sensors_clock_may_turn_over() -> None:
    newest = Newest()
    newest.take([frame((1 << 32) - 500)], NS_PER_S)
    newest.take([frame((1 << 32) + 500)], NS_PER_S + NS_PER_MS)
    assert (newest.sample(NS_PER_S + NS_PER_MS).age_ns == 0).all()
