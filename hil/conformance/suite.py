"""Runs every check against one driver, whatever becomes of the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hil.clock import NS_PER_S, WallClock
from hil.conformance import command_checks, device_checks, link_checks
from hil.conformance.check import Check
from hil.conformance.model import NotChecked, Result, State
from hil.conformance.subject import Subject
from hil.errors import BadInput, HilError
from hil.rig import resolve_ports, start_twin
from rigs.schema import Device, Rig

CHECKS: tuple[Check, ...] = (
    *device_checks.CHECKS,
    *command_checks.CHECKS,
    *link_checks.CHECKS,
)


def run_checks(subject: Subject, told: Callable[[Result], None]) -> list[Result]:
    """Every check once; `told` is called as each ends."""
    results = []
    for check in CHECKS:
        result = _run(check, subject)
        told(result)
        results.append(result)
    return results


def _run(check: Check, subject: Subject) -> Result:
    began_ns = subject.clock.now_ns()
    try:
        detail, state = check.run(subject), State.PASS
    except NotChecked as error:
        detail, state = error.message, State.SKIPPED
    except HilError as error:
        detail, state = f"{type(error).__name__}: {error.message}", State.FAIL
    except Exception as error:  # noqa: BLE001  a driver may raise anything; that is a finding
        detail = f"{type(error).__name__}: {error}, which is not of the error tree"
        state = State.FAIL
    took_s = (subject.clock.now_ns() - began_ns) / NS_PER_S
    return Result(check.name, check.promise, state, detail, took_s)


@contextmanager
def subject_of(rig: Rig, path: Path, driver: str, grace_ms: float) -> Iterator[Subject]:
    """The one device of `rig` with this driver, or in this role; a twin is started for it.

    Errors: BadInput where the rig has no such device, or several; as `hil.rig.start_twin`.
    """
    table = _device(rig, driver)
    if rig.kind == "sim":
        raise BadInput(
            f"rig {rig.name!r} is of kind 'sim': a simulated device has no line to be spoilt",
            "name a rig of kind 'twin' or 'real'",
        )
    twin = start_twin(rig, path) if rig.twin else None
    try:
        address = resolve_ports(rig, twin.ports if twin else {})[table.role]
        yield Subject(table, address, path.resolve().parent, WallClock(), grace_ms)
    finally:
        if twin is not None:
            twin.stop()


def _device(rig: Rig, driver: str) -> Device:
    found = [one for one in rig.devices if driver in (one.driver, one.role)]
    if len(found) != 1:
        have = ", ".join(f"{one.role} ({one.driver})" for one in rig.devices)
        many = "more than one device" if found else "no device"
        raise BadInput(
            f"rig {rig.name!r} has {many} with driver or role {driver!r}", f"it has: {have}"
        )
    return found[0]
