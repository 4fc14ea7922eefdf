"""What turns a robot's joints in the world: its motors, from set-points to torque.

Two laws. A *drive* follows its set-point with all its torque, as the inner loops of an
industrial arm or a current-limited servo do: the speed asked for is error / lag, at most that
of the motor, and the torque is what it takes, at most the limit. PyBullet solves it together
with the contacts in every step, so set-points need be given only when they change. A *hobby
servo*'s torque is proportional to its error, less the back-EMF's share, so it sags under load
and yields in contact; that law is evaluated before every step.
"""

from __future__ import annotations

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
    """One joint of the body and the motor that moves it."""

    index: int
    motor: int
    ratio: float
    share: float


class Motors:
    """The motors of one robot in a world; arrays are (n,), in the order of `robot.motors`."""

    def __init__(self, world: World, robot: Robot, placed: Placed) -> None:
        self._world, self._robot, self._placed = world, robot, placed
        self._rows = _rows(robot.motors, placed)
        self._first = [
            next(row.index for row in self._rows if row.motor == motor)
            for motor in range(len(robot.motors))
        ]
        self._ratio = np.array([motor.moves[0][1] for motor in robot.motors])
        self._share = np.array([1.0 / len(motor.moves) for motor in robot.motors])
        self._servo = any(motor.stiffness is not None for motor in robot.motors)
        self._stiffness = np.array([motor.stiffness or 0.0 for motor in robot.motors])
        self._back_emf = np.array([motor.torque / motor.speed for motor in robot.motors])
        self._friction = np.array([motor.friction for motor in robot.motors])
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
        table = np.array([(state[0], state[1], state[3]) for state in states]).T
        table[:2] /= self._ratio
        table[2] *= self._ratio / self._share
        if not (np.isfinite(table).all() and np.abs(table[1]).max() <= SPEED_BOUND):
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
        limit = np.where(enabled, torque_limit, 0.0)
        drive = np.clip(self._stiffness * (target - position), -limit, limit)
        torque = np.abs(drive - self._back_emf * velocity)
        bullet = self._world.bullet
        bullet.setJointMotorControlArray(
            self._placed.uid,
            self._first,
            bullet.VELOCITY_CONTROL,
            targetVelocities=(drive / self._back_emf).tolist(),
            forces=np.where(enabled, torque, self._friction).tolist(),
            physicsClientId=self._world.client,
        )

    def _pull_drives(
        self, target: FloatArray, torque_limit: FloatArray, enabled: BoolArray
    ) -> None:
        bullet, client = self._world.bullet, self._world.client
        targets, limits, on = target.tolist(), torque_limit.tolist(), enabled.tolist()
        for row in self._rows:
            motor = self._robot.motors[row.motor]
            if not on[row.motor]:
                bullet.setJointMotorControl2(
                    self._placed.uid,
                    row.index,
                    bullet.VELOCITY_CONTROL,
                    targetVelocity=0.0,
                    force=motor.friction * row.share,
                    physicsClientId=client,
                )
                continue
            bullet.setJointMotorControl2(
                self._placed.uid,
                row.index,
                bullet.POSITION_CONTROL,
                targetPosition=targets[row.motor] * row.ratio,
                force=limits[row.motor] * row.share,
                positionGain=min(1.0, self._world.step_s / motor.lag_s),
                velocityGain=1.0,
                maxVelocity=motor.speed * abs(row.ratio),
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


def _rows(motors: Sequence[Motor], placed: Placed) -> list[_Row]:
    """A motor of torque T that moves k joints by ratios r gives each the force T / (k r): then
    its power is that of the joints together."""
    return [
        _Row(placed.joints[joint], number, ratio, 1.0 / (len(motor.moves) * abs(ratio)))
        for number, motor in enumerate(motors)
        for joint, ratio in motor.moves
    ]
