"""What turns a robot's joints in the world: its motors, from set-points to torque.

Two laws. A *drive* follows its set-point with all its torque, as the inner loops of an
industrial arm or a current-limited servo do: the speed asked for is error / lag, at most that
of the motor, and the torque is what it takes, at most the limit. PyBullet solves it together
with the contacts in every step, so set-points need be given only when they change. A *hobby
servo*'s torque is proportional to its error, less the back-EMF's share, so it sags under load
and yields in contact; that law is evaluated before every step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.contracts import FloatArray
from sim.robots.model import Motor, Robot
from sim.world import Placed, Surface, World, blown_up

BoolArray = NDArray[np.bool_]

SPEED_BOUND = 60.0
"""rad/s: no motor of any robot here turns at half of it."""

_JOINT_DAMPING = 0.02  # N·m·s/rad
_PLAIN = Surface(0.5)


@dataclass(frozen=True, slots=True)
class _Row:
    """One joint of the body and the motor that moves it; as a drive it is given `gain`, at most
    `speed` of the joint, and not energised `friction`."""

    index: int
    motor: int
    ratio: float
    share: float
    gain: float
    speed: float
    friction: float


class Motors:
    """The motors of one robot in a world; arrays are (n,), in the order of `robot.motors`."""

    def __init__(self, world: World, robot: Robot, placed: Placed) -> None:
        self._world, self._robot, self._placed = world, robot, placed
        self._rows = _rows(robot.motors, placed, world.step_s)
        self._first = [
            next(row.index for row in self._rows if row.motor == motor)
            for motor in range(len(robot.motors))
        ]
        self._ratio = np.array([motor.moves[0][1] for motor in robot.motors])
        share = np.array([1.0 / len(motor.moves) for motor in robot.motors])
        self._torque_ratio = self._ratio / share
        self._geared = bool((self._ratio != 1.0).any() or (share != 1.0).any())
        self._servo = any(motor.stiffness is not None for motor in robot.motors)
        self._stiffness = np.array([motor.stiffness or 0.0 for motor in robot.motors])
        self._back_emf = np.array([motor.torque / motor.speed for motor in robot.motors])
        friction = [motor.friction for motor in robot.motors]
        self._servo_facts = (self._back_emf.tolist(), friction)
        self._set_surfaces()
        for gear in robot.gears:
            world.gear(placed, gear.first, gear.second, gear.ratio)

    @property
    def every_step(self) -> bool:
        """Whether `pull` has to be called before every step, and not only for new set-points."""
        return self._servo

    def stand(self, position: FloatArray) -> None:
        """Put the joints where the motors' positions have them, at rest."""
        bullet, client = self._world.bullet, self._world.client
        for row in self._rows:
            at = float(position[row.motor]) * row.ratio
            bullet.resetJointState(self._placed.uid, row.index, at, physicsClientId=client)
            bullet.changeDynamics(
                self._placed.uid, row.index, jointDamping=_JOINT_DAMPING, physicsClientId=client
            )

    def pull(
        self,
        target: FloatArray,
        torque_limit: FloatArray,
        enabled: BoolArray,
        position: FloatArray,
        velocity: FloatArray,
    ) -> None:
        """Set the motors for the steps to come. A motor that is not enabled is only the
        friction of its gearbox."""
        if self._servo:
            self._pull_servos(target, torque_limit, enabled, position, velocity)
        else:
            self._pull_drives(target, torque_limit, enabled)

    def sense(self) -> FloatArray:
        """Positions, velocities and torques, (3, n): rad, rad/s, N·m.

        Errors: HarnessError where the physics has blown up.
        """
        states = self._world.bullet.getJointStates(
            self._placed.uid, self._first, physicsClientId=self._world.client
        )
        positions, velocities, _, torques = zip(*states, strict=True)
        table = np.array((positions, velocities, torques))
        if self._geared:
            table[:2] /= self._ratio
            table[2] *= self._torque_ratio
        speeds = table[1].tolist()
        finite = math.isfinite(sum(positions) + sum(speeds) + sum(torques))
        if not (finite and max(map(abs, speeds)) <= SPEED_BOUND):
            raise blown_up(
                f"{self._robot.name}: joint positions {table[0]} rad, velocities {table[1]} rad/s"
            )
        return table

    def _pull_servos(
        self,
        target: FloatArray,
        torque_limit: FloatArray,
        enabled: BoolArray,
        position: FloatArray,
        velocity: FloatArray,
    ) -> None:
        """torque = clip(stiffness * error) - back-EMF, given to PyBullet as the speed at which
        it would be nought and the torque available towards it: stable for light links."""
        speeds, forces = [], []
        wanted = (self._stiffness * (target - position)).tolist()
        braked = (self._back_emf * velocity).tolist()
        for wish, brake, most, on, back_emf, friction in zip(
            *(wanted, braked, torque_limit.tolist(), enabled.tolist()),
            *self._servo_facts,
            strict=True,
        ):  # a few floats are done before numpy has begun
            drive = min(max(wish, -most), most) if on else 0.0
            speeds.append(drive / back_emf)
            forces.append(abs(drive - brake) if on else friction)
        bullet = self._world.bullet
        bullet.setJointMotorControlArray(
            self._placed.uid,
            self._first,
            bullet.VELOCITY_CONTROL,
            targetVelocities=speeds,
            forces=forces,
            physicsClientId=self._world.client,
        )

    def _pull_drives(
        self, target: FloatArray, torque_limit: FloatArray, enabled: BoolArray
    ) -> None:
        bullet, client = self._world.bullet, self._world.client
        pull, uid, follow = bullet.setJointMotorControl2, self._placed.uid, bullet.POSITION_CONTROL
        targets, limits, on = target.tolist(), torque_limit.tolist(), enabled.tolist()
        for row in self._rows:
            motor = row.motor
            if not on[motor]:
                pull(
                    uid,
                    row.index,
                    bullet.VELOCITY_CONTROL,
                    targetVelocity=0.0,
                    force=row.friction,
                    physicsClientId=client,
                )
                continue
            pull(
                uid,
                row.index,
                follow,
                targetPosition=targets[motor] * row.ratio,
                force=limits[motor] * row.share,
                positionGain=row.gain,
                velocityGain=1.0,
                maxVelocity=row.speed,
                physicsClientId=client,
            )

    def _set_surfaces(self) -> None:
        if not self._robot.grip_links:
            return
        grip = Surface(
            self._robot.grip_friction,
            spinning=0.002,
            stiffness=self._robot.grip_stiffness,
            damping=self._robot.grip_damping,
        )
        for name, link in self._placed.links.items():
            chosen = grip if name in self._robot.grip_links else _PLAIN
            self._world.surface(self._placed, link, chosen)


def _rows(motors: Sequence[Motor], placed: Placed, step_s: float) -> list[_Row]:
    """A motor of torque T that moves k joints by ratios r gives each the force T / (k r): then
    its power is that of the joints together."""
    rows = []
    for number, motor in enumerate(motors):
        gain = min(1.0, step_s / motor.lag_s)
        for joint, ratio in motor.moves:
            share = 1.0 / (len(motor.moves) * abs(ratio))
            speed, friction = motor.speed * abs(ratio), motor.friction * share
            rows.append(_Row(placed.joints[joint], number, ratio, share, gain, speed, friction))
    return rows
