"""Robots made of Damiao motors as data: `drivers/damiao/robots/NAME.toml`, or a file of one's
own beside the rig file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from drivers.damiao.codec import KD_MAX, KP_MAX
from drivers.damiao.motors import MotorModel, find_motor, load_motors
from drivers.joints import limits_of
from drivers.modelfiles import ModelFolder, refuse_unknown
from hil.config import validate
from hil.contracts import FloatArray, JointLimits

_ROBOTS = ModelFolder("drivers.damiao", "robots", "robot of Damiao motors")

Kp = Annotated[float, Field(ge=0, le=KP_MAX)]
Kd = Annotated[float, Field(ge=0, le=KD_MAX)]


class JointSpec(BaseModel):
    """One joint: its motor, its range (rad, rad/s) and its gains in MIT mode.

    `id` is what the motor listens to (register 8), `master_id` what it answers with (register
    7). The motor reads `offset` rad where the joint is at 0, and grows with it where `sign` is
    +1. `kp` is in N m/rad, `kd` in N m s/rad.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    motor: str
    id: int = Field(ge=1, le=0xFF)
    master_id: int = Field(ge=1, le=0x7FE)
    lower: FiniteFloat
    upper: FiniteFloat
    velocity: float = Field(gt=0)
    sign: Literal[-1, 1] = 1
    offset: FiniteFloat = 0.0
    kp: Kp
    kd: Kd

    @model_validator(mode="after")
    def _usable(self) -> JointSpec:
        if self.lower >= self.upper:
            raise ValueError(f"joint {self.name}: lower {self.lower} is not below {self.upper}")
        if self.kp and not self.kd:
            raise ValueError(f"joint {self.name}: kp without kd makes the motor swing")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    joints: tuple[JointSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> _File:
        ids = {joint.id for joint in self.joints}
        _distinct("name", [joint.name for joint in self.joints])
        _distinct("id", [joint.id for joint in self.joints])
        # an answer names its sender by its own id and the lower half of the motor's
        _distinct(
            "pair of master_id and lower four bits of id",
            [(joint.master_id, joint.id & 0xF) for joint in self.joints],
        )
        for joint in self.joints:
            if joint.master_id in ids:
                raise ValueError(
                    f"joint {joint.name}: master_id {joint.master_id:#x} is the id of a motor,"
                    " which would take its answers for commands"
                )
        return self


class JointSettings(BaseModel):
    """What a rig file may say of one joint of its own robot."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sign: Literal[-1, 1] | None = None
    offset: FiniteFloat | None = None
    kp: Kp | None = None
    kd: Kd | None = None


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot: its joints in order, and the model of each one's motor.

    Arrays have shape (n,) in the order of `joints`.
    """

    model: str
    joints: tuple[JointSpec, ...]
    motors: tuple[MotorModel, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(joint.id for joint in self.joints)

    @property
    def limits(self) -> JointLimits:
        """Range of every joint, in rad and rad/s."""
        return limits_of(self.joints)

    @property
    def sign(self) -> FloatArray:
        """+1.0 or -1.0 by joint."""
        return np.array([float(joint.sign) for joint in self.joints])

    @property
    def offset(self) -> FloatArray:
        """What each motor reads where its joint is at 0, rad."""
        return np.array([joint.offset for joint in self.joints])

    def to_joint(self, motor: FloatArray) -> FloatArray:
        """Joint angles of motor angles, rad; NaN stays NaN."""
        return np.asarray(self.sign * (motor - self.offset), dtype=np.float64)

    def to_motor(self, joint: FloatArray) -> FloatArray:
        """Motor angles of joint angles, rad."""
        return np.asarray(self.offset + self.sign * joint, dtype=np.float64)

    def adjusted(self, settings: Mapping[str, JointSettings]) -> Robot:
        """This robot with the signs, offsets and gains of one specimen.

        Errors: BadInput for a joint that the robot does not have, or gains that do not fit.
        """
        refuse_unknown("joints", settings, f"the {self.model}", "joints", self.names)
        joints = tuple(_adjusted(joint, settings.get(joint.name)) for joint in self.joints)
        return replace(self, joints=joints)


def load_robot(name: str, base: Path = Path()) -> Robot:
    """The robot of a name, for example "openarm-right", or of a TOML file beside `base`.

    Errors: BadInput naming the known robots, or what is wrong with the file.
    """
    return _robot(_ROBOTS.load(name, _File, base))


def _robot(content: _File) -> Robot:
    models = load_motors()
    motors = tuple(find_motor(joint.motor, models) for joint in content.joints)
    return Robot(content.model, content.joints, motors)


def _adjusted(joint: JointSpec, settings: JointSettings | None) -> JointSpec:
    if settings is None:
        return joint
    changed = joint.model_dump() | settings.model_dump(exclude_none=True)
    return validate(changed, JointSpec, f"joint {joint.name}")


def _distinct(what: str, values: Sequence[object]) -> None:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"the same {what} is used twice: {', '.join(twice)}")
