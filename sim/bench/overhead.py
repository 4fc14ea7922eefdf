"""Cost of a tick of a simulated run beside a plain PyBullet script of the same scene and steps.

The script is what somebody would write who wants no testbed: it builds the same scene, sets the
same motors to the same set-points, does the same steps, reads the joints and of all bodies the
pose, the speed and the force of contact with the robot, and keeps them in arrays. What the product
does besides is a loop on a clock with every stage stamped, the envelope, a tracker with noise and
delay, and the record. Building a scene, pictures, writing files and thinking are left
out of both: the wishes of an expert's episode are played back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, cast

import numpy as np

from hil.catalogue import load_rig
from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.plan.freeze import Plan, freeze, single
from hil.plugins import PLANTS, load
from hil.record.format import Episode
from hil.run.trial import run_trial
from hil.task import Draw, Expert, View
from sim.arm import ArmParameters
from sim.plant import Plant
from sim.robots.profile import MotionProfile
from sim.scenery.element import Watching

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
    plan = _lasting(plan, ticks * period_s)
    episode = _run(plan)
    product, plain = [], []
    for _ in range(rounds):
        product.append(_product(plan, episode))
        plant: Plant = load(PLANTS, rig.sim.plant)(rig.sim.step_hz)
        try:
            plain.append(_plain(plant, episode, steps))
        finally:
            plant.close()
    return Cost(median(product), median(plain), steps)


def _lasting(plan: Plan, seconds: float) -> Plan:
    [planned] = plan.scenarios.values()
    loop = planned.scenario.loop.model_copy(update={"duration_s": seconds})
    scenario = planned.scenario.model_copy(update={"loop": loop})
    return replace(plan, scenarios={scenario.id: replace(planned, scenario=scenario)})


def _run(plan: Plan) -> Episode:
    attempt = run_trial(plan, plan.episodes[0], lambda: None).attempt
    if attempt is None or attempt.end != "completed":
        why = "it did not begin" if attempt is None else attempt.reason
        raise HarnessError(f"the episode to be measured did not run: {why}")
    return attempt.episode


class _Replayed:
    """A task whose expert only wishes what was wished before, (ticks, n), rad, and looks at the
    clock when it is asked first and last."""

    def __init__(self, task: Any, wishes: FloatArray) -> None:
        self._task, self._wishes = task, wishes
        self.asked_s = [0.0, 0.0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def expert(self, draw: Draw) -> Expert:
        last = len(self._wishes) - 1

        def wish(view: View) -> FloatArray:
            if view.tick in (0, last):
                self.asked_s[view.tick == last] = time.process_time()
            wished: FloatArray = self._wishes[view.tick]
            return wished

        return wish


def _product(plan: Plan, episode: Episode) -> float:
    """The product: processor time of a tick, s, from the first wish to the last."""
    [planned] = plan.scenarios.values()
    task = _Replayed(planned.task, episode.channels["joints.desired"].value)
    again = replace(planned, task=cast(Any, task))
    _run(replace(plan, scenarios={planned.scenario.id: again}))
    return (task.asked_s[1] - task.asked_s[0]) / (len(episode.ticks) - 1)


def _plain(plant: Plant, episode: Episode, steps: int) -> float:
    """The script: processor time of a tick, s, from the first target to the last."""
    targets, draw = episode.channels["joints.applied"].value, episode.draw
    plant.arrange(draw, np.array(draw["start"]))
    world, robot, placed = plant.truth(0)
    bullet, client = world.bullet, world.client
    advance = _advancing(plant)
    joints = [placed.joints[joint] for motor in robot.motors for joint, _ in motor.moves]
    bodies = [bullet.getBodyUniqueId(i, physicsClientId=client)
              for i in range(bullet.getNumBodies(physicsClientId=client))]  # fmt: skip
    others = [body for body in bodies if body != placed.uid]
    states = np.empty((len(targets), 3, len(joints)))
    things = np.empty((len(targets), len(others), 14))
    began = spent = 0.0
    for tick, target in enumerate(targets):
        if tick == 0 or tick == len(targets) - 1:
            began, spent = time.process_time(), time.process_time() - began
        advance(target, steps)
        found = bullet.getJointStates(placed.uid, joints, physicsClientId=client)
        states[tick] = np.array([(one[0], one[1], one[3]) for one in found]).T
        for number, body in enumerate(others):
            place, turn = bullet.getBasePositionAndOrientation(body, physicsClientId=client)
            speed, rate = bullet.getBaseVelocity(body, physicsClientId=client)
            touch = bullet.getContactPoints(placed.uid, body, physicsClientId=client)
            force = sum(math.hypot(point[9], point[10], point[12]) for point in touch)
            things[tick, number] = (*place, *turn, *speed, *rate, force)
    return spent / (len(targets) - 1)


def _advancing(plant: Plant) -> Callable[[FloatArray, int], None]:
    """What takes the plain script's world on by so many steps, towards targets (n,), rad."""
    _, robot, _ = plant.truth(0)
    servo = any(motor.stiffness is not None for motor in robot.motors)
    return _servos(plant) if servo else _drives(plant)


