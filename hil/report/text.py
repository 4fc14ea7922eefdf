"""How figures read in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hil.judge.model import Outcome, PhysicsResult

HEADLINES = {
    Outcome.PASS: "Every claim that this rig can test is shown.",
    Outcome.FAIL: "At least one claim is not shown, though the evidence would suffice.",
    Outcome.INCONCLUSIVE: "The evidence is not enough to say.",
    Outcome.ERROR: "The rig or the testbed failed, so nothing is said of the device.",
    Outcome.VOID: "The conditions of the test were not met.",
}


def duration(value_us: float | None) -> str:
    """A duration given in us, with three significant digits; a dash where there is none."""
    if value_us is None:
        return "–"
    if abs(value_us) >= 1e6:
        return f"{value_us / 1e6:.3g} s"
    if abs(value_us) >= 1e3:
        return f"{value_us / 1e3:.3g} ms"
    return f"{value_us:.3g} µs"


def number(value: float | None, digits: int = 4) -> str:
    """A figure with some significant digits; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}g}"


def share(part: int, whole: int) -> str:
    """A share in percent; a dash of nothing."""
    return f"{100 * part / whole:.2f} %" if whole else "–"


def solver(checks: Sequence[PhysicsResult]) -> str:
    """At which rates and with how many iterations the physics was checked."""
    settings = dict.fromkeys((check.step_hz, check.iterations) for check in checks)
    return "; ".join(f"{hz} steps a second, {rounds} solver iterations" for hz, rounds in settings)


def mark(success: bool | None) -> str:
    """A sign that reads without colour."""
    return {True: "✓", False: "✗", None: "?"}[success]


def facts(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Nested plain data as rows of dotted name and text, in its own order."""
    if isinstance(value, Mapping):
        rows: list[tuple[str, str]] = []
        for name, inner in value.items():
            rows += facts(inner, f"{prefix}.{name}" if prefix else str(name))
        return rows
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [(prefix, ", ".join(map(str, value)))]
    return [(prefix, "not known" if value is None else str(value))]


HOPS = {
    "wake": "waking up",
    "read": "reading the sensors",
    "ask": "preparing and sending the question",
    "infer": "inference, not divided",
    "terminal": "terminal, not divided",
    "there": "way to the terminal",
    "there-and-back": "way to the terminal and back",
    "queue": "terminal: before inference",
    "compute": "terminal: inference",
    "reply": "terminal: preparing the answer",
    "back": "way from the terminal",
    "decide": "making a target of the answer",
    "command": "limits, and writing the command",
    "motion": "command to motion seen",
}


def hop(name: str) -> str:
    """A hop of `hil.judge.hops` in words."""
    return HOPS.get(name, name)
