"""The table of element kind `screw`."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from sim.scenery.bodies import Four, Length, Table, Triple
from sim.scenery.fixtures import Told
from sim.scenery.thread import Threads
from sim.world import UPRIGHT


class ScrewSpec(Table):
    """SI units and rad; see `sim.scenery.thread` for the thread's. `recess_rad` is how the
    recess lies at first."""

    kind: Literal["screw"] = "screw"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    at: Triple
    turn: Four = UPRIGHT
    told: Told
    bit: str
    diameter: Length
    pitch: float = Field(gt=0, le=0.005)
    head_radius: Length
    head_height: Length
    recess_depth: float = Field(gt=0, le=0.02)
    recess_rad: float = 0.0
    free_m: float = Field(gt=0, le=0.1)
    start_rad: float = Field(ge=0, le=2 * math.pi)
    torque_nm: float = Field(gt=0, le=100)
    joint_rad: float = Field(gt=0, le=10)
    run_nm: float = Field(ge=0, le=5)
    free_nm: float = Field(default=0.005, ge=0, le=1)
    start_n: float = Field(default=2.0, ge=0)
    cross_n: float = Field(default=40.0, gt=0)
    capture: float = Field(default=0.0006, gt=0, le=0.005)
    lean: float = Field(default=0.07, gt=0, le=0.5)
    play: float = Field(default=0.1, gt=0, le=0.5)
    enter_n: float = Field(default=1.0, ge=0)
    hold_nm: float = Field(gt=0)

    @property
    def threads(self) -> Threads:
        return Threads(
            self.pitch,
            self.free_m,
            self.start_rad,
            self.torque_nm,
            self.joint_rad,
            self.run_nm,
            self.free_nm,
            self.start_n,
            self.cross_n,
            math.atan(self.pitch / (2 * self.diameter)),
        )
