"""A rig file made of what a scan found: to be read and finished by a person."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from drivers.scan.model import PortReport

_MOVING = ("-arm", "-chain", "-hand")
_HEAD = """\
# Proposed by `hil scan`: read it, name the devices as your scenarios do, and set the limits.
# `hil check` on this file says what is still wrong with it.
schema = 1
name = {name}
title = "Found by hil scan"
kind = "real"
"""


def proposed_rig(name: str, reports: Sequence[PortReport]) -> str:
    """Text of a rig file with one device for each port that answered."""
    parts = [_HEAD.format(name=json.dumps(name))]
    roles: set[str] = set()
    for report in reports:
        if report.found is not None:
            parts.append(_device(report, _role(report.found.driver, roles)))
    drivers = [report.found.driver for report in reports if report.found is not None]
    if any(driver.endswith(_MOVING) for driver in drivers):
        parts.append(
            "\n[limits]               # of every joint target; these are slow: a start\n"
            "step_rad = 0.1\nvelocity_rad_s = 0.5\n"
        )
    return "".join(parts)


def _device(report: PortReport, role: str) -> str:
    found = report.found
    if found is None:
        return ""
    lines = [
        "",
        f"# {found.summary}",
        "[[devices]]",
        f"role = {json.dumps(role)}",
        f"driver = {json.dumps(found.driver)}",
        _port(report),
    ]
    if found.parameters:
        lines += ["", "[devices.parameters]"]
        lines += [f"{key} = {_value(value)}" for key, value in found.parameters.items()]
    return "\n".join(lines) + "\n"


def _port(report: PortReport) -> str:
    if report.serial:
        more = f", interface = {report.interface}" if report.interface is not None else ""
        return f"port = {{ usb_serial = {json.dumps(report.serial)}{more} }}"
    if report.by_path:
        return f"port = {{ by_path = {json.dumps(report.by_path[0])} }}"
    return f"port = {{ url = {json.dumps('file://' + report.path)} }}  # no stable name was found"


def _role(driver: str, taken: set[str]) -> str:
    words = {
        "arm": "arm",
        "chain": "arm",
        "hand": "hand",
        "gripper": "gripper",
        "agent": "terminal",
    }
    base = next((word for part, word in words.items() if part in driver), driver)
    base = re.sub(r"[^a-z0-9_-]", "-", base)
    role, number = base, 2
    while role in taken:
        role, number = f"{base}-{number}", number + 1
    taken.add(role)
    return role


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(str(value))
