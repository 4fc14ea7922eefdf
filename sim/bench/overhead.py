"""Cost of a tick of a simulated run beside a plain PyBullet script of the same scene and steps.

The script is what somebody would write who wants no testbed: it builds the same scene, sets the
same motors to the same set-points, does the same steps, reads the joints and the poses and
speeds of all bodies, and keeps them in arrays. What the product does besides is a loop on a
clock with every stage stamped, the envelope, a tracker with noise and delay, witnesses with
contact forces, and the record. Building a scene, pictures and writing files are left out of both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from hil.catalogue import load_rig
from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.plan.freeze import Plan, freeze, single
from hil.plugins import PLANTS, load
from hil.run.trial import run_trial
from sim.plant import Plant

_SEED = 99


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time of a tick in s, product and script, and how many steps a tick has."""

    product_s: float
    plain_s: float
    steps: int


def cost(scenario: str, rig_name: str, ticks: int, rounds: int) -> Cost:
    """Median over rounds that take turns; the expert moves the robot. Errors: BadInput for
    unknown names; HarnessError for an episode that did not run."""
    rig, path = load_rig(rig_name)
    plan = freeze(single(scenario, 1), "0" * 64, rig, path, _SEED, "expert")
    [planned] = plan.scenarios.values()
    period_s = 1.0 / planned.scenario.loop.rate_hz
    assert rig.sim is not None  # a rig of kind sim, else there is no plan to simulate
    steps = round(rig.sim.step_hz * period_s)
    few, many = (_lasting(plan, count * period_s) for count in (ticks // 5, ticks))
    targets, draw = _targets(many)
    product, plain = [], []
    for _ in range(rounds):
        done = len(targets) - ticks // 5
        product.append((_spent(lambda: _run(many)) - _spent(lambda: _run(few))) / done)
        plant: Plant = load(PLANTS, rig.sim.plant)(rig.sim.step_hz)
        try:
            plain.append(_plain(plant, draw, targets, steps))
        finally:
            plant.close()
    return Cost(median(product), median(plain), steps)


def _lasting(plan: Plan, seconds: float) -> Plan:
    [planned] = plan.scenarios.values()
    loop = planned.scenario.loop.model_copy(update={"duration_s": seconds})
    scenario = planned.scenario.model_copy(update={"loop": loop})
    return replace(plan, scenarios={scenario.id: replace(planned, scenario=scenario)})


def _run(plan: Plan) -> Any:
    attempt = run_trial(plan, plan.episodes[0], lambda: None).attempt
    if attempt is None or attempt.end != "completed":
        why = "it did not begin" if attempt is None else attempt.reason
        raise HarnessError(f"the episode to be measured did not run: {why}")
    return attempt.episode


def _targets(plan: Plan) -> tuple[FloatArray, Any]:
    episode = _run(plan)
    return episode.channels["joints.applied"].value, episode.draw


def _spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _plain(plant: Plant, draw: Any, targets: FloatArray, steps: int) -> float:
    """The script: processor time of a tick, s."""
    plant.arrange(draw, np.array(draw["start"]))
    world, robot, placed = plant.truth(0)
    bullet, client = world.bullet, world.client
    rows = [(motor, placed.joints[joint], ratio, motor.torque / len(motor.moves) / abs(ratio))
            for motor in robot.motors for joint, ratio in motor.moves]  # fmt: skip
    joints = [row[1] for row in rows]
    forces = [row[3] for row in rows]
    gains = [min(1.0, world.step_s / motor.lag_s) for motor, _, _, _ in rows]
    shares = np.array([ratio for _, _, ratio, _ in rows])
    which = [robot.motors.index(motor) for motor, _, _, _ in rows]
    bodies = [bullet.getBodyUniqueId(i, physicsClientId=client)
              for i in range(bullet.getNumBodies(physicsClientId=client))]  # fmt: skip
    others = [body for body in bodies if body != placed.uid]
    states = np.empty((len(targets), 3, len(joints)))
    poses = np.empty((len(targets), len(others), 13))
    began = time.process_time()
    for tick, target in enumerate(targets):
        bullet.setJointMotorControlArray(
            placed.uid,
            joints,
            bullet.POSITION_CONTROL,
            targetPositions=target[which] * shares,
            forces=forces,
            positionGains=gains,
            physicsClientId=client,
        )
        for _ in range(steps):
            bullet.stepSimulation(physicsClientId=client)
        found = bullet.getJointStates(placed.uid, joints, physicsClientId=client)
        states[tick] = np.array([(one[0], one[1], one[3]) for one in found]).T
        for number, body in enumerate(others):
            place, turn = bullet.getBasePositionAndOrientation(body, physicsClientId=client)
            speed, rate = bullet.getBaseVelocity(body, physicsClientId=client)
            poses[tick, number] = (*place, *turn, *speed, *rate)
    return (time.process_time() - began) / len(targets)
