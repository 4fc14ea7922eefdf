"""The physics self-check: it passes at the documented rates, and fails where physics is wrong."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import pytest

from hil.canonical import canonical_json
from sim.plants import panda as panda_plant
from sim.plants import so101 as so101_plant
from sim.robots import panda, six_axis, so101
from sim.selfcheck.free import exact_period
from sim.selfcheck.model import Check, Reading, Result
from sim.selfcheck.suite import BODIES, GRASP, checks_for, run_checks, wrist_check
from sim.world import World

CHECKS = (*BODIES, *GRASP, wrist_check(panda.robot()), wrist_check(six_axis.robot()))
BY_NAME: Mapping[str, Check] = {check.name: check for check in CHECKS}
ITERATIONS = 150


class Tampered(World):
    """A world with other physics than the testbed's; settings as PyBullet names them."""

    def __init__(self, step_hz: int, iterations: int, **settings: float) -> None:
        super().__init__(step_hz, iterations)
        self._settings = settings

    def rebuild(self) -> None:
        super().rebuild()
        self.bullet.setPhysicsEngineParameter(physicsClientId=self.client, **self._settings)


class Heavier(World):
    """Everything weighs two parts in a thousand more than it should."""

    def rebuild(self) -> None:
        super().rebuild()
        self.bullet.setGravity(0.0, 0.0, -9.80665 * 1.002, physicsClientId=self.client)


def found(
    name: str,
    step_hz: int,
    iterations: int = ITERATIONS,
    make: Callable[[int, int], World] = World,
) -> Result:
    return run_checks([BY_NAME[name]], step_hz, iterations, make)[0]


@pytest.mark.parametrize("step_hz", [500, 1000])
@pytest.mark.parametrize("name", BY_NAME)
def test_the_physics_passes_at_the_documented_rates(name: str, step_hz: int) -> None:
    result = found(name, step_hz)
    assert result.ok, result


@pytest.mark.parametrize("step_hz", [500, 1000])
@pytest.mark.parametrize("check", BODIES, ids=lambda check: check.name)
def test_what_is_not_gripped_needs_no_more_than_60_iterations(check: Check, step_hz: int) -> None:
    assert run_checks([check], step_hz, 60)[0].ok


@pytest.mark.parametrize(
    "name",
    [
        "energy of a free fall",
        "period of a pendulum",
        "restitution, mean of 12",
        "slip force in a grip, cube",
        "creep of a held cube in 3 s",
        "weight at the wrist, panda",
        "weight at the wrist, six-axis",
    ],
)
def test_sixty_steps_a_second_are_too_few(name: str) -> None:
    assert not found(name, 60).ok


@pytest.mark.parametrize(
    "name",
    [
        "slip force in a grip, ball",
        "slip force in a grip, cube",
        "creep of a held cube in 3 s",
        "weight at the wrist, panda",
        "weight at the wrist, six-axis",
    ],
)
@pytest.mark.parametrize("step_hz", [500, 1000])
def test_five_iterations_of_the_contact_solver_are_too_few(name: str, step_hz: int) -> None:
    assert not found(name, step_hz, 5).ok


@pytest.mark.parametrize("step_hz", [500, 1000])
def test_a_friction_pyramid_holds_more_than_coulomb_says_off_its_axes(step_hz: int) -> None:
    result = found("slip force on a table", step_hz, make=partial(Tampered, enableConeFriction=0))
    assert not result.ok
    assert result.value > result.expected


@pytest.mark.parametrize("step_hz", [500, 1000])
def test_a_weight_two_parts_in_a_thousand_off_is_seen(step_hz: int) -> None:
    names = ("weight by contact forces", "weight at the wrist, panda")
    assert not any(found(name, step_hz, make=Heavier).ok for name in names)


@pytest.mark.parametrize("step_hz", [500, 1000])
def test_a_ball_that_does_not_bounce_is_seen(step_hz: int) -> None:
    make = partial(Tampered, restitutionVelocityThreshold=10.0)
    assert not found("restitution, mean of 12", step_hz, make=make).ok


def test_the_pendulum_is_told_from_one_of_small_amplitude() -> None:
    # the first terms of the series: 1 + a²/16 + 11 a⁴/3072
    small = 2 * math.pi * math.sqrt((0.1**2 + 0.4 * 0.02**2) / (9.80665 * 0.1))
    assert exact_period() / small == pytest.approx(1 + 0.5**2 / 16 + 11 * 0.5**4 / 3072, rel=1e-5)
    assert abs(small / exact_period() - 1) > 10 * BY_NAME["period of a pendulum"].tolerance


def test_what_never_happens_is_absent_and_not_passed() -> None:
    check = Check("never", "N", "one", lambda _: Reading(math.nan, 1.0), 0.5)
    [result] = run_checks([check], 500, ITERATIONS)
    assert not result.ok
    assert result.as_data() == {
        "name": "never",
        "unit": "N",
        "formula": "one",
        "value": None,
        "expected": 1.0,
        "tolerance": 0.5,
        "ok": False,
        "step_hz": 500,
        "iterations": ITERATIONS,
    }


def test_a_value_at_its_tolerance_passes_and_one_beyond_does_not() -> None:
    at = Result("x", "", "", 1.5, 1.0, 0.5, 500, ITERATIONS)
    assert at.ok
    assert not replace(at, value=1.5001).ok


def test_a_plant_is_asked_what_it_can_do() -> None:
    names = {check.name for check in checks_for([so101.robot()])}
    assert names == {check.name for check in BODIES}
    assert {check.name for check in checks_for([panda.robot()])} == names | {
        *(check.name for check in GRASP),
        "weight at the wrist, panda",
    }


def test_a_plant_checks_itself_at_its_own_rate_and_keeps_its_scene() -> None:
    plant = so101_plant(500)
    try:
        before, built = plant.joints()[0], plant.arrangement
        rows = plant.self_check()
        assert (plant.joints()[0] == before).all()
        assert plant.arrangement == built
    finally:
        plant.close()
    assert {(row["step_hz"], row["iterations"]) for row in rows} == {(500, 60)}
    assert all(row["ok"] for row in rows)


@pytest.mark.parametrize("name", ["panda"])
def test_figures_are_the_same_in_another_process_and_after_other_runs(name: str) -> None:
    code = (
        f"from sim.plants import {name}; from hil.canonical import canonical_json;"
        f"plant = {name}(500); print(canonical_json(plant.self_check()).decode()); plant.close()"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    plant = panda_plant(500)
    try:
        here = [plant.self_check() for _ in range(2)]
    finally:
        plant.close()
    assert here[0] == here[1] == json.loads(said)
    assert canonical_json(here[0]).decode().strip() == said.strip()
