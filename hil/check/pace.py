"""What the rig is asked for: the rate and budgets that its round trips are held against."""

from __future__ import annotations

from dataclasses import dataclass

from hil.catalogue import load_scenario, scenario_files
from hil.rig import Bench
from hil.run.fitting import fits
from scenarios.schema import Scenario


@dataclass(frozen=True, slots=True)
class Pace:
    """A loop's rate, and how long reading joints (`sense_us`) and asking a terminal (`infer_us`)
    may take, None for the whole period; `source` says where that comes from."""

    rate_hz: float
    source: str
    sense_us: float | None = None
    infer_us: float | None = None

    @property
    def period_us(self) -> float:
        return 1e6 / self.rate_hz


_CHARACTERISES = "metrology"
"""Sector of the procedures that measure a device on a test stand: the rate at which one is
measured is not that at which a rig has to work."""


def fitting_scenarios(bench: Bench) -> list[Scenario]:
    """Jobs of the catalogue that this bench has devices and joints for, the fastest first."""
    found = [load_scenario(name)[0] for name in scenario_files()]
    fitting = [one for one in found if one.sector != _CHARACTERISES and fits(bench, one)]
    return sorted(fitting, key=lambda one: -one.loop.rate_hz)


def pace_of(scenarios: list[Scenario], asked_hz: float | None) -> Pace | None:
    """The pace of the fastest scenario, or at the rate that was asked for; None where neither
    is there.

    Another rate than the scenario's has the scenario's shares of the period for its stages; a
    rate without a scenario has the whole period.
    """
    if not scenarios:
        return None if asked_hz is None else Pace(asked_hz, "asked by --rate")
    loop = scenarios[0].loop
    rate_hz = loop.rate_hz if asked_hz is None else asked_hz
    scale = loop.rate_hz / rate_hz
    budget = loop.budget_us
    if asked_hz is None:
        source = f"{scenarios[0].id}, the fastest scenario that this rig can do"
    else:
        source = f"asked by --rate, with budgets in proportion to those of {scenarios[0].id}"
    return Pace(rate_hz, source, budget.sense * scale, budget.infer * scale)
