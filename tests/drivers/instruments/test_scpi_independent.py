"""The emulated supply and meter as PyVISA-py sees them: SCPI by somebody else's hand.

Both are driven over a pseudo-terminal as a VISA serial resource; what PyVISA has set is read by
the testbed's own driver, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa
from instrument_bench import CLOCK, within
from pump import Pump, pumped

from hil.contracts import BenchContext, DeviceSpec, PowerSetting
from hil.plugins import DRIVERS, load
from sim.emulated import scpi

TIMEOUT_MS = 5000
"""Generous: only where no answer is expected a short one is asked for."""


@pytest.fixture(scope="module")
def visa() -> Iterator[pyvisa.ResourceManager]:
    manager = pyvisa.ResourceManager("@py")
    yield manager
    manager.close()


def resource(visa: pyvisa.ResourceManager, path: str, baud: int = 9600) -> Any:
    return visa.open_resource(
        f"ASRL{path}::INSTR",
        baud_rate=baud,
        read_termination="\n",
        write_termination="\n",
        timeout=TIMEOUT_MS,
    )


@pytest.fixture
def supply_line() -> Iterator[Pump]:
    line = pumped(scpi.SUPPLY.build(scpi.SupplyOptions(load_ohm=10.0)))
    with line:
        yield line


@pytest.fixture
def supply(visa: pyvisa.ResourceManager, supply_line: Pump) -> Iterator[Any]:
    with resource(visa, supply_line.path) as found:
        yield found


@pytest.fixture
def meter(visa: pyvisa.ResourceManager) -> Iterator[Any]:
    options = scpi.MeterOptions(volts=-1.25, amperes=2.5e-3, ohms=4.7e6)
    with pumped(scpi.METER.build(options)) as path, resource(visa, path) as found:
        yield found


def test_identity_has_the_four_fields_of_ieee_488_2(supply: Any, meter: Any) -> None:
    for instrument in (supply, meter):
        maker, model, serial, firmware = instrument.query("*IDN?").split(",")
        assert all((maker, model, serial, firmware))
        assert instrument.query("*OPC?") == "1"
        assert instrument.query("SYST:ERR?") == '0,"No error"'


def test_supply_is_set_switched_measured_and_reset(supply: Any) -> None:
    supply.write("VOLT 5;CURR 0.2")
    assert supply.query_ascii_values("VOLT?;:CURR?", separator=";") == [5.0, 0.2]
    assert supply.query_ascii_values("MEAS:VOLT?") == [0.0], "its output is off"
    supply.write("OUTP ON")
    assert supply.query("OUTP?") == "1"
    assert supply.query_ascii_values("MEAS:VOLT?") == [2.0], "0.2 A through 10 ohm"
    assert supply.query_ascii_values("MEAS:CURR?") == [0.2]
    supply.write("*RST")
    assert supply.query("OUTP?") == "0"
    assert supply.query_ascii_values("VOLT?") == [0.0]
    assert supply.query("SYST:ERR?") == '0,"No error"'


@pytest.mark.parametrize("header", ["MEASure:VOLTage?", "meas:volt?", ":MEASURE:VOLTAGE?"])
def test_headers_are_taken_long_and_short_in_any_case(supply: Any, header: str) -> None:
    supply.write("SOUR", termination="\n")  # no such header: one error is waiting
    supply.write("VOLTage 3")
    supply.write("OUTPut 1")
    assert supply.query_ascii_values(header) == [3.0]
    assert supply.query("SYSTem:ERRor:NEXT?").startswith("-113,")
    assert supply.query("syst:err?").startswith("0,")


@pytest.mark.parametrize(("command", "code"), [("VOLT 31", -222), ("VOLT high", -104)])
def test_what_the_supply_refuses_is_in_its_queue_and_changes_nothing(
    supply: Any, command: str, code: int
) -> None:
    supply.write("VOLT 4")
    supply.write(command)
    number, _, text = supply.query("SYST:ERR?").partition(",")
    assert int(number) == code
    assert text.startswith('"')
    assert text.endswith('"')
    assert supply.query_ascii_values("VOLT?") == [4.0]


def test_error_queue_is_bounded_says_so_and_can_be_cleared(supply: Any) -> None:
    for _ in range(12):
        supply.write("FROB")
    errors = [int(supply.query("SYST:ERR?").split(",")[0]) for _ in range(11)]
    assert errors == [-113] * 9 + [-350, 0]
    supply.write("FROB")
    supply.write("*CLS")
    assert supply.query("SYST:ERR?").startswith("0,")


def test_meter_measures_what_it_is_configured_for(meter: Any) -> None:
    for select, value in (
        ("CONF:VOLT:DC", -1.25),
        ("CONFigure:CURRent:DC", 2.5e-3),
        ("CONF:RES", 4.7e6),
    ):
        meter.write(select)
        assert meter.query_ascii_values("READ?") == [pytest.approx(value)]
    assert meter.query("SYST:ERR?").startswith("0,")
    meter.write("*RST")
    assert meter.query_ascii_values("READ?") == [pytest.approx(-1.25)]


def test_at_another_rate_nobody_answers(visa: pyvisa.ResourceManager, supply_line: Pump) -> None:
    with resource(visa, supply_line.path, baud=19_200) as supply:
        supply.timeout = 200
        with pytest.raises(pyvisa.errors.VisaIOError, match="Timeout"):
            supply.query("*IDN?")
    assert supply_line.status()["unheard_bytes"] == len("*IDN?\n")


def test_what_one_has_set_the_other_reads(visa: pyvisa.ResourceManager, supply_line: Pump) -> None:
    with resource(visa, supply_line.path) as supply:
        supply.write("VOLT 6.5;CURR 1;:OUTP ON")
        assert supply.query("OUTP?") == "1"
    spec = DeviceSpec("it", "scpi-supply", supply_line.path, {"model": "generic-supply"}, Path())
    device = load(DRIVERS, "scpi-supply")(spec, BenchContext(CLOCK))
    device.open(within())
    try:
        sample = device.read(within())
        assert (sample.volts, sample.amperes, sample.output_on) == (6.5, 0.65, True)
        device.set(PowerSetting(2.0, 0.5), within())
        assert device.make_safe(within()).safe
    finally:
        device.close()
    with resource(visa, supply_line.path) as supply:
        assert supply.query_ascii_values("VOLT?;:CURR?;:OUTP?", separator=";") == [2.0, 0.5, 0.0]
        assert supply.query("SYST:ERR?").startswith("0,"), "the driver left no error behind"
