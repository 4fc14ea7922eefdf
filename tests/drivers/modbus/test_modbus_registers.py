"""Devices described by a file: the file of the documentation, read, served and driven."""

from __future__ import annotations

import math
import re
import struct
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modbus_bench import CLOCK, soon
from pump import Pump, pumped

from drivers.modbus.generic import ModbusRegisters, build
from drivers.modbus.register_file import RegisterFile, RegisterRow, load_register_file
from hil.clock import NS_PER_MS
from hil.contracts import BenchContext, Capability, DeviceSpec, Meter, Rescue, Switches, WireUse
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HarnessError, LinkLost
from sim.emulated.modbus import EMULATOR

DOCUMENT = Path(__file__).parents[3] / "docs" / "modbus-registers.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
FILE, RIG, TWIN = BLOCKS
RIG_PARAMETERS = tomllib.loads(RIG)["devices"][0]["parameters"]
TWIN_OPTIONS = tomllib.loads(TWIN)["twin"]["ports"]["box"]


class Box:
    """The documentation's box, served from its file, and drivers for it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        (folder / "bench-box.toml").write_text(FILE, encoding="utf-8")
        options = dict(TWIN_OPTIONS)
        del options["emulator"]
        checked = EMULATOR.options.model_validate(options, context={"base": folder})
        self.pump: Pump = pumped(EMULATOR.build(checked))
        self.path = stack.enter_context(self.pump)

    def driver(self, **parameters: object) -> ModbusRegisters:
        given = {**RIG_PARAMETERS, "attempts": 1, **parameters}
        spec = DeviceSpec("box", "modbus-registers", self.path, given, self.folder)
        device = build(spec, BenchContext(CLOCK))
        self._stack.callback(device.close)
        return device

    def opened(self, **parameters: object) -> ModbusRegisters:
        device = self.driver(**parameters)
        device.open(soon())
        return device


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with ExitStack() as stack:
        yield Box(tmp_path, stack)


def test_documented_box_is_a_meter_and_switches(box: Box) -> None:
    device = box.opened()
    assert device.capabilities == {Capability.METER, Capability.SWITCHES}
    assert isinstance(device, Meter)
    assert isinstance(device, Switches)
    reading = device.read(soon())
    assert (reading.value, reading.unit) == (pytest.approx(21.5), "degC")
    assert reading.stamp_ns <= CLOCK.now_ns()
    assert device.names == ("lamp", "fan", "valve")
    assert device.states(soon()) == {"lamp": False, "fan": False, "valve": False}
    for name in device.names:
        assert device.switch(name, True, soon()) is True
        assert box.pump.status()[name] is True
    assert device.states(soon()) == {"lamp": True, "fan": True, "valve": True}
    assert device.switch("valve", False, soon()) is False


def test_setup_is_written_and_read_back(box: Box) -> None:
    box.opened()
    assert box.pump.status()["averaging"] == 8


def test_values_of_every_type_over_the_wire(box: Box) -> None:
    device = box.opened(meter="current")
    assert device.read(soon()).value == 0.25
    box.pump.control({"set": {"current": -1.5}})
    assert device.read(soon()).value == -1.5
    assert device.wire_uses() == {"read": WireUse(8 + 9, 9600, 10)}


def test_parity_counts_on_the_wire(box: Box) -> None:
    assert box.driver(parity="even").wire_uses()["read"].bits_per_byte == 11
    assert box.driver(parity="odd", stop_bits=2).wire_uses()["read"].bits_per_byte == 12


@pytest.mark.parametrize("value", [-40.1, 125.1])
def test_reading_outside_its_range_is_a_fault(box: Box, value: float) -> None:
    device = box.opened()
    box.pump.control({"set": {"temperature": value}})
    with pytest.raises(DeviceFault, match=r"outside -40..125 degC"):
        device.read(soon())
    found = {finding.name: finding for finding in device.health(soon())}
    assert not found["temperature"].ok


def test_reading_that_is_no_number_is_a_fault(box: Box) -> None:
    device = box.opened(meter="current")
    box.pump.control({"set": {"current": math.nan}})
    with pytest.raises(DeviceFault):
        device.read(soon())


def test_made_safe_each_switch_goes_to_its_state(box: Box) -> None:
    device = box.opened()
    for name in device.names:
        device.switch(name, name != "fan", soon())
    proof = device.make_safe(soon())
    assert proof.safe
    assert proof.readings == {"lamp": False, "fan": True, "valve": False}
    assert {name: box.pump.status()[name] for name in device.names} == proof.readings
    assert device.make_safe(soon()).safe


def test_rig_file_overrides_safe_states(box: Box) -> None:
    device = box.opened(safe={"lamp": "on"})
    assert device.make_safe(soon()).readings["lamp"] is True


@pytest.mark.parametrize("faults", [{"corrupt": 2}, {"duplicate": True}])
def test_safe_over_a_bad_line(box: Box, faults: dict) -> None:
    device = box.opened()
    device.switch("lamp", True, soon())
    box.pump.control({"faults": faults})
    assert device.make_safe(soon()).safe
    assert box.pump.status()["lamp"] is False


def test_silent_board_is_told_though_it_cannot_be_proved(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.modbus.switching._ANSWER_NS", 50 * NS_PER_MS)
    device = box.opened()
    device.switch("lamp", True, soon())
    box.pump.control({"faults": {"silent": True}})
    deadline = soon(20_000)
    proof = device.make_safe(deadline)
    assert not deadline.expired
    assert not proof.safe
    assert proof.readings["lamp"] == "no answer"
    assert box.pump.status()["lamp"] is False


def test_rescue_by_somebody_who_never_opened_it(box: Box) -> None:
    device = box.opened()
    device.switch("lamp", True, soon())
    device.close()
    other = box.driver()
    assert isinstance(other, Rescue)
    assert other.rescue(soon()).safe
    assert box.pump.status()["lamp"] is False
    assert not other.make_safe(soon()).safe


def test_thermometer_alone_is_safe_while_it_can_be_read(box: Box) -> None:
    text = FILE[: FILE.index("[[switches]]")]
    (box.folder / "thermometer.toml").write_text(text, encoding="utf-8")
    device = box.opened(registers="thermometer.toml", safe={})
    assert device.capabilities == {Capability.METER}
    proof = device.make_safe(soon())
    assert (proof.safe, proof.state) == (True, "measures only, drives nothing")
    assert proof.readings == {"temperature": device.read(soon()).value}
    box.pump.control({"faults": {"silent": True}})
    silent = device.make_safe(soon())
    assert (silent.safe, silent.readings) == (False, {"temperature": "no answer"})
    box.pump.unplug()
    gone = device.make_safe(soon())
    assert not gone.safe
    assert "link lost" in gone.state


def test_switch_that_does_not_follow_is_a_fault(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    device = box.opened()
    monkeypatch.setattr("drivers.modbus.generic.set_switch", lambda *args, **kwargs: None)
    with pytest.raises(DeviceFault, match="lamp did not switch on"):
        device.switch("lamp", True, soon())


def test_unknown_switch_is_named(box: Box) -> None:
    with pytest.raises(BadInput, match="lamp, fan, valve"):
        box.opened().switch("pump", True, soon())


def test_device_without_a_meter_does_not_measure(box: Box) -> None:
    device = box.opened(meter=None)
    assert device.capabilities == {Capability.SWITCHES}
    with pytest.raises(HarnessError, match="meter"):
        device.read(soon())


def test_identity_health_and_ping(box: Box) -> None:
    device = box.opened()
    found = device.identity(soon())
    assert (found.model, found.detail["unit"]) == ("bench box", 1)
    assert all(finding.ok for finding in device.health(soon()))
    device.ping(soon())
    box.pump.control({"faults": {"silent": True}})
    with pytest.raises(DeadlineMissed):
        device.ping(soon())
    assert not device.health(soon())[0].ok


def test_attempts_are_made_where_told(box: Box) -> None:
    device = box.opened(attempts=3)
    box.pump.control({"faults": {"corrupt": 2}})
    assert device.read(soon()).value == pytest.approx(21.5)
    assert device.counters()["retries"] == 2


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"silent": True}, "kept silent"),
        ({"unit": 2}, "unit 2 answered"),
        ({"corrupt": 1}, "damaged"),
    ],
)
def test_no_reading_without_an_answer(box: Box, faults: dict, said: str) -> None:
    device = box.opened()
    box.pump.control({"faults": faults})
    with pytest.raises(DeadlineMissed, match=said):
        device.read(soon())


def test_refusal_is_a_fault_of_the_device(box: Box) -> None:
    device = box.opened()
    box.pump.control({"faults": {"exception": 2}})
    for use in (
        lambda: device.read(soon()),
        lambda: device.switch("lamp", True, soon()),
        lambda: device.states(soon()),
    ):
        with pytest.raises(DeviceFault, match="illegal address"):
            use()


def test_wrong_baud_rate_is_not_opened(box: Box) -> None:
    with pytest.raises(DeadlineMissed, match="kept silent"):
        box.opened(baud=19_200)


@pytest.mark.parametrize("after", range(8))
def test_unplugged_at_every_byte_of_a_reading(box: Box, after: int) -> None:
    device = box.opened()
    box.pump.unplug(after)
    if after == 7:
        device.read(soon())
    with pytest.raises(LinkLost):
        device.read(soon())
    proof = device.make_safe(soon())
    assert not proof.safe
    assert "link lost" in proof.state


rows = st.builds(
    RegisterRow,
    name=st.just("value"),
    address=st.just(0),
    type=st.sampled_from(["u16", "i16", "u32", "i32", "f32"]),
    word_order=st.sampled_from(["big", "little"]),
    scale=st.sampled_from([1.0, 0.1, -0.5, 100.0]),
    offset=st.sampled_from([0.0, -40.0]),
)


@given(rows, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_words_become_values_and_back(row: RegisterRow, first: int, second: int) -> None:
    words = (first, second)[: row.count]
    value = row.decode(words)
    if math.isnan(value):
        return
    if row.type == "f32":
        raw = struct.pack(">HH", *(words if row.word_order == "big" else words[::-1]))
        expected = struct.unpack(">f", raw)[0] * row.scale + row.offset
        assert value == expected
    elif row.type.endswith("32") or abs(value) < 1e6:
        assert row.encode(value) == words


@pytest.mark.parametrize(
    ("type_", "words", "order", "value"),
    [
        ("u16", (0xFFFE,), "big", 65534),
        ("i16", (0xFFFE,), "big", -2),
        ("u32", (0x0001, 0x0002), "big", 0x10002),
        ("u32", (0x0002, 0x0001), "little", 0x10002),
        ("i32", (0xFFFF, 0xFFFE), "big", -2),
        ("f32", (0x3FC0, 0x0000), "big", 1.5),
        ("f32", (0x0000, 0x3FC0), "little", 1.5),
    ],
)
def test_types(type_: str, words: tuple[int, ...], order: str, value: float) -> None:
    row = RegisterRow.model_validate(
        {"name": "x", "address": 0, "type": type_, "word_order": order}
    )
    assert row.decode(words) == value
    assert row.encode(value) == words


def test_value_that_does_not_fit_is_refused() -> None:
    row = RegisterRow(name="x", address=0, type="u16", scale=0.1, unit="V", highest=100)
    for value in (-1.0, 7000.0, math.nan):
        with pytest.raises(BadInput, match="does not fit u16"):
            row.encode(value)
    with pytest.raises(BadInput, match=r"outside \.\.100 V"):
        row.encode(200.0)


BAD = [
    ('model = "x"\n', "registers"),
    ('model = "x"\n[[registers]]\nname = "a"\nadress = 0', "did you mean 'address'"),
    ('model = "x"\n[[registers]]\nname = "a"\naddress = 0\nscale = 0', "scale"),
    ('model = "x"\n[[registers]]\nname = "a"\naddress = 65535\ntype = "u32"', "65535"),
    ('model = "x"\n[[registers]]\nname = "a"\naddress = 0\nfunction = 4\naccess = "rw"', "input"),
    ('model = "x"\n[[switches]]\nname = "a"\naddress = 0\non = 2', "register"),
    ('model = "x"\n[[switches]]\nname = "a"\naddress = 0\nvia = "register"\non = 0', "same word"),
    (
        'model = "x"\n[[switches]]\nname = "a"\naddress = 0\n'
        '[[registers]]\nname = "a"\naddress = 1',
        "used twice: a",
    ),
    (
        'model = "x"\n[[registers]]\nname = "a"\naddress = 0\ntype = "u32"\n'
        '[[registers]]\nname = "b"\naddress = 1',
        "both at holding 1",
    ),
]


@pytest.mark.parametrize(("text", "part"), BAD, ids=[part for _, part in BAD])
def test_fault_in_a_file_is_named(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "device.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load_register_file(path)
    assert part in str(caught.value)
    assert "device.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"registers": "other.toml"}, "no such file"),
        ({"meter": "pressure"}, "temperature, current, averaging"),
        ({"setup": {"temperature": 1}}, "read only"),
        ({"setup": {"averaging": 1000}}, "outside 1..100"),
        ({"setup": {"nothing": 1}}, "no register called 'nothing'"),
        ({"safe": {"pump": "on"}}, "lamp, fan, valve"),
        ({"safe": {"lamp": "maybe"}}, "parameters.safe.lamp"),
    ],
)
def test_bad_parameters_are_named(box: Box, parameters: dict, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        box.driver(**parameters)
    assert part in str(caught.value)


def test_device_that_offers_nothing_is_refused(box: Box) -> None:
    text = FILE[: FILE.index("[[switches]]")]
    (box.folder / "thermometer.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="meter = one of temperature, current, averaging"):
        box.driver(registers="thermometer.toml", meter=None, safe={}, setup={})


def test_file_of_the_documentation_is_whole() -> None:
    file = RegisterFile.model_validate(tomllib.loads(FILE))
    assert [row.name for row in file.registers] == ["temperature", "current", "averaging"]
    assert file.register("current").count == 2
