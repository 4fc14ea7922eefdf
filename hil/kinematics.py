"""Forward kinematics of a serial chain of revolute joints, in numpy.

A chain is plain data, so that the file of a real arm and the table of a simulated one give the
same thing. Origins follow the URDF convention: `xyz` in m and `rpy` in rad place a joint's frame
in the frame of the link before it, and the joint turns about `axis`, given in its own frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator

from hil.contracts import FloatArray
from hil.errors import HarnessError

Vector = tuple[float, float, float]

ToolPoint = Callable[[FloatArray], FloatArray]
"""Joint positions (n,) in rad to the tool point (3,) in m in the arm's base frame."""

_ORIGIN: Vector = (0.0, 0.0, 0.0)
_Z: Vector = (0.0, 0.0, 1.0)


def rotation(rpy: Vector) -> FloatArray:
    """Rotation matrix (3, 3) of URDF roll, pitch, yaw in rad: Rz(yaw) Ry(pitch) Rx(roll)."""
    (cr, cp, cy), (sr, sp, sy) = map(math.cos, rpy), map(math.sin, rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def rpy_of(matrix: FloatArray) -> Vector:
    """URDF roll, pitch, yaw in rad of a rotation (3, 3) or a transform (4, 4).

    Roll and pitch are read off after the yaw has been turned back, which stays exact where
    the pitch is a quarter turn and the yaw is undetermined.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, _, _) = matrix[:3, :3].tolist()
    yaw = math.atan2(yx, xx)
    c, s = math.cos(yaw), math.sin(yaw)
    pitch = math.atan2(-zx, c * xx + s * yx)
    return (math.atan2(s * xz - c * yz, c * yy - s * xy), pitch, yaw)


def transform(at: Vector, rpy: Vector) -> FloatArray:
    """Homogeneous transform (4, 4) of a URDF origin."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(rpy)
    matrix[:3, 3] = at
    return matrix


@dataclass(frozen=True, slots=True)
class Placement:
    """A frame in the frame before it: `xyz` in m, `rpy` in rad."""

    xyz: Vector = _ORIGIN
    rpy: Vector = _ORIGIN


@dataclass(frozen=True, slots=True)
class Revolute:
    """A joint that turns about `axis` (any length but 0, in the joint's own frame)."""

    xyz: Vector = _ORIGIN
    rpy: Vector = _ORIGIN
    axis: Vector = _Z


class Chain:
    """Revolute joints in a row, from the base on, and a tool fixed behind the last.

    Arrays of joint positions have shape (n,), rad, n = number of joints of the chain; another
    shape is a ValueError.
    """

    def __init__(self, joints: Sequence[Revolute], tool: Placement) -> None:
        origins = [transform(joint.xyz, joint.rpy) for joint in joints]
        axes = [_unit(joint.axis) for joint in joints]
        self.axes: FloatArray = np.array(axes).reshape(-1, 3)
        """Unit axes (n, 3), each in the frame of the link that it turns."""
        self._turns = [_turn(*pair) for pair in zip(origins, axes, strict=True)]
        self._tool = transform(tool.xyz, tool.rpy)
        self._steps, self._start = _steps(origins, axes, tool)

    def frames(self, position: FloatArray) -> list[FloatArray]:
        """Frames (4, 4) of the links behind each joint, then of the tool, in the base frame."""
        here = np.eye(4)
        found = []
        for (fixed, cosine, sine), angle in zip(self._turns, position, strict=True):
            here = here @ (fixed + math.cos(angle) * cosine + math.sin(angle) * sine)
            found.append(here)
        found.append(here @ self._tool)
        return found

    def tool_point(self, position: FloatArray) -> FloatArray:
        """Where the tool is, (3,), m, base frame; NaN where a position is not finite.

        The last column of the last of `frames`, from the tool back to the base on plain
        numbers: the envelope asks up to nine times a tick.
        """
        angles = position.tolist()
        if not math.isfinite(sum(angles)):
            return np.full(3, np.nan)
        x, y, z = self._start
        for step, angle in zip(self._steps, reversed(angles), strict=True):
            xx, xy, xz, dx, yx, yy, yz, dy, zx, zy, zz, dz = step
            cosine, sine = math.cos(angle), math.sin(angle)
            x, y = cosine * x - sine * y, sine * x + cosine * y
            x, y, z = (
                xx * x + xy * y + xz * z + dx,
                yx * x + yy * y + yz * z + dy,
                zx * x + zy * y + zz * z + dz,
            )
        return np.array((x, y, z))


class _TableJoint(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    xyz: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    rpy: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    axis: tuple[FiniteFloat, FiniteFloat, FiniteFloat]

    @field_validator("axis")
    @classmethod
    def _has_a_direction(cls, axis: Vector) -> Vector:
        if not any(axis):
            raise ValueError("an axis of length 0 points nowhere")
        return axis


class _TableTool(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    xyz: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    rpy: tuple[FiniteFloat, FiniteFloat, FiniteFloat] = _ORIGIN


class ChainTable(BaseModel):
    """A chain as an arm's file has it: joints from the base on, by name, then the tool.

    Joints that do not move the tool (a jaw) are left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    joints: tuple[_TableJoint, ...] = Field(min_length=1)
    tool: _TableTool

    @field_validator("joints")
    @classmethod
    def _each_once(cls, joints: tuple[_TableJoint, ...]) -> tuple[_TableJoint, ...]:
        names = [joint.name for joint in joints]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"joints named twice: {', '.join(twice)}")
        return joints

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @property
    def chain(self) -> Chain:
        """The chain itself, over its own joints."""
        joints = [Revolute(joint.xyz, joint.rpy, joint.axis) for joint in self.joints]
        return Chain(joints, Placement(self.tool.xyz, self.tool.rpy))

    def tool_point_among(self, names: Sequence[str]) -> ToolPoint:
        """The tool point as a function of the positions of an arm's joints, `names` in order.

        Errors: HarnessError where the arm lacks a joint of the chain.
        """
        missing = sorted(set(self.names) - set(names))
        if missing:
            raise HarnessError(
                f"the chain to the tool point names unknown joints: {', '.join(missing)}",
                f"the arm has {', '.join(names)}",
            )
        places = np.array([names.index(name) for name in self.names])
        chain = self.chain
        return lambda position: chain.tool_point(position[places])


def _unit(axis: Vector) -> FloatArray:
    length = math.hypot(*axis)
    if not length > 0:
        raise HarnessError(f"{axis} is no axis of a joint", "give it a direction")
    return np.array(axis) / length


def _turn(origin: FloatArray, axis: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """`origin` times the turn by an angle about `axis`, as F + C cos(angle) + S sin(angle),
    each (4, 4): Rodrigues' formula, R = k k' + (I - k k') cos + [k]x sin."""
    x, y, z = axis
    fixed, cosine, sine = np.eye(4), np.zeros((4, 4)), np.zeros((4, 4))
    fixed[:3, :3] = np.outer(axis, axis)
    cosine[:3, :3] = np.eye(3) - fixed[:3, :3]
    sine[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    return origin @ fixed, origin @ cosine, origin @ sine


def _steps(
    origins: Sequence[FloatArray], axes: Sequence[FloatArray], tool: Placement
) -> tuple[list[tuple[float, ...]], tuple[float, ...]]:
    """The same chain with every frame turned so that its joint turns about z.

    Returns the rows (3, 4), flat, that lead back over each joint once the turn about z is done,
    from the last joint on, and the tool in the last of these frames.
    """
    before, steps = np.eye(3), []
    for origin, axis in zip(origins, axes, strict=True):
        upright = _frame_with_z(axis)
        row = np.empty((3, 4))
        row[:, :3] = before.T @ origin[:3, :3] @ upright
        row[:, 3] = before.T @ origin[:3, 3]
        steps.append(tuple(row.ravel().tolist()))
        before = upright
    return steps[::-1], tuple((before.T @ np.array(tool.xyz)).tolist())


def _frame_with_z(axis: FloatArray) -> FloatArray:
    """Some rotation matrix (3, 3) whose third column is `axis`; the identity for z itself."""
    side = np.eye(3)[0 if abs(axis[0]) < 0.9 else 1]
    x = side - (side @ axis) * axis
    x /= math.sqrt(float(x @ x))
    return np.column_stack([x, np.cross(axis, x), axis])
