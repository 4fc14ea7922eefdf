"""Episodes a minute by archetype, and what a second worker brings."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median

from hil.catalogue import load_rig
from hil.plan.freeze import Plan, freeze, single
from hil.plugins import PLANTS, load
from hil.run.pool import Pool
from hil.run.trial import run_trial
from hil.safety import StopRequest
from sim.plant import Plant

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


def of_the_host(plant: str, step_hz: int, seconds: float, rounds: int) -> tuple[float, float]:
    """Steps a second of PyBullet alone, in one process and in two at once that know nothing of
    each other: what this host's second core is worth. Medians of rounds that take turns.
    Errors: BadInput for an unknown plant."""
    found: dict[int, list[float]] = {1: [], 2: []}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for turn in range(rounds + 1):
            for count in (1, 2) if turn % 2 else (2, 1):
                parts = [pool.submit(_steps, plant, step_hz, seconds) for _ in range(count)]
                rate = sum(part.result() for part in parts)
                if turn:  # in the first one the processes begin
                    found[count].append(rate)
    return median(found[1]), median(found[2])


def _steps(plant_name: str, step_hz: int, seconds: float) -> float:
    plant: Plant = load(PLANTS, plant_name)(step_hz)
    try:
        done, began = 0, time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            plant.step()
            done += 1
        return done / passed
    finally:
        plant.close()


def _rate(plan: Plan, workers: int) -> float:
    with Pool(workers) as pool:
        pool.prepare(plan)
        began = time.perf_counter()
        done = sum(1 for _ in pool.trials(plan, StopRequest(), lambda _: None, lambda _: None))
        return done / (time.perf_counter() - began)


def _plan(scenario: str, rig_name: str, episodes: int) -> Plan:
    rig, path = load_rig(rig_name)
    return freeze(single(scenario, episodes), "0" * 64, rig, path, _SEED, "expert")
