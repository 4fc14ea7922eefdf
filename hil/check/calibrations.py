"""The calibrations of the rig file: in force, or overdue, missing, dated ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from hil.check.model import About, Part, Result
from hil.run.calibration import standings
from rigs.schema import Rig


def check_calibrations(rig: Rig, today: date) -> Iterator[Result]:
    """One finding a calibration, one for each that a device needs and does not have, and one
    where nothing is calibrated at all."""
    found = standings(rig, today)
    if not found:
        yield About(Part.CALIBRATION).note(
            "none", "the rig file has no [[calibrations]], and no device that needs one"
        )
    for one in found:
        about = About(Part.CALIBRATION, one.role)
        figures = {"force": str(one.force), "days_left": one.days_left}
        if one.good:
            yield about.ok(one.quantity, one.detail, figures)
        else:
            remedy = f"{one.remedy}; until then a certified run is void"
            yield about.bad(one.quantity, one.detail, remedy, figures)
