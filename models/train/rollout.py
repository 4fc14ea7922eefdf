"""Episodes in the simulator for teaching and for scoring a policy.

The loop is that of a run at 50 Hz on a virtual clock, with the declared times of a rig, which
may be drawn anew for each episode so that a policy does not lean on one of them. The
product's own loop is `hil.loop`; this one records nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from hil.clock import NS_PER_US, Deadline, VirtualClock
from hil.contracts import BenchContext, DeviceSpec, FloatArray
from hil.record.format import TICK, Channel, Episode
from hil.task import Draw, EmbodiedTask, Score, View
from sim.arm import SimArm
from sim.devices import build_arm, build_scene
from sim.plant import Plant
from sim.plants import so101
from sim.robots.so101 import SERVO_STIFFNESS
from sim.scene import SimScene

PERIOD_US = 20_000
_STEP_HZ = 1000

Policy = Callable[[View], FloatArray]
"""Joint targets (n,) in rad, of a view."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What may differ between rigs: declared times in us (`jitter_us` more or less for each
    inference), servo figures, and what the rig's envelope allows."""

    read_us: int = 1500
    command_us: int = 300
    infer_us: int = 3000
    jitter_us: int = 0
    stiffness: float = SERVO_STIFFNESS
    servo: Mapping[str, float] = field(default_factory=dict)
    reach_rad: float = 0.12

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Conditions:
        """A rig of the kind the policy will meet: emulated or real, with two noisy cores."""
        infer_us = int(rng.integers(500, 9000))
        return cls(
            read_us=int(rng.integers(500, 4000)),
            infer_us=infer_us,
            jitter_us=int(rng.integers(0, min(infer_us, 4000))),
            stiffness=SERVO_STIFFNESS * float(rng.uniform(0.75, 1.4)),
            servo={
                "speed_rad_s": float(rng.uniform(2.5, 5.0)),
                "acceleration_rad_s2": float(np.exp(rng.uniform(np.log(25.0), np.log(300.0)))),
            },
        )


@dataclass(frozen=True, slots=True)
class Rollout:
    """One episode: its score, the views the policy had, what it answered, and what was true at
    the end of each tick."""

    score: Score
    views: tuple[View, ...]
    targets: tuple[FloatArray, ...]
    truths: tuple[Mapping[str, float], ...]


def roll_out(
    task: EmbodiedTask,
    parameters: BaseModel,
    draw: Draw,
    policy: Policy,
    conditions: Conditions,
    rng: np.random.Generator,
    longest_s: float = 6.0,
    plant: Plant | None = None,
) -> Rollout:
    """One episode of `policy`, scored by the task from a record like that of a run.

    `plant` is closed in the end; an SO-101 unless given.
    """
    clock = VirtualClock()
    plant = plant or so101(_STEP_HZ, conditions.stiffness)
    try:
        arm, scene = _devices(BenchContext(clock, plant), conditions)
        return _episode(
            task, parameters, draw, policy, conditions, rng, longest_s, (clock, arm, scene)
        )
    finally:
        plant.close()


def _devices(context: BenchContext, conditions: Conditions) -> tuple[SimArm, SimScene]:
    times = {"read_us": conditions.read_us, "command_us": conditions.command_us}
    here = Path()
    arm = build_arm(DeviceSpec("arm", "sim-arm", "", {**times, **conditions.servo}, here), context)
    return arm, build_scene(DeviceSpec("scene", "sim-scene", "", {}, here), context)


def _episode(
    task: EmbodiedTask,
    parameters: BaseModel,
    draw: Draw,
    policy: Policy,
    conditions: Conditions,
    rng: np.random.Generator,
    longest_s: float,
    bench: tuple[VirtualClock, SimArm, SimScene],
) -> Rollout:
    clock, arm, scene = bench
    far = Deadline.after_s(clock, 3600.0)
    scene.arrange(draw, far)
    arm.open(far)
    arm.enable(far)
    goal = scene.track(far)
    target = arm.read(far).position
    start_ns = clock.now_ns()
    views, targets, truths, stamps = [], [], [], []
    for tick in range(round(longest_s * 1e6 / PERIOD_US)):
        clock.sleep_until(start_ns + tick * PERIOD_US * NS_PER_US)
        joints = arm.read(far)
        tracked = scene.track(far) if task.tracks else {}
        view = View(tick, tick * PERIOD_US / 1e6, joints, target, goal, tracked)
        wanted = policy(view)
        jitter_us = rng.integers(-conditions.jitter_us, conditions.jitter_us + 1)
        clock.advance(int(conditions.infer_us + jitter_us) * NS_PER_US)
        reach = conditions.reach_rad
        target = arm.command(np.clip(wanted, joints.position - reach, joints.position + reach), far)
        seen = scene.witness(far)
        views.append(view)
        targets.append(wanted)
        truths.append(seen)
        stamps.append(clock.now_ns())
        if task.finished(seen):
            break
    record = _record(draw, truths, stamps, start_ns)
    return Rollout(task.score(record, parameters), tuple(views), tuple(targets), tuple(truths))


def _record(
    draw: Draw,
    truths: Sequence[Mapping[str, float]],
    stamps: list[int],
    start_ns: int,
) -> Episode:
    ticks = np.zeros(len(truths), dtype=TICK)
    ticks["scheduled_ns"] = start_ns + np.arange(len(truths)) * PERIOD_US * NS_PER_US
    labels = tuple(truths[0])
    value = np.array([list(truth.values()) for truth in truths])
    witness = Channel(
        value, np.array(stamps), np.zeros(value.shape, dtype=np.int64), labels, "mixed"
    )
    return Episode("rollout", draw, {}, ticks, {"witness": witness})
