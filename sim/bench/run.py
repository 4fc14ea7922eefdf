"""`hil bench sim`: what a simulated run costs, as ratios to what is measured beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hil.bench.figures import Figure, against, at_least
from hil.catalogue import load_scenario, scenario_files
from sim.bench import camera, overhead, panda_gym, rates

OVERHEAD = (
    ("mfg-kit-pick-place", "sim-panda"),
    ("home-cube-reorient-hand", "sim-hand4"),
    ("care-light-switch-press", "sim-so101"),
)
"""An arm whose drives follow by themselves, a hand whose contacts take most of the time, and
hobby servos, which are stepped one step at a time."""

CAMERA = ("mfg-kit-pick-place", "sim-panda")
WORKERS = ("care-light-switch-press", "sim-so101")
LIMIT = 1.03
SPEED_UP = 1.85


def run(ticks: int, rounds: int, episodes: int) -> tuple[Sequence[Figure], Mapping[str, Any]]:
    """Overhead over a plain script, cost of a frame, episodes a minute, a second worker.

    Errors: HarnessError for an episode that did not run.
    """
    figures: list[Figure] = []
    for scenario, rig in OVERHEAD:
        cost = overhead.cost(scenario, rig, ticks, rounds)
        name = f"a tick of {scenario}, {cost.steps} steps"
        figures.append(against(name, cost.product_s * 1e6, "us", cost.plain_s * 1e6, LIMIT))
    if panda_gym.installed():
        whole, bare = panda_gym.cost(rounds)
        figures.append(against("a step of panda-gym's environment", whole * 1e6, "us", bare * 1e6))
    smallest: float | None = None
    for (width, height), seconds in camera.cost(*CAMERA).items():
        smallest = smallest or seconds
        figures.append(against(f"frame {width} x {height}", seconds * 1e3, "ms", smallest * 1e3))
    for scenario, rig in one_of_each().items():
        rate = rates.episodes_per_minute(scenario, rig, episodes)
        figures.append(Figure(f"episodes a minute, {scenario}", rate, "1/min"))
    one, two = rates.with_workers(*WORKERS, episodes=10 * episodes, rounds=rounds)
    figures.append(at_least("two workers over one", two / one, "x", SPEED_UP))
    alone, beside = rates.of_the_host("panda", 500, 2.0, rounds)
    figures.append(Figure("two processes of PyBullet alone over one", beside / alone, "x"))
    return figures, {
        "overhead": "processor time; building a scene, pictures and files left out of both",
        "frames": "PyBullet's software renderer, shadows on, one frame of " + CAMERA[0],
        "episodes a minute": f"wall-clock time, one process, the expert, {episodes} episodes each",
        "workers": f"{WORKERS[0]}, {10 * episodes} episodes, processes up before they are timed;"
        " below it what the host's second core is worth to processes that share nothing",
    }


def one_of_each() -> dict[str, str]:
    """The first scenario of each archetype whose floor and ceiling were measured, and its rig."""
    found: dict[str, tuple[str, str]] = {}
    for name in sorted(scenario_files()):
        scenario, _ = load_scenario(name)
        if scenario.brackets is not None and scenario.brackets.rig is not None:
            found.setdefault(scenario.archetype, (scenario.id, scenario.brackets.rig))
    return dict(found.values())
