"""Every driver of the package keeps every promise of the contracts, on its emulated device.

What cannot be checked of a driver stands here as data, so that a check that falls silent is
noticed; so does every driver that has no case, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from hil.catalogue import load_rig
from hil.conformance.model import State
from hil.conformance.report import conforms
from hil.conformance.suite import run_checks, subject_of
from hil.plugins import DRIVERS
from rigs.schema import Rig

GRACE_MS = 500.0
"""So that a busy host fails nothing; how close deadlines are kept is for a quiet one to say."""

ALL: frozenset[str] = frozenset()
NO_JOINTS = frozenset({"units", "stays", "damaged answers"})
NO_TARGETS = NO_JOINTS | {"enabled first"}
NOTHING_TO_READ = NO_TARGETS | {"samples"}
NO_CHECKSUM = frozenset({"double answers", "damaged answers"})
NO_LINE = NO_TARGETS | {"silence", "late answers", "double answers", "unplug", "comes back"}

DOCUMENT = Path(__file__).parents[2] / "docs" / "modbus-registers.md"
BOX = "bench-box.toml"
METER_ALONE = "thermometer.toml"


@dataclass(frozen=True)
class Made:
    """A rig of one emulated device, for drivers that no rig file has by themselves."""

    emulator: str
    options: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A driver, the rig with its emulated device, and the checks that do not apply to it."""

    name: str
    driver: str
    rig: str | Made
    skipped: frozenset[str] = ALL


EB90 = {"model": "rh56dfx", "protocol": "eb90"}
RELAYS = {"fan": {"channel": 2, "safe_on": True}}
METER = {"model": "generic-meter", "quantity": "volts-dc"}

CASES = [
    Case("so101", "feetech-arm", "twin-so101"),
    Case("amazing-hand", "feetech-arm", "twin-amazing-hand"),
    Case("koch", "dynamixel-chain", "twin-koch"),
    Case("leap", "dynamixel-chain", "twin-leap-hand"),
    Case("damiao", "damiao-chain", "twin-damiao-arm", NO_CHECKSUM),
    Case("robotiq", "robotiq-gripper", "twin-robotiq-2f85", NO_JOINTS),
    Case("inspire", "inspire-hand", "twin-inspire-hand"),
    Case("inspire-eb90", "inspire-hand", Made("inspire-hand", EB90, EB90)),
    Case(
        "registers",
        "modbus-registers",
        Made(
            "modbus-registers",
            {"registers": BOX, "values": {"temperature": 21.5, "averaging": 1}},
            {"registers": BOX, "meter": "temperature", "setup": {"averaging": 8}},
        ),
        NO_TARGETS,
    ),
    Case(
        "register-switches",
        "modbus-registers",
        Made("modbus-registers", {"registers": BOX}, {"registers": BOX}),
        NO_TARGETS,
    ),
    Case(
        "register-meter",
        "modbus-registers",
        Made(
            "modbus-registers",
            {"registers": METER_ALONE},
            {"registers": METER_ALONE, "meter": "temperature"},
        ),
        NO_TARGETS,
    ),
    Case("mlperf-tiny", "mlperf-tiny", "twin-mlperf-tiny", NOTHING_TO_READ),
    Case("terminal", "terminal-agent", "twin-terminal", NOTHING_TO_READ),
    Case("android", "android", "twin-android-phone", NOTHING_TO_READ),
    Case("estop", "estop-box", Made("estop-box"), NO_TARGETS),
    Case("supply", "scpi-supply", Made("scpi-supply", {}, {"model": "generic-supply"}), NO_TARGETS),
    Case("meter", "scpi-meter", Made("scpi-meter", {}, METER), NO_TARGETS),
    *(
        Case(
            f"relay-{model}",
            "usb-relay",
            Made("usb-relay", {"model": model}, {"model": model, "relays": RELAYS}),
            NO_TARGETS,
        )
        for model in ("numato", "lcus")
    ),
    Case(
        "load-cell", "load-cell", Made("load-cell", {"load": [3.0]}, {"most_n": 20.0}), NO_TARGETS
    ),
    Case("bota", "bota-ft", Made("bota-ft", {"load": [1, 2, 3, 0, 0, 0]}), NOTHING_TO_READ),
    Case("camera", "camera", "twin-camera", NO_LINE),
]

NO_CASE = {
    "hid-estop": "hidraw cannot be emulated without a kernel module; it has no line to be spoilt",
    "operator-scene": "a person",
    "plant-scene": "the twin's own link, which serves several clients and takes no faults",
    "sim-arm": "no line: an object of the simulation",
    "sim-terminal": "no line: an object of the simulation",
    "sim-scene": "no line: an object of the simulation",
    "sim-camera": "no line: an object of the simulation",
    "sim-imu": "no line: an object of the simulation",
    "sim-microphone": "no line: an object of the simulation",
    "sim-touch": "no line: an object of the simulation",
    "sim-tracker": "no line: an object of the simulation",
    "sim-wrench": "no line: an object of the simulation",
}


def test_every_driver_of_the_package_has_a_case_or_a_reason() -> None:
    own = {
        entry.name
        for entry in entry_points(group=DRIVERS)
        if entry.dist is not None and entry.dist.name == "hil-testbed"
    }
    assert own == {case.driver for case in CASES} | set(NO_CASE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the rigs that are made lie, with the documented register file beside them, whole and
    without its switches."""
    made = tmp_path_factory.mktemp("rigs")
    registers, *_ = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    (made / BOX).write_text(registers, encoding="utf-8")
    measured, _, _ = registers.partition("[[switches]]")
    (made / METER_ALONE).write_text(measured, encoding="utf-8")
    return made


def rig_of(case: Case, folder: Path) -> tuple[Rig, Path]:
    if isinstance(case.rig, str):
        return load_rig(case.rig)
    device = {"role": "it", "driver": case.driver, "port": {"twin": "it"}}
    return Rig.model_validate(
        {
            "schema": 1,
            "name": case.name,
            "title": case.name,
            "kind": "twin",
            "twin": {"ports": {"it": {"emulator": case.rig.emulator, **case.rig.options}}},
            "devices": [{**device, "parameters": dict(case.rig.parameters)}],
        }
    ), folder / f"{case.name}.toml"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_driver_conforms(case: Case, folder: Path) -> None:
    rig, path = rig_of(case, folder)
    with subject_of(rig, path, case.driver, GRACE_MS) as subject:
        results = run_checks(subject, lambda _: None)
    failed = {one.name: one.detail for one in results if one.state is State.FAIL}
    assert failed == {}
    assert conforms(results)
    assert {one.name for one in results if one.state is State.SKIPPED} == case.skipped
