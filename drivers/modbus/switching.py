"""Relays of a register file: switched, read back, and brought to their safe states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from drivers.modbus.bus import ModbusBus
from drivers.modbus.messages import (
    Bits,
    ReadBits,
    ReadRegisters,
    Registers,
    Request,
    WriteBit,
    WriteRegister,
)
from drivers.modbus.register_file import RegisterFile, SwitchRow
from drivers.modelfiles import refuse_unknown
from drivers.proof import reached
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import SafeProof, Scalar
from hil.errors import DeadlineMissed, DeviceFault

_ROUNDS = 3
_ANSWER_NS = 250 * NS_PER_MS

SafeStates = tuple[tuple[SwitchRow, bool], ...]
"""Every switch with the state that is safe."""


def safe_states(file: RegisterFile, overrides: Mapping[str, Literal["on", "off"]]) -> SafeStates:
    """The safe states of a file, some of them as a rig file has them. Errors: BadInput."""
    names = [row.name for row in file.switches]
    refuse_unknown("safe", overrides, f"the {file.model}", "switches", names)
    return tuple((row, overrides.get(row.name, row.safe) == "on") for row in file.switches)


def set_switch(
    bus: ModbusBus,
    unit: int,
    row: SwitchRow,
    on: bool,
    deadline: Deadline,
    *,
    attempts: int = 1,
    urgent: bool = False,
) -> None:
    """Switch one relay. Errors: those of `ModbusBus.ask`."""
    request: Request = WriteBit(row.address, on)
    if row.via == "register":
        request = WriteRegister(row.address, row.on if on else row.off)
    bus.ask(unit, request, deadline, attempts=attempts, urgent=urgent)


def read_switch(
    bus: ModbusBus, unit: int, row: SwitchRow, deadline: Deadline, *, attempts: int = 1
) -> bool | None:
    """State of one relay; None where its register holds neither word.

    Errors: those of `ModbusBus.ask`.
    """
    request: Request = ReadBits(row.address, 1)
    if row.via == "register":
        request = ReadRegisters(row.address, 1)
    match bus.ask(unit, request, deadline, attempts=attempts):
        case Bits(bits):
            return bits[0]
        case Registers((word,)) if word in (row.on, row.off):
            return word == row.on
    return None


def prove_switched(
    role: str,
    bus: ModbusBus | None,
    unit: int,
    wanted: SafeStates,
    clock: Clock,
    deadline: Deadline,
) -> SafeProof:
    """Every relay in its safe state, and the proof; without a bus, or with a lost link, it
    says so."""
    started_ns = clock.now_ns()
    found: dict[str, bool | None] = {row.name: None for row, _ in wanted}
    _, state = reached(bus, lambda line: _switch_all(line, unit, wanted, found, deadline))
    safe = all(found[row.name] is on for row, on in wanted)
    state = state or ("all switches safe" if safe else "not proved safe")
    readings: dict[str, Scalar] = {
        name: "no answer" if on is None else on for name, on in found.items()
    }
    return SafeProof(role, safe, state, readings, started_ns, clock.now_ns())


def _switch_all(
    bus: ModbusBus,
    unit: int,
    wanted: SafeStates,
    found: dict[str, bool | None],
    deadline: Deadline,
) -> None:
    """All are told before any is asked; a bounded number of times. Errors: LinkLost."""
    for attempt in range(_ROUNDS):
        unproved = [(row, on) for row, on in wanted if found[row.name] is not on]
        if not unproved or (attempt and deadline.expired):
            return
        for row, on in unproved:
            _tell(bus, unit, row, on, deadline)
        for row, _ in unproved:
            found[row.name] = _ask(bus, unit, row, deadline)


def _tell(bus: ModbusBus, unit: int, row: SwitchRow, on: bool, deadline: Deadline) -> None:
    try:
        set_switch(bus, unit, row, on, deadline.sooner(_ANSWER_NS), urgent=True)
    except (DeadlineMissed, DeviceFault):
        return  # counted by the bus; the read-back will tell


def _ask(bus: ModbusBus, unit: int, row: SwitchRow, deadline: Deadline) -> bool | None:
    try:
        return read_switch(bus, unit, row, deadline.sooner(_ANSWER_NS))
    except (DeadlineMissed, DeviceFault):
        return None
