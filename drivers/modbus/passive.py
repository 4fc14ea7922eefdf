"""A device that only measures: there is nothing to switch off, and reading it is the proof."""

from __future__ import annotations

from drivers.modbus.bus import ModbusBus
from drivers.modbus.messages import ReadRegisters
from drivers.modbus.register_file import RegisterRow
from drivers.proof import reached
from hil.clock import Clock, Deadline
from hil.contracts import SafeProof, Scalar
from hil.errors import DeadlineMissed, DeviceFault


def prove_passive(
    role: str,
    bus: ModbusBus | None,
    unit: int,
    row: RegisterRow,
    clock: Clock,
    deadline: Deadline,
    attempts: int = 1,
) -> SafeProof:
    """It is safe while it answers; without a bus, or where it does not answer, the proof says so.

    The value shown is what was read, within the register file's range or not.
    """
    started_ns = clock.now_ns()
    request = ReadRegisters(row.address, row.count, row.function)
    try:
        words, state = reached(
            bus, lambda line: line.registers(unit, request, deadline, attempts=attempts)
        )
    except (DeadlineMissed, DeviceFault) as error:
        words, state = None, f"not proved: {error.message}"
    state = state or "measures only, drives nothing"
    shown: dict[str, Scalar] = {row.name: "no answer" if words is None else row.decode(words)}
    return SafeProof(role, words is not None, state, shown, started_ns, clock.now_ns())
