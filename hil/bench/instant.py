"""Devices that answer at once, and a job that keeps twelve joints in gentle motion.

With them the time of a tick is the testbed's own: stages, rules, envelope, stamps, record.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from hil.bench.contestants import JOINTS, Options, Outcome, plain
from hil.clock import Clock, Deadline, WallClock
from hil.contracts import (
    Capability,
    Finding,
    FloatArray,
    Identity,
    JointLimits,
    JointSample,
    ModelImage,
    SafeProof,
)
from hil.loop.realtime import realtime
from hil.loop.waiting import Waiter, spin_for
from hil.plan.freeze import PlannedEpisode, PlannedScenario
from hil.record.format import Episode
from hil.rig import Bench
from hil.run.episode import run_episode
from hil.safety import StopRequest
from hil.task import Draw, Expert, Score, View
from rigs.schema import Rig
from scenarios.schema import Scenario

_STRIDE_RAD = 1e-4


class _Instant:
    """What both devices share: nothing to open, nothing to lose."""

    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, role: str, clock: Clock) -> None:
        self.role, self._clock = role, clock

    def open(self, deadline: Deadline) -> None:
        """There is no port."""

    def identity(self, deadline: Deadline) -> Identity:
        return Identity("instant")

    def health(self, deadline: Deadline) -> list[Finding]:
        return []

    def ping(self, deadline: Deadline) -> None:
        """Here already."""

    def counters(self) -> Mapping[str, int]:
        return {}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        now_ns = self._clock.now_ns()
        return SafeProof(self.role, True, "nothing is energised", {}, now_ns, now_ns)

    def close(self) -> None:
        """There is no port."""


_NAMES = tuple(f"joint-{number}" for number in range(JOINTS))


class InstantArm(_Instant):
    """Joints that are where they were last told to be."""

    capabilities = frozenset({Capability.JOINTS})

    def __init__(self, role: str, clock: Clock) -> None:
        super().__init__(role, clock)
        self.names = _NAMES
        reach = np.full(JOINTS, 3.0)
        self.limits = JointLimits(-reach, reach, np.full(JOINTS, 5.0))
        self._position, self._still = np.zeros(JOINTS), np.zeros(JOINTS)
        self._age_ns = np.zeros(JOINTS, dtype=np.int64)

    def enable(self, deadline: Deadline) -> None:
        """Nothing to energise."""

    def read(self, deadline: Deadline) -> JointSample:
        now_ns = self._clock.now_ns()
        return JointSample(now_ns, self._position, self._still, self._still, self._age_ns)

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        self._position = position
        return position


class InstantScene(_Instant):
    """A scene in which time passes and nothing else."""

    capabilities = frozenset({Capability.SCENE})

    def arrange(self, scene: Mapping[str, object], deadline: Deadline) -> None:
        """Nothing to arrange."""

    def track(self, deadline: Deadline) -> Mapping[str, FloatArray]:
        return {"goal": np.zeros(3)}

    def witness(self, deadline: Deadline) -> Mapping[str, float]:
        return {"done": 0.0}

    def picture(self, deadline: Deadline) -> None:
        return None


class _NoParameters(BaseModel):
    pass


class MotionTask:
    """Twelve joints, a small stride each tick; there is nothing to score."""

    Parameters: type[BaseModel] = _NoParameters
    kind = "embodied"
    tracks = False

    def joint_names(self, parameters: BaseModel) -> tuple[str, ...]:
        return _NAMES

    def draw(self, parameters: BaseModel, rng: np.random.Generator) -> Draw:
        return {}

    def start_pose(self, draw: Draw) -> FloatArray:
        return np.zeros(JOINTS)

    def observe(
        self, view: View
    ) -> Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        return {"joints": view.joints.position[None].astype(np.float32)}

    def act(
        self, outputs: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]], view: View
    ) -> FloatArray:
        return _stride(view)

    def expert(self, draw: Draw) -> Expert:
        return _stride

    def finished(self, witness: Mapping[str, float]) -> bool:
        return witness["done"] > 0

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        return Score(())


def _stride(view: View) -> FloatArray:
    return view.target + (_STRIDE_RAD if view.tick % 2 else -_STRIDE_RAD)


def instant_bench(clock: Clock) -> Bench:
    """A bench of an arm and a scene that cost no time."""
    rig = Rig.model_validate(
        {
            "schema": 1,
            "name": "instant",
            "title": "Devices that answer at once",
            "kind": "real",
            "devices": [{"role": role, "driver": "instant"} for role in ("arm", "scene")],
            "limits": {"step_rad": 0.5, "velocity_rad_s": 5.0},
        }
    )
    devices = {"arm": InstantArm("arm", clock), "scene": InstantScene("scene", clock)}
    return Bench(rig, Path("instant.toml"), clock, devices)


def motion_scenario(rate_hz: float, seconds: float) -> PlannedScenario:
    """The scenario of `MotionTask` at a rate of at most 1 kHz, for `seconds` of at most 600."""
    period_us = 1e6 / rate_hz
    stage = int(period_us / 4)
    scenario = Scenario.model_validate(
        {
            "schema": 1,
            "id": "motion",
            "title": "Twelve joints in gentle motion",
            "description": "The testbed's own time in a tick",
            "track": "embodied",
            "sector": "bench",
            "archetype": "motion",
            "basis": "none",
            "basis_status": "engineering",
            "needs": {"arm": "joints", "scene": "scene"},
            "task": {},
            "policy": {"model": "none"},
            "loop": {
                "rate_hz": rate_hz,
                "duration_s": seconds,
                "infer_timeout_ms": 1000,
                "budget_us": {
                    **dict.fromkeys(("wake", "sense", "infer", "act"), stage),
                    "reaction": int(period_us),
                },
            },
            "rules": {"max_age_ms": 1000, "max_consecutive": 1000},
            "claims": [{"kind": "success", "p": 0.5}],
        }
    )
    image = ModelImage("none", b"", "")
    return PlannedScenario(scenario, MotionTask(), _NoParameters(), image)


def whole_tick(options: Options) -> Outcome:
    """An episode of twelve joints whose devices cost no time: what is left is the testbed's."""
    waiter = Waiter(spin_for(options.period_ns))
    clock = WallClock(waiter.until)
    planned = motion_scenario(options.rate_hz, options.seconds)
    with instant_bench(clock) as bench:
        bench.open()
        with realtime(options.settings) as settings:
            attempt = run_episode(
                bench, planned, PlannedEpisode("0001", "motion", 1), "expert", StopRequest()
            )
    rows = attempt.episode.ticks
    account = {"end": f"{attempt.end}: {attempt.reason}", "settings": plain(settings)}
    return {
        "own_ns": (rows["done_ns"] - rows["woke_ns"]).astype(np.int64),
        "woke_ns": rows["woke_ns"].astype(np.int64),
    }, account
