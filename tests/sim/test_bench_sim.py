"""`hil bench sim`: what it measures is measured, and what it leaves out is told."""

from __future__ import annotations

import pytest

from hil.catalogue import load_rig, load_scenario
from hil.plugins import BENCHES, load
from sim.bench import camera, overhead, panda_gym, rates
from sim.bench.run import OVERHEAD, one_of_each, run


def test_it_is_found_by_its_name() -> None:
    assert load(BENCHES, "sim") is run


def test_a_tick_costs_something_and_has_its_steps() -> None:
    cost = overhead.cost("care-light-switch-press", "sim-so101", ticks=50, rounds=1)
    rig, _ = load_rig("sim-so101")
    assert rig.sim is not None
    rate_hz = load_scenario("care-light-switch-press")[0].loop.rate_hz
    assert cost.steps == rig.sim.step_hz / rate_hz
    assert cost.plain_s > 0
    assert cost.product_s > 0


def test_every_size_of_frame_is_measured() -> None:
    found = camera.cost("care-light-switch-press", "sim-so101")
    assert tuple(found) == camera.SIZES
    assert min(found.values()) > 0


def test_episodes_are_counted_with_one_worker_and_with_two() -> None:
    assert rates.episodes_per_minute("care-light-switch-press", "sim-so101", 1) > 0
    one, two = rates.with_workers("care-light-switch-press", "sim-so101", episodes=2, rounds=1)
    assert min(one, two) > 0


def test_what_a_second_core_is_worth_is_measured_without_the_product() -> None:
    assert min(rates.of_the_host("so101", 1000, seconds=0.05, rounds=1)) > 0


def test_every_archetype_with_brackets_has_one_scenario() -> None:
    found = one_of_each()
    archetypes = [load_scenario(name)[0].archetype for name in found]
    assert len(set(archetypes)) == len(archetypes)
    for scenario, rig in (*found.items(), *OVERHEAD):
        load_scenario(scenario)
        assert load_rig(rig)[0].kind == "sim"


@pytest.mark.skipif(not panda_gym.installed(), reason="panda-gym is not installed")
def test_panda_gym_is_measured_beside_its_bare_steps() -> None:
    whole, bare = panda_gym.cost(rounds=1)
    assert min(whole, bare) > 0
