"""What a phone says of itself, in the words of `dumpsys`."""

from __future__ import annotations

import pytest

from drivers.android.parameters import AgentTable, Parameters
from drivers.android.vitals import findings
from hil.contracts import Finding

ASKED = Parameters(serial="S", agent=AgentTable(start="a", stop="b", running="c"))

TOLD = {
    "battery": """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  status: 2
  health: 2
  present: true
  level: 82
  scale: 100
  voltage: 4297
  temperature: 281
  technology: Li-ion
""",
    "thermal": """IsStatusOverride: false
ThermalEventListeners:
\tcallbacks: 2
Thermal Status: 1
Cached temperatures:
\tTemperature{mValue=31.0, mType=3, mName=skin, mStatus=0}
""",
    "doze": "ACTIVE\nACTIVE\n",
    "power": "POWER MANAGER (dumpsys power)\n\n  mWakefulness=Awake\n  mIsPowered=true\n",
}


def seen(name: str, asked: Parameters = ASKED, **told: str) -> Finding:
    return next(one for one in findings(asked, {**TOLD, **told}) if one.name == name)


def test_a_phone_in_good_health() -> None:
    found = findings(ASKED, TOLD)
    assert [one.name for one in found if not one.ok] == []
    assert seen("battery").detail == "82 %, at least 30 % wanted"
    assert seen("battery temperature").detail.startswith("28.1 degrees")
    assert seen("power").detail.startswith("powered by usb")
    assert seen("thermal status").detail.startswith("1 (light)")


@pytest.mark.parametrize(
    ("name", "part", "old", "new"),
    [
        ("battery", "battery", "level: 82", "level: 12"),
        ("battery", "battery", "scale: 100", "scale: 1000"),
        ("battery temperature", "battery", "temperature: 281", "temperature: 412"),
        ("thermal status", "thermal", "Status: 1", "Status: 3"),
        ("thermal status", "thermal", "Status: 1", "Status: 9"),
        ("doze", "doze", "ACTIVE\nACTIVE", "ACTIVE\nIDLE"),
    ],
)
def test_what_is_bad(name: str, part: str, old: str, new: str) -> None:
    bad = seen(name, **{part: TOLD[part].replace(old, new)})
    assert not bad.ok
    assert bad.remedy


@pytest.mark.parametrize(
    ("name", "part", "old", "new"),
    [
        ("battery", "battery", "level: 82", "level: many"),
        ("battery", "battery", "scale: 100", "scale: 0"),
        ("battery temperature", "battery", "temperature: 281", "temp: 281"),
        ("thermal status", "thermal", "Thermal Status: 1", "Can't find service: thermalservice"),
        ("doze", "doze", "ACTIVE\nACTIVE", ""),
        ("screen", "power", "mWakefulness", "mWake"),
    ],
)
def test_what_is_not_told_is_bad_and_no_assumed_value(
    name: str, part: str, old: str, new: str
) -> None:
    bad = seen(name, **{part: TOLD[part].replace(old, new)})
    assert bad.detail == "the phone does not tell"
    assert not bad.ok


def test_nothing_told_at_all() -> None:
    assert not any(one.ok for one in findings(ASKED, {}) if one.name != "power")


def test_a_terminal_without_a_battery() -> None:
    found = findings(ASKED, {**TOLD, "battery": "  present: false\n  level: 0\n"})
    assert [one.name for one in found if "battery" in one.name] == ["battery"]
    assert found[0].ok


@pytest.mark.parametrize(("wanted", "good"), [("on", True), ("off", False), ("any", True)])
def test_screen(wanted: str, good: bool) -> None:
    asked = Parameters.model_validate({**ASKED.model_dump(), "screen": wanted})
    assert seen("screen", asked).ok is good
    asleep = TOLD["power"].replace("Awake", "Asleep")
    assert seen("screen", asked, power=asleep).ok is (wanted != "on")
