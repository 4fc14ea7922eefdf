"""Cost of a camera's frame by size, with and without shadow, in the scene of a scenario."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

import numpy as np

from hil.catalogue import load_rig, load_scenario
from hil.config import validate
from hil.plugins import PLANTS, TASKS, load
from sim.plant import Plant

SIZES = ((64, 64), (128, 128), (224, 224), (320, 240), (640, 480))
"""Width and height in pixels."""
_FRAMES = 5
_SEED = 99


def cost(scenario_id: str, rig_name: str) -> dict[tuple[int, int], float]:
    """Median processor time of a frame in s by size; PyBullet's software renderer, shadows on.
    Errors: BadInput for unknown names."""
    rig, _ = load_rig(rig_name)
    scenario, path = load_scenario(scenario_id)
    task = load(TASKS, scenario.archetype)
    asked = validate(scenario.task, task.Parameters, str(path), "task")
    draw = task.draw(asked, np.random.default_rng(_SEED))
    assert rig.sim is not None  # a rig of kind sim
    plant: Plant = load(PLANTS, rig.sim.plant)(rig.sim.step_hz)
    try:
        plant.arrange(draw, task.start_pose(draw))
        world, _, _ = plant.truth(0)
        found = {}
        for width, height in SIZES:
            view = replace(plant.layout.view, width=width, height=height)
            world.picture(view)
            times = []
            for _ in range(_FRAMES):
                began = time.process_time()
                world.picture(view)
                times.append(time.process_time() - began)
            found[width, height] = median(times)
        return found
    finally:
        plant.close()
