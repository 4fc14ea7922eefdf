"""Instruments that look at a robot and are no part of it; each bears witness with noise of its own.

Element kind `tool-pose`: a laser tracker on the robot's tool. Columns: `NAME.x`, `.y`, `.z` in m,
`.qx`, `.qy`, `.qz`, `.qw`, in the world's frame, as measured at that instant.

Element kind `shaft`: an encoder on the output of one joint, beyond its gears. Column:
`NAME.rad`, rad.

On a real rig each is a device of its own behind the scene's contract.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.scenery.bodies import Four, Table, Triple
from sim.scenery.element import Stage
from sim.world import Placed

_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")


class _Meter(Table):
    """`robot` counts those of the plant from 0; `seed` is that of the noise."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    robot: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)


class ToolPoseSpec(_Meter):
    """The tool is `at` m and `turn` (quaternion) in the frame of a link. Noise is normal, of so
    much standard deviation an axis."""

    kind: Literal["tool-pose"] = "tool-pose"
    link: str
    at: Triple = (0.0, 0.0, 0.0)
    turn: Four = (0.0, 0.0, 0.0, 1.0)
    noise_m: float = Field(default=0.0, ge=0, le=0.01)
    noise_rad: float = Field(default=0.0, ge=0, le=0.1)


class ShaftSpec(_Meter):
    """The joint is one of the body's; noise is normal."""

    kind: Literal["shaft"] = "shaft"
    joint: str
    noise_rad: float = Field(default=0.0, ge=0, le=0.1)


class _Looking:
    """What all of them are to the plant: nothing that can be met or tracked."""

    @property
    def solids(self) -> Sequence[Placed]:
        return ()

    def poses(self) -> Mapping[str, FloatArray]:
        return {}

    def show(self) -> None:
        """It is not seen."""


class ToolPose(_Looking):
    """The tracker."""

    def __init__(self, stage: Stage, spec: ToolPoseSpec) -> None:
        placed = _robot(stage, spec)
        self._world, self._spec, self._uid = stage.world, spec, placed.uid
        self._link = _place(spec.link, placed.links, spec.name, "link")
        self._rng = np.random.default_rng(spec.seed)

    def witness(self) -> Mapping[str, float]:
        bullet, client, spec = self._world.bullet, self._world.client, self._spec
        state = bullet.getLinkState(
            self._uid, self._link, computeForwardKinematics=1, physicsClientId=client
        )
        at, turn = bullet.multiplyTransforms(state[4], state[5], spec.at, spec.turn)
        noise = self._rng.normal(0.0, 1.0, 6)
        off = (noise[3:] * spec.noise_rad / 2).tolist()
        turn = bullet.multiplyTransforms((0, 0, 0), (*off, 1.0), (0, 0, 0), turn)[1]
        unit = np.array(turn) / float(np.linalg.norm(turn))
        values = [*(np.array(at) + noise[:3] * spec.noise_m).tolist(), *unit.tolist()]
        return {f"{spec.name}.{axis}": value for axis, value in zip(_POSE, values, strict=True)}


class Shaft(_Looking):
    """The encoder."""

    def __init__(self, stage: Stage, spec: ShaftSpec) -> None:
        placed = _robot(stage, spec)
        self._world, self._spec, self._uid = stage.world, spec, placed.uid
        self._joint = _place(spec.joint, placed.joints, spec.name, "joint")
        self._rng = np.random.default_rng(spec.seed)

    def witness(self) -> Mapping[str, float]:
        state = self._world.bullet.getJointState(
            self._uid, self._joint, physicsClientId=self._world.client
        )
        angle = float(state[0]) + float(self._rng.normal()) * self._spec.noise_rad
        return {f"{self._spec.name}.rad": angle}


def _robot(stage: Stage, spec: _Meter) -> Placed:
    if spec.robot >= len(stage.robots):
        raise BadInput(
            f"element {spec.name!r} of the scene looks at robot {spec.robot}",
            f"the plant has {len(stage.robots)}, counted from 0",
        )
    return stage.robots[spec.robot]


def _place(wanted: str, known: Mapping[str, int], name: str, what: str) -> int:
    if wanted not in known:
        raise BadInput(
            f"element {name!r} of the scene looks at {what} {wanted!r}, which the robot lacks",
            f"it has {', '.join(known)}",
        )
    return known[wanted]
