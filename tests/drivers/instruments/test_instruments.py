"""Supply, meter, relays and load cell over the wire, in order and with what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from instrument_bench import CLOCK, bench, within
from pump import Pump

from drivers.loadcell.codec import STANDARD_GRAVITY, parse_line
from drivers.relay.codec import board
from hil.contracts import (
    BenchContext,
    DeviceSpec,
    Force,
    Meter,
    Power,
    PowerSetting,
    Switches,
)
from hil.errors import BadInput, DeadlineMissed, DeviceFault, LinkLost
from hil.plugins import DRIVERS, load
from sim.emulated import loadcell, relay, scpi

SUPPLY = {"model": "generic-supply", "most_volts": 12.0}
RELAYS = {"lamp": {"channel": 0}, "fan": {"channel": 2, "safe_on": True}}


@pytest.fixture
def supply() -> Iterator[tuple[Any, Pump]]:
    with bench("scpi-supply", scpi.SUPPLY, SUPPLY) as opened:
        yield opened


def test_a_supply_is_set_switched_and_measured(supply: tuple[Any, Pump]) -> None:
    device, pump = supply
    assert isinstance(device, Power)
    assert device.identity(within()).serial == "0001"
    taken = device.set(PowerSetting(5.0, 2.0), within())
    assert taken == PowerSetting(5.0, 2.0)
    assert device.read(within()).volts == 0.0, "its output is off: nothing was switched on"
    assert device.switch(True, within()) is True
    sample = device.read(within())
    assert (sample.volts, sample.amperes, sample.output_on) == (5.0, 0.5, True)
    pump.control({"load_ohm": 1.0})
    limited = device.read(within())
    assert (limited.volts, limited.amperes) == (2.0, 2.0), "the current limit holds"
    assert all(finding.ok for finding in device.health(within()))


def test_safe_is_output_off_with_what_is_left_at_its_terminals(supply: tuple[Any, Pump]) -> None:
    device, pump = supply
    device.set(PowerSetting(5.0, 2.0), within())
    device.switch(True, within())
    for _ in range(2):
        proof = device.make_safe(within())
        assert (proof.safe, proof.state) == (True, "output off")
        assert proof.readings == {"output": False, "volts": 0.0}
    assert pump.status()["output_on"] is False


def test_what_supply_and_rig_do_not_allow_is_refused_before_anything_is_sent(
    supply: tuple[Any, Pump],
) -> None:
    device, pump = supply
    before = pump.status()["requests"]
    with pytest.raises(BadInput, match=r"13 V is outside .*\n.*0 to 12 V"):
        device.set(PowerSetting(13.0, 1.0), within())
    assert pump.status()["requests"] == before


def test_what_the_supply_itself_refuses_is_its_own_word() -> None:
    wide = {"model": "generic-supply"}
    with bench("scpi-supply", scpi.SUPPLY, wide, {"most_volts": 10.0}) as (device, _):
        with pytest.raises(DeviceFault, match=r"refuses 'VOLT 20\.0000': -222 Data out"):
            device.set(PowerSetting(20.0, 1.0), within())
        assert device.counters()["instrument_errors"] == 1
        assert all(finding.ok for finding in device.health(within())), "the queue was emptied"


def test_a_late_answer_is_never_the_answer_to_another_question(supply: tuple[Any, Pump]) -> None:
    device, pump = supply
    device.set(PowerSetting(7.0, 1.0), within())
    pump.control({"delay_ms": 150.0})
    with pytest.raises(DeadlineMissed):
        device.read(within(0.02))
    pump.control({})
    device.switch(True, within())
    assert device.read(within()).volts == 7.0
    counted = device.counters()
    assert counted["lost_answers"] == 1
    assert counted["late_answers"] + counted["stale_lines"] >= 1


def test_a_silent_supply_is_not_safe_and_keeps_its_deadlines(supply: tuple[Any, Pump]) -> None:
    device, pump = supply
    pump.control({"silent": True})
    with pytest.raises(DeadlineMissed, match="no answer"):
        device.read(within(0.05))
    proof = device.make_safe(within(0.05))
    assert (proof.safe, proof.state) == (False, "unknown")
    (finding,) = device.health(within(0.05))
    assert not finding.ok
    assert finding.remedy


def test_garbage_is_a_fault_with_what_was_said(supply: tuple[Any, Pump]) -> None:
    device, pump = supply
    pump.control({"garbled": True})
    with pytest.raises(DeviceFault, match="is no answer to 'MEAS:VOLT"):
        device.read(within())


def read_on(device: Any) -> None:
    for _ in range(4):
        device.read(within(2.0))


@pytest.mark.parametrize("after", range(7))
def test_unplugged_within_an_answer(after: int) -> None:
    with bench("scpi-supply", scpi.SUPPLY, SUPPLY) as (device, pump):
        pump.unplug(after)
        with pytest.raises(LinkLost):
            read_on(device)
        assert device.make_safe(within(0.1)).safe is False


def test_a_meter_measures_what_it_was_told_to() -> None:
    parameters = {"model": "generic-meter", "quantity": "ohms"}
    with bench("scpi-meter", scpi.METER, parameters, {"ohms": 470.0}) as (device, pump):
        assert isinstance(device, Meter)
        reading = device.read(within())
        assert (reading.value, reading.unit) == (470.0, "ohm")
        assert pump.status()["selected"] == "ohms"
        pump.control({"overload": True})
        with pytest.raises(DeviceFault, match="overload at 'READ"):
            device.read(within())
        assert device.make_safe(within()).safe is False, "an overload is nothing to rely on"


def test_an_instrument_of_one_s_own_is_a_file(tmp_path: Path) -> None:
    text = 'model = "mine"\nmost_volts = 30\nmost_amperes = 1\nset_volts = "VOLT {value:.2f}"\n'
    (tmp_path / "mine.toml").write_text(text)
    parameters = {"model": "mine.toml"}
    with bench("scpi-supply", scpi.SUPPLY, parameters, base=tmp_path) as (device, _):
        assert device.set(PowerSetting(1.234, 0.5), within()).volts == 1.23
        assert device.identity(within()).detail["commands"] == "mine"


@pytest.mark.parametrize(
    "row", ['line_end = "\u2028"', 'set_volts = "\u00dc {value}"', 'set_volts = "VOLT"']
)
def test_an_instrument_that_could_never_be_told(row: str, tmp_path: Path) -> None:
    text = f'model = "mine"\nmost_volts = 30\nmost_amperes = 1\n{row}\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    spec = DeviceSpec("it", "scpi-supply", "/dev/null", {"model": "mine.toml"}, tmp_path)
    with pytest.raises(BadInput, match=row.partition(" ")[0]):
        load(DRIVERS, "scpi-supply")(spec, BenchContext(CLOCK))


@pytest.mark.parametrize(
    ("driver", "parameters", "says"),
    [
        ("scpi-supply", {"model": "nothing"}, "known: generic-meter, generic-supply"),
        ("scpi-meter", {"model": "generic-meter", "quantity": "lux"}, "it measures volts-dc"),
        ("usb-relay", {"model": "numato", "relays": {}}, "relays"),
        ("load-cell", {"most_n": 10, "unit": "stone"}, "known are N"),
        ("load-cell", {"most_n": 10, "line_end": "\u2028"}, "no such line can carry"),
        ("hid-estop", {"report_bytes": 1, "byte": 0}, "vendor_id and product_id"),
    ],
)
def test_parameters_that_cannot_be(driver: str, parameters: dict[str, Any], says: str) -> None:
    spec = DeviceSpec("it", driver, "/dev/null", parameters, Path())
    with pytest.raises(BadInput) as caught:
        load(DRIVERS, driver)(spec, BenchContext(CLOCK))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("driver", "parameters"),
    [
        ("scpi-supply", SUPPLY),
        ("scpi-meter", {"model": "generic-meter", "quantity": "ohms"}),
        ("usb-relay", {"model": "numato", "relays": RELAYS}),
        ("load-cell", {"most_n": 10}),
        ("estop-box", {}),
    ],
)
def test_a_rig_file_without_a_port_is_told_so(driver: str, parameters: dict[str, Any]) -> None:
    spec = DeviceSpec("it", driver, "", parameters, Path())
    with pytest.raises(BadInput, match=rf"device 'it' \(driver {driver}\) needs a port") as caught:
        load(DRIVERS, driver)(spec, BenchContext(CLOCK))
    assert "hil scan" in caught.value.remedy


@pytest.mark.parametrize("model", ["numato", "lcus"])
def test_relays_switch_and_are_read_back(model: str) -> None:
    parameters = {"model": model, "relays": RELAYS}
    with bench("usb-relay", relay.EMULATOR, parameters, {"model": model}) as (device, pump):
        assert isinstance(device, Switches)
        assert device.states(within()) == {"lamp": False, "fan": False}
        assert device.switch("lamp", True, within()) is True
        assert device.states(within()) == {"lamp": True, "fan": False}
        assert pump.status()["relay_0"] is True
        proof = device.make_safe(within())
        assert (proof.safe, dict(proof.readings)) == (True, {"lamp": False, "fan": True})
        with pytest.raises(BadInput, match="has no relay 'door'"):
            device.switch("door", True, within())
        pump.control({"stuck": [0]})
        with pytest.raises(DeviceFault, match="lamp did not switch on"):
            device.switch("lamp", True, within())
        pump.control({"stuck": [2]})
        device.switch("fan", True, within())
        pump.control({"silent": True})
        proof = device.make_safe(within(0.05))
        assert not proof.safe
        assert "lamp" in proof.state


def test_the_bytes_of_both_families_of_relays() -> None:
    lcus, numato = board("lcus"), board("numato")
    assert lcus.switch(0, True) == bytes.fromhex("A00101A2")
    assert lcus.switch(1, False) == bytes.fromhex("A00200A2")
    assert numato.switch(0, True) == b"relay on 0\r"
    assert numato.ask(10) == b"relay read A\r"
    assert numato.state(">relay read 0", 0) is None, "the echo is no answer"
    assert lcus.state("CH1: ON ", 0) is True
    assert lcus.state("CH1: ON", 1) is None


def test_a_load_cell_streams_newtons_with_their_age() -> None:
    parameters = {"channels": ["left", "right"], "unit": "gf", "most_n": 20.0}
    options = {"channels": 2, "load": (100.0, -50.0)}
    with bench("load-cell", loadcell.EMULATOR, parameters, options) as (device, pump):
        assert isinstance(device, Force)
        device.ping(within())
        sample = device.read(within())
        expected = np.array([0.1, -0.05]) * STANDARD_GRAVITY
        np.testing.assert_allclose(sample.newtons, expected, rtol=1e-9)
        assert (sample.age_ns >= 0).all()
        tared = device.tare(within())
        np.testing.assert_allclose(tared, expected, rtol=1e-9)
        device.ping(within())
        np.testing.assert_allclose(device.read(within()).newtons, 0.0, atol=1e-9)
        pump.control({"overload": True})
        device.ping(within())
        assert np.isnan(device.read(within()).newtons).all(), "an overload is no number"
        assert not device.health(within())[0].ok


def test_a_load_cell_that_falls_silent_is_absent_once_it_is_stale() -> None:
    parameters = {"most_n": 20.0, "stale_ms": 60.0}
    with bench("load-cell", loadcell.EMULATOR, parameters, {"load": (3.0,)}) as (device, pump):
        device.ping(within())
        assert device.read(within()).newtons[0] == 3.0
        pump.control({"silent": True})
        while not np.isnan((sample := device.read(within())).newtons[0]):
            assert sample.newtons[0] == 3.0, "until then the last one, with its age"
        assert sample.age_ns[0] > 60_000_000
        with pytest.raises(DeadlineMissed):
            device.ping(within(0.05))


def test_a_load_that_moves_is_not_tared() -> None:
    parameters = {"most_n": 20.0, "rest_n": 0.01}
    options = {"load": (3.0,), "noise": 0.2}
    with (
        bench("load-cell", loadcell.EMULATOR, parameters, options) as (device, _),
        pytest.raises(DeviceFault, match="the load is not at rest"),
    ):
        device.tare(within())


def test_a_gauge_that_has_to_be_asked() -> None:
    parameters = {"most_n": 20.0, "ask": "?", "line_end": "\r"}
    options = {"ask": "?", "unit": "ozF", "load": (16.0,)}
    with bench("load-cell", loadcell.EMULATOR, parameters, options) as (device, _):
        np.testing.assert_allclose(device.read(within()).newtons, [4.4482216152605])


@pytest.mark.parametrize(
    ("line", "channels", "unit", "newtons"),
    [
        ("1.5", 1, "N", [1.5]),
        ("- 2.0 kgf", 1, "N", [-19.6133]),
        ("-\t.25", 1, "N", [-0.25]),
        ("1,2,3", 3, "mN", [0.001, 0.002, 0.003]),
        ("1,2", 3, "N", None),
        ("1.5 furlongs", 1, "N", None),
        ("", 1, "N", None),
    ],
)
def test_lines_of_numbers(line: str, channels: int, unit: str, newtons: list[float] | None) -> None:
    found = parse_line(line, channels, unit)
    assert found == (None if newtons is None else pytest.approx(newtons))
