"""Episodes a minute by archetype, and what a second worker brings."""

from __future__ import annotations

import time
from statistics import median

from hil.catalogue import load_rig
from hil.plan.freeze import Plan, freeze, single
from hil.run.pool import Pool
from hil.run.trial import run_trial
from hil.safety import StopRequest

_SEED = 99


def episodes_per_minute(scenario: str, rig: str, episodes: int) -> float:
    """Of the expert in one process, by wall-clock time; building the scene and its pictures
    included, the record on disk and the report not. Errors: BadInput for unknown names."""
    plan = _plan(scenario, rig, episodes)
    began = time.perf_counter()
    for episode in plan.episodes:
        run_trial(plan, episode, lambda: None)
    return 60.0 * episodes / (time.perf_counter() - began)


def with_workers(scenario: str, rig: str, episodes: int, rounds: int) -> tuple[float, float]:
    """Episodes a second of one worker process and of two, which are up before they are timed;
    medians of rounds that take turns."""
    plan = _plan(scenario, rig, episodes)
    found: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(rounds):
        for workers in (1, 2) if turn % 2 else (2, 1):
            found[workers].append(_rate(plan, workers))
    return median(found[1]), median(found[2])


def _rate(plan: Plan, workers: int) -> float:
    with Pool(workers) as pool:
        pool.prepare(plan)
        began = time.perf_counter()
        done = sum(1 for _ in pool.trials(plan, StopRequest(), lambda _: None, lambda _: None))
        return done / (time.perf_counter() - began)


def _plan(scenario: str, rig_name: str, episodes: int) -> Plan:
    rig, path = load_rig(rig_name)
    return freeze(single(scenario, episodes), "0" * 64, rig, path, _SEED, "expert")
