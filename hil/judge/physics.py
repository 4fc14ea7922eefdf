"""Whether the physics behind a rig was what it is taken for."""

from __future__ import annotations

from collections.abc import Sequence

from hil.judge.inputs import PhysicsCheck, PhysicsRow
from hil.judge.model import PhysicsResult


def physics_results(rows: Sequence[PhysicsRow]) -> tuple[PhysicsResult, ...]:
    """Every check of a run, in its order. Whether one passed is found from its figures, and not
    taken from whoever wrote the row."""
    return tuple(_result(row.role, check) for row in rows for check in row.checks)


def broken_physics(results: Sequence[PhysicsResult]) -> str:
    """Why nothing that happened in this physics can be believed; empty where it can."""
    failed = [_said(one) for one in results if not one.ok]
    return "the simulated physics is not what it has to be: " + "; ".join(failed) if failed else ""


def _result(role: str, check: PhysicsCheck) -> PhysicsResult:
    return PhysicsResult(
        role,
        check.name,
        check.unit,
        check.formula,
        check.value,
        check.expected,
        check.tolerance,
        check.value is not None and abs(check.value - check.expected) <= check.tolerance,
        check.step_hz,
        check.iterations,
    )


def _said(one: PhysicsResult) -> str:
    found = "nothing" if one.value is None else f"{one.value:.4g}"
    wanted = f"{one.expected:.4g} ± {one.tolerance:.2g} {one.unit}".strip()
    return f"{one.name} is {found}, not {wanted}"
