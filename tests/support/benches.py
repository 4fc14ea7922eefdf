"""A bench of fakes and a plan for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from fakes import FakeArm, FakeScene, FakeTerminal, ReachParameters, ReachTask

from hil.canonical import sha256_bytes
from hil.clock import VirtualClock
from hil.contracts import ModelImage
from hil.plan.freeze import Plan, PlannedEpisode, PlannedScenario
from hil.rig import Bench
from rigs.schema import Rig
from scenarios.schema import Scenario


def scenario(**changes: Any) -> Scenario:
    data: dict[str, Any] = {
        "schema": 1,
        "id": "reach",
        "title": "Reach",
        "description": "Bring the base joint past a goal",
        "track": "embodied",
        "sector": "test",
        "archetype": "reach",
        "basis": "none",
        "basis_status": "engineering",
        "needs": {"arm": "joints", "terminal": "inference", "scene": "scene"},
        "task": {},
        "policy": {"model": "reach"},
        "loop": {
            "rate_hz": 50,
            "duration_s": 2.0,
            "infer_timeout_ms": 15,
            "budget_us": {
                "wake": 1000,
                "sense": 6000,
                "infer": 9000,
                "act": 2000,
                "reaction": 20000,
            },
        },
        "rules": {"max_age_ms": 45, "max_consecutive": 5},
        "claims": [{"kind": "success", "p": 0.5}],
    }
    return Scenario.model_validate(data | changes)


def fake_bench() -> Bench:
    """A bench of kind "sim" with fakes in all three roles, on a virtual clock."""
    rig = Rig.model_validate(
        {
            "schema": 1,
            "name": "fakes",
            "title": "Fakes",
            "kind": "sim",
            "sim": {"plant": "none"},
            "devices": [{"role": r, "driver": "fake"} for r in ("arm", "terminal", "scene")],
            "limits": {"step_rad": 0.2, "velocity_rad_s": 5.0},
        }
    )
    clock = VirtualClock()
    arm = FakeArm("arm", clock)
    devices = {
        "arm": arm,
        "terminal": FakeTerminal("terminal", clock),
        "scene": FakeScene("scene", clock, arm),
    }
    return Bench(rig, Path("fakes.toml"), clock, devices)


def fake_plan(bench: Bench, episodes: int = 3, **changes: Any) -> Plan:
    """A plan of `episodes` tries at the reach task; `changes` go to the scenario."""
    planned = PlannedScenario(
        scenario(**changes), ReachTask(), ReachParameters(), ModelImage("reach", b"m", "0" * 64)
    )
    tries = [PlannedEpisode(f"{n:04d}", "reach", n) for n in range(1, episodes + 1)]
    data = {"seed": 1, "name": sha256_bytes(b"plan")}
    return Plan(data, bench.rig, bench.path, "model", {"reach": planned}, tries)


def column(values: np.ndarray, label: int) -> list[float]:
    """A column of a channel as a plain list."""
    return [float(value) for value in values[:, label]]