def _drives(plant: Plant) -> Callable[[FloatArray, int], None]:
    """Motors that PyBullet turns by itself are given their targets once; one by one, since its
    call for many knows no greatest speed."""
    world, robot, placed = plant.truth(0)
    bullet, client = world.bullet, world.client
    rows = [
        (number, placed.joints[joint], ratio, motor)
        for number, motor in enumerate(robot.motors)
        for joint, ratio in motor.moves
    ]
    step = _stepping(plant)

    def advance(target: FloatArray, steps: int) -> None:
        for number, joint, ratio, motor in rows:
            bullet.setJointMotorControl2(
                placed.uid,
                joint,
                bullet.POSITION_CONTROL,
                targetPosition=target[number] * ratio,
                force=motor.torque / len(motor.moves) / abs(ratio),
                positionGain=min(1.0, world.step_s / motor.lag_s),
                maxVelocity=motor.speed * abs(ratio),
                physicsClientId=client,
            )
        for _ in range(steps):
            step()

    return advance


def _servos(plant: Plant) -> Callable[[FloatArray, int], None]:
    """The torque of a hobby servo is worked out before every step (`sim.drives`), and so is what
    the scene's springs do: without either it would be another scene."""
    world, robot, placed = plant.truth(0)
    bullet, client = world.bullet, world.client
    joints = [placed.joints[motor.moves[0][0]] for motor in robot.motors]
    torque = np.array([motor.torque for motor in robot.motors])
    stiffness = np.array([motor.stiffness for motor in robot.motors], dtype=np.float64)
    back_emf = torque / np.array([motor.speed for motor in robot.motors])
    profiles = [MotionProfile(float(angle)) for angle in plant.joints()[0]]
    servo = ArmParameters()
    speeds = [motor.speed for motor in robot.motors]
    step = _stepping(plant)

    def advance(target: FloatArray, steps: int) -> None:
        goals = target.tolist()
        for _ in range(steps):
            found = bullet.getJointStates(placed.uid, joints, physicsClientId=client)
            position = np.array([one[0] for one in found])
            velocity = np.array([one[1] for one in found])
            setpoint = np.array(
                [
                    profile.step(goal, speed, servo.acceleration_rad_s2, world.step_s)
                    for profile, goal, speed in zip(profiles, goals, speeds, strict=True)
                ]
            )
            drive = np.clip(stiffness * (setpoint - position), -torque, torque)
            bullet.setJointMotorControlArray(
                placed.uid,
                joints,
                bullet.VELOCITY_CONTROL,
                targetVelocities=drive / back_emf,
                forces=np.abs(drive - back_emf * velocity),
                physicsClientId=client,
            )
            step()

    return advance


def _stepping(plant: Plant) -> Callable[[], None]:
    """One step of the world, with what the scene's own mechanisms do."""
    world, _, _ = plant.truth(0)
    before = [element.before_step for element in plant.acting]
    after = [one.after_step for one in plant.acting if isinstance(one, Watching)]

    def step() -> None:
        for act in before:
            act()
        world.bullet.stepSimulation(physicsClientId=world.client)
        for look in after:
            look()

    return step
