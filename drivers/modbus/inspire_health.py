"""What a hand says of itself, as findings. Pure: registers in, findings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.findings import judged
from drivers.modbus.hand_table import HandTable
from hil.contracts import Finding

_STOPPED_BY_ITSELF = (5, 6, 7)


@dataclass(frozen=True, slots=True)
class HandState:
    """Registers of all fingers, as they came: counts, mA, degrees Celsius."""

    angle: Sequence[int]
    force: Sequence[int]
    current: Sequence[int]
    error: Sequence[int]
    status: Sequence[int]
    temperature: Sequence[int]


def findings(table: HandTable, state: HandState) -> list[Finding]:
    """One finding a subject, each naming the fingers concerned."""
    return [
        _errors(table, state),
        _temperature(table, state),
        _force(table, state),
        _current(table, state),
        _states(table, state),
    ]


def blocked(table: HandTable, errors: Sequence[int]) -> list[str]:
    """Fingers that cannot move, each with what keeps it."""
    return [
        f"{name} {', '.join(table.error_names(bits))}"
        for name, bits in zip(table.names, errors, strict=True)
        if table.blocked(bits)
    ]


def _errors(table: HandTable, state: HandState) -> Finding:
    bad = [
        f"{name} {', '.join(table.error_names(bits))}"
        for name, bits in zip(table.names, state.error, strict=True)
        if bits
    ]
    remedy = "free the finger and clear the error (parameters.clear_errors); let a hot one cool"
    return judged("errors", bad, "none", remedy)


def _temperature(table: HandTable, state: HandState) -> Finding:
    hot = [
        f"{name} {value} °C"
        for name, value in zip(table.names, state.temperature, strict=True)
        if value >= table.hot_c
    ]
    good = f"{min(state.temperature)} to {max(state.temperature)} °C"
    return judged("temperature", hot, good, f"let it rest below {table.hot_c} °C")


def _force(table: HandTable, state: HandState) -> Finding:
    newtons = [value * table.newtons_per_count for value in state.force]
    listed = ", ".join(f"{name} {n:.1f} N" for name, n in zip(table.names, newtons, strict=True))
    return Finding("force", True, listed)


def _current(table: HandTable, state: HandState) -> Finding:
    listed = ", ".join(
        f"{name} {value} mA" for name, value in zip(table.names, state.current, strict=True)
    )
    return Finding("current", True, listed)


def _states(table: HandTable, state: HandState) -> Finding:
    stopped = [
        f"{name} {table.states.get(code, f'in state {code}')}"
        for name, code in zip(table.names, state.status, strict=True)
        if code in _STOPPED_BY_ITSELF or code not in table.states
    ]
    words = sorted({table.states.get(code, "") for code in state.status})
    return judged("motion", stopped, ", ".join(words), "see what stopped it before it is used")
