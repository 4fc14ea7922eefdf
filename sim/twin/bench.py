"""The plant with the emulated servos in front of it: what one step of the twin is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.feetech.arm_table import load_arm
from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.twin.bus import ServoBus
from sim.twin.config import BusOptions
from sim.twin.motor import MotorModel
from sim.twin.servo import Body, Mounting, Servo


class Plant(Protocol):
    """What the twin needs of a plant of group `hil.plants`; arrays are (n,), SI units."""

    @property
    def joint_names(self) -> tuple[str, ...]: ...

    @property
    def step_s(self) -> float: ...

    def joints(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Position, velocity and motor torque of every joint."""
        ...

    def drive(
        self, target: FloatArray, torque_limit: FloatArray, enabled: NDArray[np.bool_]
    ) -> None:
        """Set-points for the steps to come."""
        ...

    def step(self) -> None:
        """Advance by `step_s`."""
        ...

    def arrange(self, scene: Mapping[str, object], joint_position: FloatArray | None) -> None:
        """Build the scene; None leaves the arm where it is."""
        ...

    def track(self) -> Mapping[str, FloatArray]:
        """Measured object poses."""
        ...

    def witness(self) -> Mapping[str, float]:
        """What happened since the last call."""
        ...

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture of the bench."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


def mount_servos(options: BusOptions, joint_names: Sequence[str]) -> ServoBus:
    """The servos of arm `options.joints`, in the plant's joint order.

    Errors: BadInput where arm and plant do not have the same joints.
    """
    arm = load_arm(options.joints)
    rows = {row.name: row for row in arm.joints}
    if set(rows) != set(joint_names):
        raise BadInput(
            f"arm {options.joints!r} has joints {', '.join(rows)},"
            f" the plant has {', '.join(joint_names)}"
        )
    model = MotorModel(supply=options.supply_v)
    mountings = [
        Mounting(rows[name].id, rows[name].zero_count, rows[name].sign) for name in joint_names
    ]
    return ServoBus([Servo(arm.servo, mounting, options.baud, model) for mounting in mountings])


class Bench:
    """Servos and plant in lockstep. `servos` are in the plant's joint order, or none."""

    def __init__(self, plant: Plant, servos: Sequence[Servo]) -> None:
        self.plant = plant
        self._servos = tuple(servos)
        self._step_s = plant.step_s
        count = len(self._servos)
        self._target = np.zeros(count)
        self._limit = np.zeros(count)
        self._enabled = np.zeros(count, dtype=np.bool_)
        self._sense()  # so that a servo asked before the first step knows its joint

    def step(self) -> None:
        """Every servo sees its joint and gives its orders, then the plant moves."""
        if self._servos:
            self._sense()
            self.plant.drive(self._target, self._limit, self._enabled)
        self.plant.step()

    def _sense(self) -> None:
        columns = [column.tolist() for column in self.plant.joints()]
        for index, servo in enumerate(self._servos):
            position, velocity, torque = (column[index] for column in columns)
            drive = servo.step(self._step_s, Body(position, velocity, torque))
            self._target[index] = drive.target
            self._limit[index] = drive.torque_limit
            self._enabled[index] = drive.enabled
