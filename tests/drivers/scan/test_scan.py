"""Every family is found on a port by what it answers, in bounded time, and told from the others."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pump import pumped

from drivers.discovery import Candidate
from drivers.scan.model import Found, OpenLine, PortReport, Probe
from drivers.scan.propose import proposed_rig
from drivers.scan.servos import FEETECH
from drivers.scan.sweep import registered, scan
from hil.catalogue import load_rig
from hil.cli.scan import command
from hil.clock import Deadline, WallClock
from hil.plugins import EMULATORS, load
from rigs.schema import Rig
from sim.twin.emulator import JointEmulator
from sim.twin.launch import start
from sim.twin.pacing import Transmission

HAND = {"joints": "amazing_hand"}

FAMILIES = [
    ("feetech-bus", HAND, "feetech-arm", "8 x scs0009 (ids 1, 2, 3, 4, 5, 6, 7, 8)"),
    ("sts3215-bus", {"joints": "so101"}, "feetech-arm", "6 x sts3215 (ids 1, 2, 3, 4, 5, 6)"),
    ("dynamixel-bus", {"robot": "koch"}, "dynamixel-chain", "Dynamixel bus"),
    ("estop-box", {}, "estop-box", "emergency stop box, released"),
    ("load-cell", {"channels": 2, "load": [1.0, 2.0]}, "load-cell", "2 a line"),
    ("mlperf-tiny", {}, "mlperf-tiny", "MLPerf Tiny board: m-name-"),
    ("robotiq-gripper", {}, "robotiq-gripper", "Robotiq gripper at unit 9"),
    ("inspire-hand", {}, "inspire-hand", "Inspire hand at unit 1 (Modbus)"),
    ("damiao-slcan", {"robot": "openarm-right"}, "damiao-chain", "CAN adapter (slcan"),
    ("scpi-supply", {}, "scpi-supply", "SCPI instrument: HIL EMULATED-SUPPLY 0001"),
    ("scpi-meter", {}, "scpi-meter", "SCPI instrument: HIL EMULATED-METER 0002"),
    ("usb-relay", {}, "usb-relay", "relay board (Numato), relay 0 is off"),
]


def report_of(path: str, **options: Any) -> PortReport:
    (report,) = scan([path], ports=list, **options)
    return report


def scanned(emulator: str, options: Mapping[str, Any]) -> PortReport:
    hosted = load(EMULATORS, emulator)
    device = hosted.build(hosted.options.model_validate(dict(options)))
    with pumped(device, step_hz=50) as path:  # nothing moves here
        return report_of(path)


@pytest.fixture(scope="module")
def reports() -> dict[str, PortReport]:
    """What is found where each family's device is, by the name of its emulator. A scan does
    little but wait, so that two run side by side; not those of servos, which have to
    answer within milliseconds."""
    servos = [one for one in FAMILIES if one[2] in ("feetech-arm", "dynamixel-chain")]
    others = [one for one in FAMILIES if one not in servos]
    found = {name: scanned(name, options) for name, options, _, _ in servos}
    with ThreadPoolExecutor(2) as pool:
        side_by_side = pool.map(scanned, [one[0] for one in others], [one[1] for one in others])
        found.update(zip([one[0] for one in others], side_by_side, strict=True))
    return found


@pytest.mark.parametrize(
    ("emulator", "driver", "says"),
    [(emulator, driver, says) for emulator, _, driver, says in FAMILIES],
    ids=[one[0] for one in FAMILIES],
)
def test_each_family_is_found_by_what_it_answers(
    reports: Mapping[str, PortReport], emulator: str, driver: str, says: str
) -> None:
    report = reports[emulator]
    assert report.found is not None, report
    assert report.found.driver == driver
    assert says in report.found.summary


@pytest.mark.parametrize("baud", [1_000_000, 500_000, 115_200])
def test_servos_that_all_speak_at_once_are_found_one_by_one(baud: int) -> None:
    hosted = load(EMULATORS, "feetech-bus")
    with pumped(hosted.build(hosted.options.model_validate({**HAND, "baud": baud}))) as path:
        report = report_of(path, probes=[FEETECH])
    found = report.found
    assert found is not None, report
    assert (report.baud, found.family, found.firmware) == (baud, "feetech", "3.6")
    assert found.ids == tuple(range(1, 9))
    assert set(found.models) == {"scs0009"}
    assert found.parameters == {"model": "amazing_hand"}


def test_a_hand_on_a_running_twin_is_found_as_its_rig_file_has_it() -> None:
    rig, path = load_rig("twin-amazing-hand")
    assert rig.twin is not None
    (device,) = rig.devices
    with start(rig.twin, path.parent, Deadline.after_s(WallClock(), 30)) as running:
        report = report_of(running.ports["bus"])
    assert report.found is not None, report
    assert report.baud == device.parameters["baud"]
    assert report.found.driver == device.driver
    assert report.found.parameters == {"model": device.parameters["model"]}
    assert report.found.summary == "Feetech bus: 8 x scs0009 (ids 1, 2, 3, 4, 5, 6, 7, 8)"
    written = Rig.model_validate(tomllib.loads(proposed_rig("found", [report])))
    assert written.devices[0].parameters == {"model": "amazing_hand"}


def feetech_found(faults: Mapping[str, Any], options: Mapping[str, Any]) -> Found | None:
    hosted = load(EMULATORS, "feetech-bus")
    pump = pumped(hosted.build(hosted.options.model_validate(dict(options))))
    with pump as path:
        pump.control({"faults": faults})
        return report_of(path, probes=[FEETECH]).found


def test_one_of_them_alone_answers_for_itself() -> None:
    found = feetech_found({"silent": [1, 2, 3, 4, 5, 6, 7]}, HAND)
    assert found is not None
    assert (found.ids, found.models) == ((8,), ("scs0009",))
    assert found.parameters == {"model": "name the arm here"}


def test_an_arm_is_known_by_ids_and_models_and_a_stranger_in_it_is_told() -> None:
    found = feetech_found({}, {"joints": "so101", "swapped": {"elbow_flex": "scs0009"}})
    assert found is not None
    assert found.ids == (1, 2, 3, 4, 5, 6)
    assert found.models == ("sts3215", "sts3215", "scs0009", "sts3215", "sts3215", "sts3215")
    assert found.parameters == {"model": "name the arm here"}


class Bystander:
    """Servos that ignore what is sent to everybody."""

    def __init__(self, bus: JointEmulator) -> None:
        self._bus = bus

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        return [] if data[2:3] == b"\xfe" else self._bus.receive(data, now_ns, line_baud)


def test_servos_that_keep_silent_when_all_are_asked_are_found_too() -> None:
    hosted = load(EMULATORS, "feetech-bus")
    with pumped(Bystander(hosted.build(hosted.options.model_validate(HAND)))) as path:
        found = report_of(path, probes=[FEETECH]).found
    assert found is not None
    assert found.ids == tuple(range(1, 9))


def test_a_silent_port_takes_no_longer_than_it_may_and_says_what_to_look_at() -> None:
    master, slave = os.openpty()
    try:
        report = report_of(os.ttyname(slave))
    finally:
        os.close(master)
        os.close(slave)
    assert (report.state, report.found) == ("free", None)
    assert "powered" in report.remedy, "and not that time was up before all had been asked"


def never(line: OpenLine, deadline: Deadline) -> Found | None:
    raise AssertionError("nothing may be asked")


def test_what_is_not_to_be_asked_is_not_opened() -> None:
    probe = Probe("never", (9600,), never)
    assert report_of("/dev/does-not-exist", probes=[probe], ask=False).state == "not asked"


def test_ports_in_the_way_are_named_with_what_to_do(tmp_path: Path) -> None:
    probe = Probe("never", (9600,), lambda line, deadline: None)
    assert report_of("/dev/does-not-exist", probes=[probe]).state == "unplugged"
    held = tmp_path / "port"
    held.write_bytes(b"")
    with held.open("rb"):
        report = report_of(str(held), probes=[probe])
    assert report.state == "in use"
    assert f"pid {os.getpid()}" in report.owners[0]
    assert report.remedy


def test_a_probe_that_takes_too_long_is_cut_off() -> None:
    asked: list[str] = []

    def slow(line: OpenLine, deadline: Deadline) -> Found | None:
        asked.append("slow")
        while not deadline.expired:
            line.port.read(deadline)
        return None

    def quick(line: OpenLine, deadline: Deadline) -> Found | None:
        asked.append("quick")
        return Found("quick", "quick", "found")

    master, slave = os.openpty()
    try:
        probes = [Probe("slow", (9600,), slow), Probe("quick", (9600,), quick)]
        report = report_of(os.ttyname(slave), probes=probes)
    finally:
        os.close(master)
        os.close(slave)
    assert asked == ["slow", "quick"]
    assert report.found == Found("quick", "quick", "found")


def test_every_registered_probe_asks_in_an_order_of_its_own() -> None:
    probes = registered()
    assert len({probe.family for probe in probes}) == len(probes)
    assert [probe.rank for probe in probes] == sorted(probe.rank for probe in probes)


def found_on(candidate: Candidate, found: Found) -> PortReport:
    return PortReport(
        path=candidate.device,
        usb_id="0403:6014",
        serial=candidate.serial,
        interface=candidate.interface,
        product="",
        by_path=candidate.by_path,
        hub_port="1-1",
        latency_timer_ms=16,
        state="free",
        baud=1_000_000,
        found=found,
    )


def test_the_proposed_rig_is_one_that_can_be_read() -> None:
    arm = Found("feetech", "feetech-arm", "an arm", parameters={"model": "so101"})
    reports = [
        found_on(Candidate("/dev/ttyUSB0", serial="A1", interface=0), arm),
        found_on(Candidate("/dev/ttyUSB1", by_path=("pci-0-usb-1",)), arm),
        found_on(Candidate("/dev/ttyS0"), Found("scpi", "scpi-supply", 'say "hi"')),
    ]
    rig = Rig.model_validate(tomllib.loads(proposed_rig("found", reports)))
    assert [one.role for one in rig.devices] == ["arm", "arm-2", "scpi-supply"]
    assert rig.devices[0].port is not None
    assert (rig.devices[0].port.usb_serial, rig.devices[0].port.interface) == ("A1", 0)
    assert rig.devices[1].port is not None
    assert rig.devices[1].port.by_path == "pci-0-usb-1"
    assert rig.limits is not None


def test_the_verb_lists_and_writes_a_rig(tmp_path: Path) -> None:
    hosted = load(EMULATORS, "scpi-supply")
    rig = tmp_path / "bench.toml"
    with pumped(hosted.build(hosted.options())) as path:
        ended = CliRunner().invoke(
            command, ["--port", path, "--rig", str(rig), "--json"], standalone_mode=False
        )
    assert ended.return_value == 0, ended.output
    ports = json.loads(ended.stdout)["ports"]
    (mine,) = [port for port in ports if port["path"] == path]
    assert mine["found"]["driver"] == "scpi-supply"
    written = Rig.model_validate(tomllib.loads(rig.read_text()))
    assert "scpi-supply" in {one.driver for one in written.devices}
