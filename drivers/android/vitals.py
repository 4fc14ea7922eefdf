"""A phone's own account of itself: battery, heat, sleep, screen. Pure, from text to findings.

What a phone does not tell, or tells in words of its own, is a bad finding and no assumed value:
a rig that waits for a temperature nobody can read waits for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from drivers.android.parameters import Parameters
from hil.contracts import Finding

COMMANDS: Mapping[str, str] = {
    "battery": "dumpsys battery",
    "thermal": "dumpsys thermalservice",
    "doze": "dumpsys deviceidle get deep; dumpsys deviceidle get light",
    "power": "dumpsys power",
}
"""Shell commands by what they tell."""

_TENTHS = 10
_THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""PowerManager.THERMAL_STATUS_NONE (0) and so on."""

_AWAKE = "ACTIVE"
_FIELD = re.compile(r"^\s*([\w ]+?)\s*[:=]\s*(\S.*?)\s*$", re.MULTILINE)
_STATUS = re.compile(r"Thermal Status:\s*(\d+)")
_WAKE = re.compile(r"mWakefulness=(\w+)")
_UPDATE = "update Android, or measure it otherwise and leave this phone's claims on it out"


@dataclass(frozen=True, slots=True)
class _Battery:
    fields: Mapping[str, str]

    def number(self, name: str) -> int | None:
        text = self.fields.get(name, "")
        return int(text) if re.fullmatch(r"-?\d+", text) else None

    def is_true(self, name: str) -> bool:
        return self.fields.get(name, "").lower() == "true"


def findings(asked: Parameters, told: Mapping[str, str]) -> list[Finding]:
    """Findings from the outputs of `COMMANDS`, by the same names; a missing one was not told."""
    parts: Mapping[str, Callable[[Parameters, str], list[Finding]]] = {
        "battery": _battery,
        "thermal": _thermal,
        "doze": _doze,
        "power": _screen,
    }
    return [finding for name, read in parts.items() for finding in read(asked, told.get(name, ""))]


def _battery(asked: Parameters, text: str) -> list[Finding]:
    battery = _Battery({name.lower(): value for name, value in _FIELD.findall(text)})
    if battery.fields.get("present", "").lower() == "false":
        return [Finding("battery", True, "there is none")]
    return [_level(asked, battery), _heat(asked, battery), _charging(battery)]


def _level(asked: Parameters, battery: _Battery) -> Finding:
    level, scale = battery.number("level"), battery.number("scale")
    if level is None or not scale:
        return _untold("battery")
    percent = 100 * level / scale
    ok = percent >= asked.battery_min_percent
    detail = f"{percent:.0f} %, at least {asked.battery_min_percent:g} % wanted"
    return Finding("battery", ok, detail, "" if ok else "charge it")


def _heat(asked: Parameters, battery: _Battery) -> Finding:
    tenths = battery.number("temperature")
    if tenths is None:
        return _untold("battery temperature")
    heat_c = tenths / _TENTHS
    ok = heat_c <= asked.battery_max_c
    detail = f"{heat_c:.1f} degrees Celsius, at most {asked.battery_max_c:g} wanted"
    return Finding("battery temperature", ok, detail, "" if ok else "let it cool down")


def _charging(battery: _Battery) -> Finding:
    sources = [
        name for name in ("ac", "usb", "wireless", "dock") if battery.is_true(f"{name} powered")
    ]
    detail = f"powered by {', '.join(sources)}" if sources else "runs on its battery"
    return Finding("power", True, f"{detail}; charging warms a phone")


def _thermal(asked: Parameters, text: str) -> list[Finding]:
    found = _STATUS.search(text)
    if found is None:
        return [_untold("thermal status")]
    status = int(found[1])
    ok = status <= asked.thermal_status_max
    word = _THERMAL[status] if status < len(_THERMAL) else "unknown"
    detail = f"{status} ({word}), at most {asked.thermal_status_max} wanted"
    remedy = "let it cool down: it slows itself down"
    return [Finding("thermal status", ok, detail, "" if ok else remedy)]


def _doze(_asked: Parameters, text: str) -> list[Finding]:
    words = text.split()
    if not words:
        return [_untold("doze")]
    ok = all(word == _AWAKE for word in words)
    detail = f"{' and '.join(words)} (deep and light)"
    remedy = "wake it: `adb shell dumpsys deviceidle unforce`, screen on, or plugged in"
    return [Finding("doze", ok, detail, "" if ok else remedy)]


def _screen(asked: Parameters, text: str) -> list[Finding]:
    found = _WAKE.search(text)
    if found is None:
        return [_untold("screen")]
    state = "on" if found[1] in ("Awake", "Dreaming") else "off"
    ok = asked.screen in ("any", state)
    detail = f"{state} ({found[1]}), {asked.screen} wanted"
    return [Finding("screen", ok, detail, "" if ok else f"switch it {asked.screen}")]


def _untold(name: str) -> Finding:
    return Finding(name, False, "the phone does not tell", _UPDATE)
