"""Element kind `screw`: a screw set into the mouth of a threaded hole, and the bit that drives it.

The hole's frame is where the screw's head will be seated, z out of the hole. The bit is a link of
a robot, its frame at its tip with z along it. Screw and bit meet by springs, not as rigid bodies:

* On the head and not in its recess, the bit is held up by a spring `GIVE` and rubs.
* It gets into the recess (a hexagon) where it is within `capture` m of the middle, leans by
  `lean` rad at most, is pressed with `enter_n` or more, and its flats match to within half the
  `play`, rad. Then it is centred by a spring, may sink to the recess' floor, and turns the screw
  through its own elasticity, `TWIST` N·m/rad with all of the spindle (`sim.scenery.thread`).
* It slips out where it is lifted, leans or is pulled aside by more, or where more torque is asked
  of the recess than `hold_nm` times the share of the recess' depth that the bit is in.

Springs and limits are engineering assumptions of the order of small hexagon socket screws. The
screw itself is only seen; what its head and hole are in is another element.

Columns: `NAME.angle`, `.turned` (since the thread started), `.past_seat`, rad; `.travel`, m;
`.started`, `.crossed`, `.bit_in`, 0 or 1; `.tight_nm`, to which it is tightened now; `.torque_nm`,
what the bit turns it with now, and `.torque_peak_nm`, the most since the last row; `.press_n` and
`.press_peak_n`, along the axis; `.slips`, how often the bit slipped out under torque; `.bit_gap`,
m, of the bit's tip over the head's top along the axis; `.bit_speed`, m/s.

The tracker tells `told`: where the drawing has the middle of the head's top before it is driven.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from sim.scenery.carried import carried
from sim.scenery.element import Stage
from sim.scenery.screw_table import ScrewSpec
from sim.scenery.thread import Thread
from sim.world import UPRIGHT, Placed

GIVE, DAMPING = 5e4, 60.0
"""N/m and N·s/m along the axis and across it."""
TWIST = 30.0
"""N·m/rad of bit, chuck and spindle."""
RUB = 0.15
"""Coefficient of friction of the bit on the head."""
FLATS = math.pi / 3

_SLOW_M_S = 0.005
_LIFTED_M = 0.0002
_HEAD = (0.62, 0.64, 0.67, 1.0)
_SOCKET = (0.10, 0.10, 0.11, 1.0)


@dataclass(frozen=True, slots=True)
class _Bit:
    """The bit in the hole's frame: its tip's place and velocity, by how much it leans, and where
    its flats are, rad clockwise seen from above."""

    tip: FloatArray
    speed: FloatArray
    lean: float
    flats: float


class Screw:
    """The screw in the world."""

    def __init__(self, stage: Stage, spec: ScrewSpec) -> None:
        self._world, self._spec = stage.world, spec
        self._tool = carried(stage, spec.bit, spec.name)
        self.thread = Thread(spec.threads)
        turn = stage.world.bullet.getMatrixFromQuaternion(spec.turn)
        self._axes = np.array(turn).reshape(3, 3)
        self._lies = spec.recess_rad
        self._inside = False
        self._behind = 0.0  # of the screw against the bit when it got in, a whole number of flats
        self._spun = 0.0  # the bit's flats without jumps
        self._press = self._torque = self._press_peak = self._torque_peak = 0.0
        self._slips = 0
        self._looks = _looks(stage, spec)

    @property
    def solids(self) -> Sequence[Placed]:
        return ()

    def poses(self) -> Mapping[str, FloatArray]:
        told = self._spec.told
        return {self._spec.name: np.array([*told.at, *told.turn])}

    @property
    def top(self) -> float:
        """m over the seat, of the head's top."""
        return self._spec.free_m - self.thread.travel + self._spec.head_height

    def before_step(self) -> None:
        """Let bit and screw push and turn each other."""
        bit = self._look()
        off = math.hypot(bit.tip[0], bit.tip[1])
        self._press = self._torque = 0.0
        depth = self.top - float(bit.tip[2])
        if depth < -_LIFTED_M or off > self._spec.head_radius:
            self._inside = False
            return
        floor = self._spec.recess_depth if self._inside else 0.0
        squeezed = depth - floor
        if squeezed > 0:
            self._press = max(0.0, GIVE * squeezed - DAMPING * float(bit.speed[2]))
        if not self._inside:
            self._try_to_enter(bit, off)
        force = self._held(bit, off) if self._inside else self._rubbed(bit)
        if self._inside:
            self._drive(bit, depth)
        self._push(force + np.array([0.0, 0.0, self._press]), bit)
        self._press_peak = max(self._press_peak, self._press)
        self._torque_peak = max(self._torque_peak, self._torque)

    def witness(self) -> Mapping[str, float]:
        bit = self._look()
        thread = self.thread
        values = {
            "angle": thread.angle,
            "turned": thread.turned,
            "past_seat": thread.past_seat,
            "travel": thread.travel,
            "started": float(thread.begun is not None),
            "crossed": float(thread.crossed),
            "bit_in": float(self._inside),
            "tight_nm": thread.tight_nm,
            "torque_nm": self._torque,
            "torque_peak_nm": self._torque_peak,
            "press_n": self._press,
            "press_peak_n": self._press_peak,
            "slips": float(self._slips),
            "bit_gap": float(bit.tip[2]) - self.top,
            "bit_speed": float(np.linalg.norm(bit.speed)),
        }
        self._press_peak = self._torque_peak = 0.0
        return {f"{self._spec.name}.{column}": value for column, value in values.items()}

    def show(self) -> None:
        """Bring what is seen to where the screw is."""
        bullet, client, spec = self._world.bullet, self._world.client, self._spec
        middles = (spec.head_height / 2, spec.head_height + 0.0002, -_shank(spec) / 2)
        down = self.top - spec.head_height
        for uid, middle in zip(self._looks, middles, strict=True):
            at, turn = bullet.multiplyTransforms(
                spec.at, spec.turn, (0.0, 0.0, down + middle), UPRIGHT
            )
            bullet.resetBasePositionAndOrientation(uid, at, turn, physicsClientId=client)

    def _try_to_enter(self, bit: _Bit, off: float) -> None:
        spec = self._spec
        if self._press < spec.enter_n or off > spec.capture or bit.lean > spec.lean:
            return
        behind = self._spun - self._lies - self.thread.angle
        flats = FLATS * round(behind / FLATS)
        if abs(behind - flats) <= spec.play / 2:
            self._inside, self._behind = True, flats

    def _drive(self, bit: _Bit, depth: float) -> None:
        spec = self._spec
        behind = self._spun - self._lies - self.thread.angle - self._behind
        wound = math.copysign(max(0.0, abs(behind) - spec.play / 2), behind)
        self._torque = self.thread.turn(wound, TWIST, self._press, bit.lean)
        share = min(1.0, max(0.0, depth / spec.recess_depth))
        if abs(self._torque) > spec.hold_nm * share:
            self._inside, self._torque = False, 0.0
            self._slips += 1

    def _held(self, bit: _Bit, off: float) -> FloatArray:
        """Force across the axis that centres a bit in the recess; it leaves where it is too
        far off."""
        spec = self._spec
        if off > 2 * spec.capture or bit.lean > 1.5 * spec.lean:
            self._inside = False
            return np.zeros(3)
        push = -GIVE * bit.tip - DAMPING * bit.speed
        push[2] = 0.0
        return np.asarray(push)

    def _rubbed(self, bit: _Bit) -> FloatArray:
        across = np.array([bit.speed[0], bit.speed[1], 0.0])
        size = float(np.linalg.norm(across))
        return np.asarray(-RUB * self._press * across / max(size, _SLOW_M_S))

    def _push(self, local: FloatArray, bit: _Bit) -> None:
        """Force at the bit's tip, and the screw's torque about the axis, against clockwise."""
        tip = np.array(self._spec.at) + self._axes @ bit.tip
        self._tool.push(self._axes @ local, tip)
        if self._torque:
            self._tool.twist(self._torque, tip, self._axes)

    def _look(self) -> _Bit:
        """The bit now, and its flats counted on without jumps."""
        end = self._tool.end()
        into, ahead = self._axes.T @ end.axes[:, 2], self._axes.T @ end.axes[:, 0]
        flats = -math.atan2(ahead[1], ahead[0])
        before = self._spun
        self._spun = before + math.remainder(flats - before, 2 * math.pi)
        return _Bit(
            self._axes.T @ (end.at - np.array(self._spec.at)),
            self._axes.T @ end.speed,
            math.acos(max(-1.0, min(1.0, -float(into[2])))),
            self._spun,
        )


def build(stage: Stage, spec: ScrewSpec) -> Screw:
    """The element in the world of `stage`. Errors: BadInput where no robot has the bit."""
    return Screw(stage, spec)


def _shank(spec: ScrewSpec) -> float:
    """m of shank under the head that are seen."""
    return spec.free_m + spec.diameter


def _looks(stage: Stage, spec: ScrewSpec) -> list[int]:
    """Head, recess and shank, only seen."""
    bullet, client = stage.world.bullet, stage.world.client
    sizes = (
        (spec.head_radius, spec.head_height, _HEAD),
        (0.6 * spec.head_radius, 0.0004, _SOCKET),
        (spec.diameter / 2, _shank(spec), _HEAD),
    )
    found = []
    for radius, length, colour in sizes:
        shape = bullet.createVisualShape(
            bullet.GEOM_CYLINDER,
            radius=radius,
            length=length,
            rgbaColor=colour,
            physicsClientId=client,
        )
        found.append(
            bullet.createMultiBody(
                baseMass=0, baseVisualShapeIndex=shape, basePosition=spec.at, physicsClientId=client
            )
        )
    return found
