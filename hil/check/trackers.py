"""Trackers: how well a scene that stands still is measured again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from hil.check.model import About, Part, Result
from hil.config import validate
from hil.contracts import FloatArray, Scene, Testimony
from hil.errors import CapabilityMissing
from hil.plugins import TASKS, load
from hil.rig import Bench
from hil.task import Task
from scenarios.schema import Scenario

_CALLS = 20
_LIMIT_M = 0.005
_LIMIT_RAD = 0.05
"""Largest standard deviation of a place and of an angle; engineering figures, wide enough for a
marker tracked by one camera at arm's length."""

_AXES = 3
_WITHIN_S = 1.0
_STEADY = (
    "let nothing move in the scene, light it evenly, bring the camera nearer, and calibrate it"
)


def check_tracker(
    bench: Bench, scene: Scene, scenarios: list[Scenario], stop: Callable[[], bool]
) -> Iterator[Result]:
    """Repeatability of every object that is tracked, one finding an object.

    On a simulated or emulated rig the scene of a fitting scenario is arranged first; on a real
    one nothing is touched, and what is not tracked by itself is not looked at. Errors:
    DeadlineMissed, LinkLost.
    """
    about = About(Part.SCENE, scene.role)
    if isinstance(scene, Testimony):
        yield about.skipped("tracker", "a person says where things are; nothing is measured")
        return
    if bench.rig.kind != "real":
        arranged = _arrange(bench, scene, scenarios)
        if arranged:
            yield about.note("scene", f"arranged as {arranged} draws it")
    calls = _track(bench, scene, stop)
    if not calls[0]:
        yield about.skipped("tracker", "nothing is tracked until a run arranges a scene")
    for name in calls[0]:
        vectors = [call[name] for call in calls if name in call]
        yield _repeatability(about, name, vectors, len(calls))


def _track(bench: Bench, scene: Scene, stop: Callable[[], bool]) -> list[Mapping[str, FloatArray]]:
    calls = [scene.track(bench.deadline(_WITHIN_S))]
    while calls[0] and len(calls) < _CALLS and not stop():
        calls.append(scene.track(bench.deadline(_WITHIN_S)))
    return calls


def _arrange(bench: Bench, scene: Scene, scenarios: list[Scenario]) -> str:
    """Arrange what the first scenario with a scene in this role draws; returns its id."""
    fitting = [one for one in scenarios if one.needs.get(scene.role) == "scene"]
    if not fitting:
        return ""
    scenario = fitting[0]
    task: Task = load(TASKS, scenario.archetype)
    parameters: Any = validate(scenario.task, task.Parameters, scenario.id, "task")
    try:
        scene.arrange(task.draw(parameters, np.random.default_rng(0)), bench.deadline(_WITHIN_S))
    except CapabilityMissing:
        return ""  # a twin whose plant has no scene
    return scenario.id


def _repeatability(about: About, name: str, vectors: list[FloatArray], calls: int) -> Result:
    """Standard deviation of each component; a pose is a place (m), then angles (rad)."""
    if len(vectors) < calls:
        detail = f"seen in {len(vectors)} of {calls} looks"
        return about.bad(name, detail, "bring it into the tracker's view, and light it evenly")
    looks = np.stack(vectors)
    # of equal numbers the mean is not always exactly one of them
    spread = np.where(np.ptp(looks, axis=0) == 0, 0.0, np.std(looks, axis=0))
    place, angle = (float(part.max(initial=0.0)) for part in (spread[:_AXES], spread[_AXES:]))
    data = {"calls": calls, "std": [float(one) for one in spread]}
    detail = (
        f"standard deviation over {calls} looks {1000 * place:.2g} mm (limit {1000 * _LIMIT_M:g}"
        f" mm), {angle:.2g} rad (limit {_LIMIT_RAD:g})"
    )
    if not (place <= _LIMIT_M and angle <= _LIMIT_RAD):
        return about.bad(name, detail, _STEADY, data)
    if calls > 1 and not spread.any():
        detail += "; it says the same each time: this tracker measures once a scene"
    return about.ok(name, detail, data)
