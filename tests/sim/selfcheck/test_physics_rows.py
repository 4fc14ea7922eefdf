"""Where the self-check stands on the ledger: once a run, on a simulated rig and on a twin."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hil.catalogue import load_rig
from hil.clock import Deadline
from hil.rig import build_bench
from hil.run.physics import ChecksPhysics, physics_rows
from sim.axes import build as build_axes
from sim.plants import so101
from sim.twin.bench import SelfChecking
from sim.twin.scene import PlantScene

Within = Callable[[float], Deadline]


@pytest.mark.parametrize(
    ("rig", "checks", "iterations"), [("sim-so101", 5, 60), ("sim-six-axis", 9, 150)]
)
def test_a_simulated_rig_tells_of_its_own_physics(rig: str, checks: int, iterations: int) -> None:
    loaded, path = load_rig(rig)
    assert loaded.sim is not None
    with build_bench(loaded, path) as bench:
        [row] = physics_rows(bench)
    assert (row["row"], row["role"], len(row["checks"])) == ("physics", "scene", checks)
    assert all(check["ok"] for check in row["checks"])
    settings = {(check["step_hz"], check["iterations"]) for check in row["checks"]}
    assert settings == {(loaded.sim.step_hz, iterations)}


def test_a_twin_says_over_its_scene_link_what_its_plant_says(
    scene: PlantScene, within: Within
) -> None:
    assert isinstance(scene, ChecksPhysics)
    plant = so101(1000)
    try:
        assert scene.self_check(within(30)) == plant.self_check()
    finally:
        plant.close()
    scene.ping(within(5))


def test_joints_without_physics_have_nothing_to_check() -> None:
    assert not isinstance(build_axes(1000, ["one"]), SelfChecking)
