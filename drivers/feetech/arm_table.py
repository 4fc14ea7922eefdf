"""Arms made of Feetech servos as data: `drivers/feetech/arms/MODEL.toml`."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.feetech.registers import Table, load_table
from hil.contracts import FloatArray, IntArray, JointLimits
from hil.errors import BadInput


class JointSpec(BaseModel):
    """One joint: its servo, its range (rad, rad/s), and where its encoder reads zero.

    `sign` is +1 where encoder counts grow with the angle.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    id: int = Field(ge=0, le=253)
    lower: float
    upper: float
    velocity: float = Field(gt=0)
    zero_count: int = Field(ge=0, le=4095)
    sign: Literal[-1, 1]

    @model_validator(mode="after")
    def _ordered(self) -> JointSpec:
        if self.lower >= self.upper:
            raise ValueError(f"joint {self.name}: lower {self.lower} is not below {self.upper}")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    servo: str
    joints: tuple[JointSpec, ...] = Field(min_length=1)


class JointCalibration(BaseModel):
    """What a rig file may say of one joint of its own arm."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    zero_count: int | None = Field(None, ge=0, le=4095)
    sign: Literal[-1, 1] | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Encoder counts of n joints to joint angles and back; arrays of shape (n,)."""

    zero: IntArray
    sign: IntArray
    radians_per_count: float

    def to_radians(self, counts: FloatArray | IntArray) -> FloatArray:
        """Joint angles in rad of absolute encoder counts; NaN stays NaN."""
        return self.to_radians_per(counts - self.zero)

    def to_radians_per(self, counts: FloatArray | IntArray) -> FloatArray:
        """Differences or rates: counts (per something) to rad (per the same)."""
        return np.asarray(counts * self.sign * self.radians_per_count, dtype=np.float64)

    def to_counts(self, radians: FloatArray) -> IntArray:
        """Nearest absolute encoder counts of joint angles in rad."""
        steps = np.rint(radians / self.radians_per_count).astype(np.int64)
        return np.asarray(self.zero + self.sign * steps, dtype=np.int64)

    def counts_within(self, lower: FloatArray, upper: FloatArray) -> tuple[IntArray, IntArray]:
        """Lowest and highest counts whose angles lie in [lower, upper] rad."""
        inward = [np.ceil(lower / self.radians_per_count), np.floor(upper / self.radians_per_count)]
        ends = self.zero + self.sign * np.array(inward, dtype=np.int64)
        return ends.min(axis=0), ends.max(axis=0)


@dataclass(frozen=True, slots=True)
class ArmTable:
    """An arm: its joints in order, and the control table of its servos.

    Arrays have shape (n,) in the order of `joints`.
    """

    model: str
    servo: Table
    joints: tuple[JointSpec, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(joint.id for joint in self.joints)

    @property
    def limits(self) -> JointLimits:
        """Range of every joint, in rad and rad/s."""
        return JointLimits(
            lower=np.array([joint.lower for joint in self.joints]),
            upper=np.array([joint.upper for joint in self.joints]),
            velocity=np.array([joint.velocity for joint in self.joints]),
        )

    @property
    def scale(self) -> Scale:
        """Between encoder counts and joint angles."""
        return Scale(
            zero=np.array([joint.zero_count for joint in self.joints], dtype=np.int64),
            sign=np.array([joint.sign for joint in self.joints], dtype=np.int64),
            radians_per_count=2 * math.pi / self.servo.counts_per_turn,
        )

    def calibrated(self, calibration: Mapping[str, JointCalibration]) -> ArmTable:
        """This arm with the zero counts and signs of one specimen.

        Errors: BadInput for a joint that the arm does not have.
        """
        unknown = sorted(set(calibration) - set(self.names))
        if unknown:
            raise BadInput(
                f"calibration names unknown joints: {', '.join(unknown)}",
                f"the {self.model} has {', '.join(self.names)}",
            )
        joints = tuple(
            joint.model_copy(update=calibration[joint.name].model_dump(exclude_none=True))
            if joint.name in calibration
            else joint
            for joint in self.joints
        )
        return replace(self, joints=joints)


def load_arm(model: str) -> ArmTable:
    """The arm of one model, for example "so101": pure data, no port.

    Errors: BadInput naming the known arms where there is none of that name.
    """
    folder = resources.files("drivers.feetech") / "arms"
    known = sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if model not in known:
        raise BadInput(f"no Feetech arm is called {model!r}", f"known: {', '.join(known)}")
    text = (folder / f"{model}.toml").read_text(encoding="utf-8")
    content = _File.model_validate(tomllib.loads(text))
    return ArmTable(content.model, load_table(content.servo), content.joints)
