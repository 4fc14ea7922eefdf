"""Robots made of Dynamixel motors as data: `drivers/dynamixel/robots/MODEL.toml`."""

from __future__ import annotations

from drivers.dynamixel.registers import load_motor
from drivers.servo.joints import JointTable, RobotFolder
from hil.errors import BadInput

_ROBOTS = RobotFolder("drivers.dynamixel.robots", "Dynamixel robot", load_motor)


def load_robot(model: str) -> JointTable:
    """The robot of one model, for example "leap": pure data, no port.

    Errors: BadInput naming the known robots where there is none of that name, or for motors of
    both protocols on one bus.
    """
    robot = _ROBOTS.load(model)
    if len({table.protocol for table in robot.tables}) > 1:
        raise BadInput(f"{model}: motors of both protocols cannot share a bus")
    return robot


def robot_models() -> list[str]:
    """Names of the robots that have a file, sorted."""
    return _ROBOTS.names()
