"""Calibrations: in force or not on a day, and what a run makes of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from benches import fake_bench, fake_plan
from fakes import FakeArm
from pydantic import ValidationError

from hil.check.calibrations import check_calibrations
from hil.check.model import State
from hil.plan.freeze import SINGLE, Plan
from hil.rig import Bench
from hil.run.attendance import Attendance
from hil.run.calibration import Force, calibration_row, standings, utc_today, void_reason
from hil.run.conduct import Ending, conduct
from rigs.schema import Calibration, Device, Rig

ON, DUE = date(2026, 1, 1), date(2026, 12, 31)
ENTRY: dict[str, Any] = {
    "role": "arm",
    "quantity": "joint-zero",
    "date": ON,
    "due": DUE,
    "certificate": "LAB-17",
}


def rig_with(*entries: Mapping[str, Any], needs: tuple[str, ...] = ()) -> Rig:
    rig = fake_bench().rig
    devices = [
        Device(role=one.role, driver=one.driver, needs_calibration=needs)
        if one.role == "arm"
        else one
        for one in rig.devices
    ]
    calibrations = [Calibration.model_validate(entry) for entry in entries]
    return Rig.model_validate(
        rig.model_copy(update={"devices": devices, "calibrations": calibrations}).model_dump(
            by_alias=True, exclude_none=True
        )
    )


@pytest.mark.parametrize(
    ("today", "force", "days_left"),
    [
        (date(2025, 12, 31), Force.AHEAD, 365),
        (ON, Force.IN_FORCE, 364),
        (date(2026, 12, 30), Force.IN_FORCE, 1),
        (DUE, Force.IN_FORCE, 0),
        (date(2027, 1, 1), Force.OVERDUE, -1),
    ],
)
def test_a_calibration_is_in_force_from_its_date_to_the_day_it_is_due(
    today: date, force: Force, days_left: int
) -> None:
    (found,) = standings(rig_with(ENTRY), today)
    assert (found.force, found.days_left) == (force, days_left)
    assert bool(found.remedy) is bool(found.why) is (force is not Force.IN_FORCE)


def test_what_a_device_needs_and_does_not_have_is_missing() -> None:
    found = standings(rig_with(ENTRY, needs=("joint-zero", "force")), ON)
    assert [(one.quantity, one.force) for one in found] == [
        ("joint-zero", Force.IN_FORCE),
        ("force", Force.MISSING),
    ]


def test_figures_and_note_are_shown() -> None:
    entry = ENTRY | {"certificate": None, "note": "by gauge block", "value": 0.1, "unit": "mm"}
    (found,) = standings(rig_with(entry | {"uncertainty": 0.02}), ON)
    assert found.detail.endswith("364 days left; by gauge block (0.1 ± 0.02 mm)")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"due": date(2025, 12, 31)}, "is before date"),
        ({"certificate": None}, "name the certificate, or say in note"),
        ({"value": 0.1}, "unit goes with value or uncertainty"),
        ({"unit": "mm"}, "unit goes with value or uncertainty"),
        ({"uncertainty": -1.0, "unit": "mm"}, "greater than 0"),
        ({"role": "leg"}, "names role 'leg'; devices has: arm"),
        ({"certficate": "x"}, "Extra inputs"),
    ],
)
def test_entries_that_say_too_little_or_too_much_are_refused(
    change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        rig_with({key: one for key, one in (ENTRY | change).items() if one is not None})


def test_a_quantity_is_calibrated_once() -> None:
    with pytest.raises(ValidationError, match="two calibrations of 'joint-zero'"):
        rig_with(ENTRY, ENTRY)


class Rows:
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.phases: list[str] = []

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def row(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row)

    def begin(self, episode: object) -> None:
        """Only rows matter here."""

    def attempt(self, attempt: object) -> None:
        self.rows.append({"row": "attempt"})

    def wire(self, role: str, data: bytes) -> None:
        raise AssertionError("no link here is captured")


def planned(bench: Bench, rig: Rig, profile: str) -> Plan:
    bench.rig = rig
    plan = fake_plan(bench, episodes=1)
    return replace(plan, data={**plan.data, "profile": {"name": profile}})


def conducted(rig: Rig, profile: str, today: date) -> tuple[Ending, Rows, FakeArm]:
    bench, rows = fake_bench(), Rows()
    plan = planned(bench, rig, profile)
    stop = Attendance(lambda: None, bench.clock)
    ending = conduct(plan, bench, rows, stop, opened=False, today=lambda: today)
    bench.make_safe()
    arm = bench.devices["arm"]
    assert isinstance(arm, FakeArm)
    return ending, rows, arm


OVERDUE = date(2027, 3, 1)


def test_a_certified_run_with_an_overdue_calibration_is_void_before_anything_is_opened() -> None:
    ending, rows, arm = conducted(rig_with(ENTRY), "demo", OVERDUE)
    assert ending.outcome == "void"
    reason = "calibrations are not in force: arm joint-zero: overdue since 2026-12-31"
    assert ending.reason == reason
    (row,) = rows.rows
    assert row["row"] == "calibrations"
    assert row["entries"][0]["certificate"] == "LAB-17"
    assert row["in_force"] is False
    assert arm.calls == []


def test_a_certified_run_without_a_calibration_that_is_needed_is_void() -> None:
    ending, _, _ = conducted(rig_with(needs=("force",)), "demo", ON)
    assert ending.outcome == "void"
    assert ending.reason.endswith("arm force: needed and missing")


def test_a_certified_run_with_its_calibrations_in_force_goes_on_and_has_them_on_record() -> None:
    ending, rows, _ = conducted(rig_with(ENTRY, needs=("joint-zero",)), "demo", ON)
    assert ending.outcome == "complete"
    assert rows.rows[0]["in_force"] is True
    assert rows.rows[0]["reasons"] == []


def test_a_single_run_only_notes_what_is_not_in_force() -> None:
    ending, rows, _ = conducted(rig_with(ENTRY), SINGLE, OVERDUE)
    assert ending.outcome == "complete"
    assert rows.rows[0]["in_force"] is False
    assert any("overdue since 2026-12-31" in phase for phase in rows.phases)


def test_a_rig_without_calibrations_has_no_such_row() -> None:
    bench = fake_bench()
    plan = planned(bench, bench.rig, "demo")
    row = calibration_row(plan, ON, virtual=False)
    assert row is None
    assert void_reason(plan, row) == ""


def test_the_row_is_the_same_every_day_on_a_virtual_clock_and_dated_on_a_real_one() -> None:
    bench = fake_bench()
    plan = planned(bench, rig_with(ENTRY), "demo")
    one, other = (
        calibration_row(plan, today, virtual=True) for today in (OVERDUE, date(2027, 3, 2))
    )
    assert one == other
    dated = calibration_row(plan, OVERDUE, virtual=False)
    assert dated is not None
    assert dated["today"] == "2027-03-01"


def test_a_check_shows_each_with_the_days_left_and_what_to_do() -> None:
    found = list(check_calibrations(rig_with(ENTRY, needs=("force",)), OVERDUE))
    assert [one.state for one in found] == [State.BAD, State.BAD]
    assert "overdue since 2026-12-31, by 60 days; LAB-17" in found[0].detail
    assert all("a certified run is void" in one.remedy for one in found)
    (good,) = check_calibrations(rig_with(ENTRY), ON)
    assert good.state is State.OK
    assert "364 days left" in good.detail
    (none,) = check_calibrations(rig_with(), ON)
    assert none.state is State.NOTE


def test_today_is_a_day_of_utc() -> None:
    assert isinstance(utc_today(), date)
