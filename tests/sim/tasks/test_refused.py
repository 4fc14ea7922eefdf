"""What an archetype cannot do is refused with the scenario file, before anything is built.

The tests of each archetype say by what its own parameters are bounded. Here is what all of them
have to keep, and bounds that depend on other parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from hil.catalogue import load_rig, scenario_files
from hil.errors import BadInput
from hil.plan.freeze import freeze, single
from hil.plugins import TASKS, load, names
from sim.tasks.kit.ranges import Range

SCENARIO = scenario_files()["mfg-kit-pick-place"]
WIDE = [-1e6, 1e6]

KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "operate": ("control", ("button", "switch", "knob", "lever", "valve")),
    "open-articulated": ("kind", ("drawer", "hinged-door", "sliding-door", "lid")),
    "handover": ("thing", ("tool", "cup")),
    "in-hand-reorient": ("turn", ("yaw", "face")),
    "surface-wipe": ("surface", ("table", "window", "head")),
}
"""The key that names a kind of job, and the kinds: their ranges differ."""
TOOLS = {"cut-seam": "cut", "drive-screw": "screw", "scoop": "scoop"}
"""Tables of their own within that of tool-use."""


@dataclass(frozen=True)
class Case:
    """An archetype with one kind of job; `inside` is the table that holds the parameters."""

    archetype: str
    base: Mapping[str, str] = field(default_factory=dict)
    inside: str = ""

    def __str__(self) -> str:
        return "-".join([self.archetype, *self.base.values()])

    @property
    def task(self) -> Any:
        return load(TASKS, self.archetype)

    @property
    def schema(self) -> type[BaseModel]:
        found: type[BaseModel] = self.task.Parameters
        return self.task.jobs[self.base["kind"]].Parameters if self.inside else found

    def parameters(self, **values: object) -> BaseModel:
        own = {self.inside: values} if self.inside else values
        found: BaseModel = self.task.Parameters.model_validate({**self.base, **own})
        return found

    def said(self, **values: object) -> str:
        """How such values are refused."""
        with pytest.raises(ValidationError) as caught:
            self.parameters(**values)
        return str(caught.value)

    def ranges(self) -> dict[str, Range]:
        """Parameters that are drawn from a range, with what is allowed as the refusal names it."""
        found = {}
        for name, about in self.schema.model_fields.items():
            if "tuple[float, float]" in str(about.annotation).replace("typing.", ""):
                bounds = re.search(r"within \[([^,]+), ([^\]]+)\]", self.said(**{name: WIDE}))
                if bounds:
                    found[name] = (float(bounds[1]), float(bounds[2]))
        return found


def cases() -> Iterator[Case]:
    for archetype in sorted(names(TASKS)):
        if archetype == "tool-use":
            yield from (Case(archetype, {"kind": kind}, table) for kind, table in TOOLS.items())
        elif archetype in KINDS:
            key, kinds = KINDS[archetype]
            yield from (Case(archetype, {key: kind}) for kind in kinds)
        else:
            yield Case(archetype)


ALL = pytest.mark.parametrize("case", list(cases()), ids=str)


@ALL
def test_a_key_that_nobody_knows_is_refused(case: Case) -> None:
    assert "Extra inputs are not permitted" in case.said(colour_of_the_sky="blue")


@ALL
def test_what_is_no_finite_number_is_refused(case: Case) -> None:
    for name, about in case.schema.model_fields.items():
        if about.annotation in (float, int):
            for bad in (float("nan"), float("inf"), -1e12):
                assert name in case.said(**{name: bad})


@ALL
def test_ranges_that_are_none_are_refused(case: Case) -> None:
    for name, (low, high) in case.ranges().items():
        for bad in ([high + 1.0, low - 1.0], [low, float("nan")], [low]):
            assert name in case.said(**{name: bad})


@ALL
def test_an_episode_can_be_drawn_at_all_bounds_of_what_is_accepted(case: Case) -> None:
    """Ranges of single values at their bounds, each alone and many together."""
    chance, ranges = np.random.default_rng(0), case.ranges()
    tables = [{name: [end, end]} for name, ends in ranges.items() for end in ends]
    tables += [{name: [*chance.choice(ends, 1)] * 2 for name, ends in ranges.items()} for _ in "12"]
    for table in [{}, *tables]:
        try:
            asked = case.parameters(**table)
        except ValidationError:
            continue  # bounds of one depend on another
        assert "elements" in case.task.draw(asked, chance) or "looks" in case.task.draw(
            asked, chance
        )


@pytest.mark.parametrize(
    ("archetype", "table", "said"),
    [
        ("pick-place", {"x_m": [0.5, 0.5], "y_m": [0, 0.05]}, r"room for 3 things up to 0\.0\d+ m"),
        ("pick-place", {"edge_m": [0.04, 0.06], "apart_m": 0.08}, r"only within \[0.085, 0.15\] m"),
        ("stacking", {"x_m": [0.5, 0.5], "y_m": [-0.1, 0.1]}, "room for 4 things up to"),
        ("insertion", {"x_m": [0.5, 0.5], "y_m": [0, 0.1]}, r"they are to be 0.14 m apart"),
        ("press-turn", {"z_m": [0.05, 0.2]}, r"within \[0.1, 0.22\] m"),
        ("press-turn", {"trip_force_n": [3.0, 9.0]}, r"within \[2.0, 6.0\] N"),
        ("press-turn", {"hold_s": 60.0}, "less than or equal to"),
        ("gauge-read", {"tilt_deg": [0.0, 80.0]}, "0.0 <= low <= high <= 25.0"),
        ("gauge-read", {"image_px": 4000}, "less than or equal to 320"),
        ("arm-path", {"speed_m_s": 2.0}, "less than or equal to 0.5"),
        ("arm-path", {"middle_m": [0.9, 0.0, 0.4]}, "the arm does not reach"),
        ("joint-step", {"step_rad": 3.0}, "less than or equal to 1.5"),
        ("joint-backlash", {"amplitude_rad": 2.0}, "less than or equal to 1.5"),
        ("joint-drift", {"cycles": 500}, "within 580 s would do"),
        ("slip-resistance", {"rate_n_s": 0.5}, r"only within \[56, 120\] s"),
        ("slip-resistance", {"friction": 3.0}, "less than or equal to 1.5"),
        ("touch-sensitivity", {"stiffness_n_m": 500, "felt_n": 3}, "no more can be felt"),
        ("force-tracking", {"sines_hz": [1.0, 40.0]}, r"each within \[0.1, 20\] Hz"),
        ("force-tracking", {"sines_hz": [0.0, 1.0]}, r"each within \[0.1, 20\] Hz"),
        ("force-tracking", {"middle_n": 0.5}, r"it is within \[0.1, 0.4\] N"),
        ("in-hand-range", {"edge_m": [0.05, 0.08]}, r"within \[0.045, 0.055\] m"),
        ("box-and-blocks", {"speed_m_s": 3.0}, "less than or equal to 1"),
    ],
)
def test_what_it_cannot_do_is_refused(archetype: str, table: dict[str, Any], said: str) -> None:
    assert re.search(said, Case(archetype).said(**table))


def test_it_is_refused_with_the_scenario_file_before_a_plan_is_made(tmp_path: Path) -> None:
    file = tmp_path / SCENARIO.name
    crowded = "[task]\nx_m = [0.5, 0.5]\ny_m = [0.0, 0.05]\n"
    file.write_text(SCENARIO.read_text().replace("[task]\n", crowded))
    rig, path = load_rig("sim-panda")
    with pytest.raises(BadInput, match=r"room for 3 things") as caught:
        freeze(single("mfg-kit-pick-place", 1), "0" * 64, rig, path, files={SCENARIO.stem: file})
    assert str(file) in str(caught.value)
