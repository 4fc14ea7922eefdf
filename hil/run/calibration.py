"""Whether the calibrations of a rig are in force: a certified run without them is void.

Pure, but for `utc_today`: the day is handed in, so that a test can choose it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from hil.plan.freeze import SINGLE, Plan
from rigs.schema import Calibration, Rig

_AGAIN = "have it calibrated, and put date, due and certificate into [[calibrations]]"


class Force(StrEnum):
    """Whether a calibration is in force."""

    IN_FORCE = "in force"
    OVERDUE = "overdue"
    AHEAD = "dated ahead"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Standing:
    """One calibration on one day. `days_left` are those until it is due, negative after that,
    None where there is none. `why` says why it is not in force, in words that are the same every
    day; that and `remedy` are empty where it is."""

    role: str
    quantity: str
    force: Force
    days_left: int | None
    detail: str
    why: str = ""
    remedy: str = ""

    @property
    def good(self) -> bool:
        return self.force is Force.IN_FORCE


def utc_today() -> date:
    """Today's date in UTC, by which calibrations are due on every bench at once."""
    return datetime.now(UTC).date()


def standings(rig: Rig, today: date) -> list[Standing]:
    """Every calibration of the rig file, then those that a device needs and does not have."""
    found = [_standing(one, today) for one in rig.calibrations]
    there = {(one.role, one.quantity) for one in rig.calibrations}
    return found + [
        _missing(device.role, quantity)
        for device in rig.devices
        for quantity in device.needs_calibration
        if (device.role, quantity) not in there
    ]


def calibration_row(plan: Plan, today: date, *, virtual: bool) -> dict[str, Any] | None:
    """Row of the ledger: every calibration and whether it is in force; None for a rig that
    has none and needs none.

    On a virtual clock the row has no date: two simulated runs of one plan have equal records.
    """
    found = standings(plan.rig, today)
    if not found:
        return None
    entries = [one.model_dump(mode="json", by_alias=True) for one in plan.rig.calibrations]
    return {
        "row": "calibrations",
        "today": None if virtual else today.isoformat(),
        "in_force": all(one.good for one in found),
        "reasons": [f"{one.role} {one.quantity}: {one.why}" for one in found if not one.good],
        "entries": entries,
    }


def void_reason(plan: Plan, row: dict[str, Any] | None) -> str:
    """Why a run with this row certifies nothing; empty where it may, or does not mean to."""
    if row is None or row["in_force"] or plan.data["profile"]["name"] == SINGLE:
        return ""
    return "calibrations are not in force: " + "; ".join(row["reasons"])


def _standing(one: Calibration, today: date) -> Standing:
    left = (one.due - today).days
    by = f"{one.certificate or one.note}{_figures(one)}"
    if one.on > today:
        why = f"dated {one.on}, which is in the future"
        remedy = "correct the date in [[calibrations]], or that of this host"
        detail = f"{why}: today is {today}; {by}"
        return Standing(one.role, one.quantity, Force.AHEAD, left, detail, why, remedy)
    if left < 0:
        why = f"overdue since {one.due}"
        detail = f"{why}, by {_days(-left)}; {by}"
        return Standing(one.role, one.quantity, Force.OVERDUE, left, detail, why, _AGAIN)
    detail = f"of {one.on}, due {one.due}, {_days(left)} left; {by}"
    return Standing(one.role, one.quantity, Force.IN_FORCE, left, detail)


def _missing(role: str, quantity: str) -> Standing:
    why = "needed and missing"
    return Standing(role, quantity, Force.MISSING, None, why, why, _AGAIN)


def _figures(one: Calibration) -> str:
    value = "" if one.value is None else f"{one.value:g}"
    spread = "" if one.uncertainty is None else f"± {one.uncertainty:g}"
    shown = " ".join(part for part in (value, spread, one.unit or "") if part)
    return f" ({shown})" if shown else ""


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
