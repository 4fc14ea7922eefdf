"""The ledger row on the physics behind a simulated or emulated rig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from hil.clock import Deadline
from hil.rig import Bench

_CHECKED_WITHIN_S = 30.0


@runtime_checkable
class ChecksPhysics(Protocol):
    """A scene whose plant can hold its physics against closed formulas."""

    def self_check(self, deadline: Deadline) -> Sequence[Mapping[str, Any]]:
        """One table a check: `name`, `unit`, `formula`, `value` (None where there is none),
        `expected`, `tolerance`, `ok`, `step_hz`, `iterations`. No table where there is no
        physics."""
        ...


def physics_rows(bench: Bench) -> list[dict[str, Any]]:
    """A row a device that can tell; it is the judge who says what follows from a failed check.

    Devices of a twin have to be open, those of a simulated rig need not be. Errors: LinkLost,
    DeadlineMissed, HarnessError where the physics blows up.
    """
    rows = []
    for role, device in bench.devices.items():
        if isinstance(device, ChecksPhysics):
            checks = device.self_check(bench.deadline(_CHECKED_WITHIN_S))
            if checks:
                rows.append({"row": "physics", "role": role, "checks": list(checks)})
    return rows
