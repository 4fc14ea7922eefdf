"""Joints driven by servos as data: ranges, calibration, and encoder counts to angles and back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.joints import limits_of
from drivers.modelfiles import refuse_unknown
from drivers.servo.registers import Table
from hil.config import validate
from hil.contracts import FloatArray, IntArray, JointLimits
from hil.errors import BadInput
from hil.kinematics import ChainTable, ToolPoint

_FARTHEST_COUNT = 1 << 20
"""Farthest count that a servo of many turns can report."""

ZeroCount = Field(ge=-_FARTHEST_COUNT, le=_FARTHEST_COUNT)


class JointSpec(BaseModel):
    """One joint: its servo, its range (rad, rad/s), and where its encoder reads zero.

    `sign` is +1 where encoder counts grow with the angle. `servo` names its model where that
    is not the one of the whole file. `mode` is the operating mode that it has to be set to,
    where it has several for positions; `current_limit` (A) bounds what its motor may draw,
    where it can do that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    id: int = Field(ge=0, le=253)
    lower: float
    upper: float
    velocity: float = Field(gt=0)
    zero_count: int = ZeroCount
    sign: Literal[-1, 1]
    servo: str | None = None
    mode: int | None = None
    current_limit: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> JointSpec:
        if self.lower >= self.upper:
            raise ValueError(f"joint {self.name}: lower {self.lower} is not below {self.upper}")
        return self


class JointCalibration(BaseModel):
    """What a rig file may say of one joint of its own robot."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    zero_count: int | None = Field(None, ge=-_FARTHEST_COUNT, le=_FARTHEST_COUNT)
    sign: Literal[-1, 1] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    servo: str
    joints: tuple[JointSpec, ...] = Field(min_length=1)
    chain: ChainTable | None = None

    @model_validator(mode="after")
    def _distinct(self) -> _File:
        for what in ("name", "id"):
            values = [getattr(joint, what) for joint in self.joints]
            twice = sorted({str(value) for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{self.model}: the same {what} twice: {', '.join(twice)}")
        return self


@dataclass(frozen=True, slots=True)
class Scale:
    """Encoder counts of n joints to joint angles and back; arrays of shape (n,)."""

    zero: IntArray
    sign: IntArray
    radians_per_count: FloatArray

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
class JointTable:
    """An arm or a hand: its joints in order, and the control table of each joint's servo.

    Arrays have shape (n,) in the order of `joints`.
    """

    model: str
    joints: tuple[JointSpec, ...]
    tables: tuple[Table, ...]
    chain: ChainTable | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(joint.id for joint in self.joints)

    @property
    def servo(self) -> Table:
        """Control table of the first servo; that of all where they are of one model."""
        return self.tables[0]

    @property
    def servos(self) -> dict[int, Table]:
        """Control tables by servo id."""
        return dict(zip(self.ids, self.tables, strict=True))

    @property
    def limits(self) -> JointLimits:
        """Range of every joint, in rad and rad/s."""
        return limits_of(self.joints)

    @property
    def tool_point(self) -> ToolPoint | None:
        """Forward kinematics from joint positions (n,) in rad; None for a file without chain.

        Errors: HarnessError where the chain names a joint that the robot does not have.
        """
        return None if self.chain is None else self.chain.tool_point_among(self.names)

    @property
    def scale(self) -> Scale:
        """Between encoder counts and joint angles."""
        return Scale(
            zero=np.array([joint.zero_count for joint in self.joints], dtype=np.int64),
            sign=np.array([joint.sign for joint in self.joints], dtype=np.int64),
            radians_per_count=np.array([table.radians_per_count for table in self.tables]),
        )

    def calibrated(self, calibration: Mapping[str, JointCalibration]) -> JointTable:
        """This robot with the zero counts and signs of one specimen.

        Errors: BadInput for a joint that the robot does not have.
        """
        refuse_unknown("calibration", calibration, f"the {self.model}", "joints", self.names)
        joints = tuple(
            joint.model_copy(update=calibration[joint.name].model_dump(exclude_none=True))
            if joint.name in calibration
            else joint
            for joint in self.joints
        )
        return replace(self, joints=joints)


def _check(joint: JointSpec, table: Table, place: str) -> None:
    """Errors: BadInput where the servo cannot do what its joint asks."""
    if joint.mode is not None and joint.mode not in table.modes:
        raise BadInput(f"{place}: {joint.name}: the {table.model} has no mode {joint.mode}")
    if joint.current_limit is not None and "goal_current" not in table:
        raise BadInput(f"{place}: {joint.name}: the {table.model} cannot limit its current")


@dataclass(frozen=True, slots=True)
class RobotFolder:
    """Where the robots of one family are: a package with `MODEL.toml` files.

    `kind` is what people call them; `load_table` gives the control table of a servo model.
    """

    package: str
    kind: str
    load_table: Callable[[str], Table]

    def names(self) -> list[str]:
        """Models with a file, sorted."""
        entries = resources.files(self.package).iterdir()
        return sorted(entry.name[:-5] for entry in entries if entry.name.endswith(".toml"))

    def load(self, model: str) -> JointTable:
        """The robot of one model: pure data, no port.

        Errors: BadInput naming the known ones where there is none of that name.
        """
        known = self.names()
        if model not in known:
            raise BadInput(f"no {self.kind} is called {model!r}", f"known: {', '.join(known)}")
        source = resources.files(self.package) / f"{model}.toml"
        content = tomllib.loads(source.read_text(encoding="utf-8"))
        file = validate(content, _File, f"{self.kind} {model}")
        tables = {name: self.load_table(name) for name in self._models(file)}
        rows = tuple(tables[joint.servo or file.servo] for joint in file.joints)
        for joint, table in zip(file.joints, rows, strict=True):
            _check(joint, table, f"{self.kind} {model}")
        return JointTable(file.model, file.joints, rows, file.chain)

    @staticmethod
    def _models(file: _File) -> set[str]:
        return {joint.servo or file.servo for joint in file.joints}
