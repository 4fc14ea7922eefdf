"""A plant of independent joints, without a physics engine: for arms, hands and grippers whose
robot is not modelled. It has no scene and draws no picture.

Every joint is one inertia J with viscous friction b and Coulomb friction c, turned by the torque
of a position servo:

    tau = clip(k (target - q) - d v, -limit, limit)        0 where the motor is not powered
    J dv/dt = tau - b v - c sign(v)

Approximations: no gravity, no coupling between joints, no end stops, and one set of constants
for every joint, that of a small geared servo; what differs between devices is the torque limit
that their emulators ask for. An emulator that controls torque and not position gives a target
far away: the limit is then the torque.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.contracts import FloatArray
from hil.errors import BadInput, HarnessError


@dataclass(frozen=True, slots=True)
class Axis:
    """Constants of a joint. The servo is critically damped: k = J w^2, d = 2 J w."""

    inertia: float = 1e-3  # kg m^2, rotor behind the gearbox included
    viscous: float = 5e-3  # N m s/rad
    coulomb: float = 5e-3  # N m
    bandwidth: float = 100.0  # w, rad/s


def build(step_hz: int, joints: Sequence[str] = ()) -> Axes:
    """A plant with the joints named, each at 0 rad; entry point `axes` of group `hil.plants`.

    Errors: BadInput where no joint is named.
    """
    if not joints:
        raise BadInput(
            "the plant axes has the joints that emulated devices drive, and none drives any",
            "use it in a twin with a device that moves joints, or leave [twin] plant away",
        )
    return Axes(step_hz, tuple(joints))


class Axes:
    """Joints in the order of `joint_names`; arrays are (n,), SI units.

    Stepped semi-implicitly: the velocity first, with its frictions taken at the end of the step
    so that they only ever brake, then the position with the new velocity. Coulomb friction holds
    a joint exactly still that no torque moves.
    """

    def __init__(
        self, step_hz: int, joint_names: tuple[str, ...], axis: Axis | None = None
    ) -> None:
        axis = axis or Axis()
        self.joint_names = joint_names
        self.step_s = 1.0 / step_hz
        self._stiffness = axis.inertia * axis.bandwidth**2
        self._damping = 2 * axis.inertia * axis.bandwidth
        self._per_torque = self.step_s / axis.inertia
        self._kept = 1.0 / (1.0 + axis.viscous * self._per_torque)
        self._coulomb = axis.coulomb * self._per_torque
        count = len(joint_names)
        self._position = np.zeros(count)
        self._velocity = np.zeros(count)
        self._torque = np.zeros(count)
        self._target = np.zeros(count)
        self._limit = np.zeros(count)

    def joints(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Position in rad, velocity in rad/s and motor torque in N m, each (n,)."""
        return self._position.copy(), self._velocity.copy(), self._torque.copy()

    def drive(
        self, target: FloatArray, torque_limit: FloatArray, enabled: NDArray[np.bool_]
    ) -> None:
        """Set-points for the steps to come, each (n,): rad, N m, powered or not.

        Errors: HarnessError for one that is not a finite number.
        """
        limit = np.where(enabled, torque_limit, 0.0)
        if not (np.isfinite(target).all() and np.isfinite(limit).all()):
            raise HarnessError(f"joints cannot be driven to {target} rad with {limit} N m")
        self._target = np.array(target, dtype=np.float64)
        self._limit = limit

    def step(self) -> None:
        """Advance by `step_s`."""
        pull = self._stiffness * (self._target - self._position) - self._damping * self._velocity
        self._torque = np.clip(pull, -self._limit, self._limit)
        free = (self._velocity + self._torque * self._per_torque) * self._kept
        self._velocity = np.sign(free) * np.maximum(np.abs(free) - self._coulomb * self._kept, 0.0)
        self._position = self._position + self._velocity * self.step_s

    def close(self) -> None:
        """Nothing is held."""
