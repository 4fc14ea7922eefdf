from __future__ import annotations

from pathlib import Path

import pytest

from hil.catalogue import load_scenario, scenario_files
from hil.report.brackets import PICTURES, page
from scenarios.schema import Scenario

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def scenarios() -> list[Scenario]:
    return [load_scenario(name)[0] for name in scenario_files()]


def test_the_page_is_that_of_the_scenario_files(scenarios: list[Scenario]) -> None:
    written = (DOCS / "tasks.md").read_text(encoding="utf-8")
    assert written == page(scenarios), "hil scenarios --brackets > docs/tasks.md"


def test_every_task_on_the_page_has_its_picture(scenarios: list[Scenario]) -> None:
    for one in scenarios:
        if one.brackets is not None:
            picture = DOCS / PICTURES / f"{one.id}.png"
            assert picture.read_bytes().startswith(b"\x89PNG"), one.id


def test_a_standard_task_is_finished_or_says_that_it_is_harder(scenarios: list[Scenario]) -> None:
    for one in scenarios:
        if one.brackets is None:
            continue
        floor, ceiling = one.brackets.floor, one.brackets.ceiling
        harder = any("harder level" in line for line in one.not_said)
        assert harder or ceiling.k >= 0.95 * ceiling.n, one.id
        assert floor.k <= 0.05 * floor.n, one.id
        assert one.brackets.note.startswith(f"hil run {one.id} --rig {one.brackets.rig} "), one.id


def test_intervals_are_exact(scenarios: list[Scenario]) -> None:
    """Clopper-Pearson by its closed form where all or none succeed: (alpha / 2)^(1 / n)."""
    told = page(scenarios)
    edge = 0.025 ** (1 / 100)
    assert f"100/100 ({edge:.3f} to 1.000)" in told
    assert f"0/100 (0.000 to {1 - edge:.3f})" in told
