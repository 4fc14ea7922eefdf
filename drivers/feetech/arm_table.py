"""Arms made of Feetech servos as data: `drivers/feetech/arms/MODEL.toml`."""

from __future__ import annotations

from drivers.feetech.registers import load_table
from drivers.servo.joints import JointCalibration, JointSpec, JointTable, RobotFolder, Scale

__all__ = ["ArmTable", "JointCalibration", "JointSpec", "Scale", "arm_names", "load_arm"]

ArmTable = JointTable

_ARMS = RobotFolder("drivers.feetech.arms", "Feetech arm", load_table)


def arm_names() -> list[str]:
    """Models of arms and hands with a file, sorted."""
    return _ARMS.names()


def load_arm(model: str) -> JointTable:
    """The arm or hand of one model, for example "so101": pure data, no port.

    Errors: BadInput naming the known arms where there is none of that name.
    """
    return _ARMS.load(model)
