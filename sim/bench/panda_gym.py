"""The same question asked of panda-gym, where it is installed: a step of its environment beside
the physics steps in it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

_STEPS = 200
_ENVIRONMENT = "PandaPickAndPlace-v3"


def installed() -> bool:
    """Whether there is anything to measure."""
    return importlib.util.find_spec("panda_gym") is not None


def cost(rounds: int) -> tuple[float, float]:
    """Processor time in s of a step of the environment, and of its bare physics steps: medians
    of rounds that take turns."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        importlib.import_module("panda_gym")  # registers its environments
        environment: Any = importlib.import_module("gymnasium").make(_ENVIRONMENT).unwrapped
    try:
        simulation = environment.sim
        action = environment.action_space.sample() * 0.0
        client, count = simulation.physics_client, simulation.n_substeps

        def bare() -> None:
            for _ in range(count):
                client.stepSimulation()

        whole, only = [], []
        for seed in range(rounds):
            environment.reset(seed=seed)
            whole.append(_each(lambda: environment.step(action)))
            environment.reset(seed=seed)
            only.append(_each(bare))
        return median(whole), median(only)
    finally:
        environment.close()


def _each(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(_STEPS):
        work()
    return (time.process_time() - began) / _STEPS
