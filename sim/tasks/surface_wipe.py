"""Archetype surface-wipe: wipe marks off a surface with a pad, pressing neither too little nor
too much.

The surface is a table top, a panel that leans up to upright, or the top of a head. Where it is
is told with an error of up to `error_m` along its normal and `error_rad` about its x and y each:
some millimetres, which a sponge turns into as much force as the band is wide, so that the way is
told by the tracker and the depth has to be felt.

Done is: the share of the marked area that the pad passed while it pressed within `band_n`, no
step's force over `peak_n`, the force within the band for `in_band` of the time in contact and
never outside for longer than `excursion_s` (touching down and lifting off pass what is below it),
nothing else moved, and the pad lifted off for `hold_s` at the end. A force that counts in every
step wants steps of 1 ms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, cast

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.kinematics import rotation
from hil.task import Condition, Draw
from sim.robots import wiper
from sim.robots.model import Robot
from sim.robots.reach import limb, reach
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import DOWN, moved
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, refuse_outside, uniform, within
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time
from sim.tasks.surface_wipe_script import script
from sim.tasks.surface_wipe_things import KINDS, Kind, drawn_marks, pad, parts, place_of, vases

MOVED_M = 0.005
NAME = "surface"
_ABOVE_M = 0.14  # of the face over the surface's middle, at the start
_LONGEST_HOLD_S = 1.0


class Parameters(TaskTable):
    """Middle of the surface at `x_m`, `y_m`, `z_m`, base frame, leaning by `lean_rad` towards the
    robot (0 lies, a quarter turn stands upright), turned by `yaw_rad` about the vertical and
    then by `tilt_rad` about its own x and y each. `x_m`, `z_m`, `lean_rad` and `mark_half_m` are
    the kind's standard ranges unless given. `stiffness_n_m` is of a contact point, see
    `sim.scenery.wipeable`."""

    surface: Literal["table", "window", "head"] = "table"
    x_m: Range | None = Field(default=None, description="[low, high] in m")
    y_m: Range = within(-0.08, 0.08, "m", -0.06, 0.06)
    z_m: Range | None = Field(default=None, description="[low, high] in m")
    lean_rad: Range | None = Field(default=None, description="[low, high] in rad")
    yaw_rad: Range = within(-0.15, 0.15, "rad", -0.15, 0.15)
    tilt_rad: Range = within(-0.09, 0.09, "rad", -0.05, 0.05)
    radius_m: Range = within(0.085, 0.12, "m", 0.085, 0.105)
    mark_half_m: Range | None = Field(default=None, description="[low, high] in m")
    marks: int = Field(default=3, ge=1, le=4)
    vases: int = Field(default=0, ge=0, le=2)
    friction: Range = within(0.05, 0.8, "", 0.2, 0.5)
    stiffness_n_m: Range = within(500.0, 4000.0, "N/m", 1000.0, 2000.0)
    error_m: float = Field(default=0.005, ge=0, le=0.01)
    error_rad: float = Field(default=0.025, ge=0, le=0.04)
    share: float = Field(default=0.95, ge=0.5, le=1)
    band_n: tuple[float, float] = (2.0, 15.0)
    peak_n: float = Field(default=15.0, gt=0, le=200)
    in_band: float = Field(default=0.95, ge=0.9, le=1)
    excursion_s: float = Field(default=0.1, ge=0.05, le=1)
    hold_s: float = Field(default=0.5, gt=0, le=_LONGEST_HOLD_S)
    lifted_m: float = Field(default=0.02, ge=0.005, le=0.08)
    cycle_limit_s: float = Field(default=60.0, gt=0, le=120)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _can_be_done(self) -> Parameters:
        kind, of = KINDS[self.surface], f"of a {self.surface}"
        refuse_outside("x_m", self.x_m, kind.x[::3], f"m {of}")
        refuse_outside("z_m", self.z_m, kind.z[::3], f"m {of}")
        refuse_outside("lean_rad", self.lean_rad, kind.lean[::3], f"rad {of}")
        refuse_outside("mark_half_m", self.mark_half_m, kind.mark_half[::3], f"m {of}")
        if self.vases and self.surface != "table":
            raise ValueError(f"vases: nothing stands on a {self.surface}; set vases = 0")
        low, high = self.band_n
        if not 1.0 <= low <= high - 5.0 <= 95.0:
            raise ValueError(
                f"band_n = [{low:g}, {high:g}] is not a band at least 5 N wide within [1, 100] N"
            )
        if self.peak_n < high:
            raise ValueError(f"peak_n = {self.peak_n:g} is less than the band's end, {high:g} N")
        return self


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    kind = KINDS[asked.surface]
    spans = (asked.x_m or kind.x[1:3], asked.y_m, asked.z_m or kind.z[1:3])
    at = [uniform(rng, span) for span in spans]
    lean, yaw = uniform(rng, asked.lean_rad or kind.lean[1:3]), uniform(rng, asked.yaw_rad)
    tilt = [uniform(rng, asked.tilt_rad) for _ in "xy"]
    drawing = rotation((0.0, -lean, yaw))
    true = drawing @ rotation((tilt[0], tilt[1], 0.0))
    off, turned = rng.uniform(-1.0, 1.0) * asked.error_m, rng.uniform(-1.0, 1.0, 2)
    told = true @ rotation((*(turned * asked.error_rad).tolist(), 0.0))
    told_at = np.array(at) + off * true[:, 2]
    radius = None if kind.flat else uniform(rng, asked.radius_m)
    half = asked.mark_half_m or kind.mark_half[1:3]
    marks = drawn_marks(rng, asked.marks, half, kind.marked)
    things = vases(rng, asked.vases, at, _quaternion(true))
    surface = {
        "kind": "wipeable",
        "name": NAME,
        "parts": parts(radius, at[2], lean),
        "at": at,
        "turn": _quaternion(true),
        "radius": radius,
        "marks": marks,
        "band": list(asked.band_n),
        "pad": pad(),
        "friction": uniform(rng, asked.friction),
        "stiffness": uniform(rng, asked.stiffness_n_m),
        "told": {"at": told_at.tolist(), "turn": _quaternion(told)},
    }
    return {
        "poses": {str(vase["name"]): place_of(vase).tolist() for vase in things},
        "radius_m": radius,
        "marks": asked.marks,
        "band_n": list(asked.band_n),
        "elements": [surface, *things],
        "tracker": asked.tracker.drawn(rng),
        "start": _start(robot, kind, at, drawing, rng).tolist(),
    }


def _start(
    robot: Robot, kind: Kind, at: Sequence[float], drawing: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Before the surface as drawn, the face towards it, but for a little in every joint."""
    before = np.array(at) + _ABOVE_M * drawing[:, 2]
    found = reach(limb(robot), before, drawing @ DOWN, np.array(kind.seed), tries=1)
    if found is None:
        raise HarnessError(
            f"{robot.name} does not reach {before.round(3).tolist()} m",
            "its ranges in sim/tasks/surface_wipe_things.py are too wide",
        )
    return found + rng.uniform(-0.02, 0.02, len(found))


def _quaternion(axes: FloatArray) -> list[float]:
    """x, y, z, w of a rotation by less than half a turn."""
    w = math.sqrt(max(0.0, 1.0 + float(np.trace(axes)))) / 2
    away = [axes[2, 1] - axes[1, 2], axes[0, 2] - axes[2, 0], axes[1, 0] - axes[0, 1]]
    return [*(float(part) / (4 * w) for part in away), w]


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    share = seen.last(f"{NAME}.cleaned")
    away = all_of(
        seen.below(seen.column(f"{NAME}.force_n"), 0.0),
        _over(seen.column(f"{NAME}.gap_m"), asked.lifted_m),
    )
    wiped = _over(seen.column(f"{NAME}.cleaned"), asked.share)
    others = [
        at_most(f"{name} moved", moved(seen, draw, name), MOVED_M, "m")
        for name in cast(Mapping[str, object], draw["poses"])
    ]
    return (
        at_least("marked area wiped", share, asked.share, ""),
        at_most("peak force", seen.peak(f"{NAME}.force_peak_n"), asked.peak_n, "N"),
        at_least("force within the band, of the time in contact", _inside(seen), asked.in_band, ""),
        at_most(
            "longest time outside the band",
            seen.peak(f"{NAME}.excursion_s"),
            asked.excursion_s,
            "s",
        ),
        *others,
        at_least("lifted off at the end", seen.held_s(away), asked.hold_s, "s"),
        in_time("wiped and lifted off within", seen, all_of(wiped, away), asked.cycle_limit_s),
    )


def _inside(seen: Seen) -> float | None:
    """Share of the time in contact for which the force was within the band; 0 where nothing
    touched."""
    touched, out = seen.column(f"{NAME}.contact_s"), seen.column(f"{NAME}.out_s")
    if touched is None or out is None or np.isnan(touched + out).all():
        return None
    # a scene that was asked too late for one row tells of its time in the next
    whole = float(np.nansum(touched))
    return 1.0 - float(np.nansum(out)) / whole if whole > 0 else 0.0


def _over(values: FloatArray | None, limit: float) -> np.ndarray | None:
    return None if values is None else values >= limit


def _finished(witness: Mapping[str, float]) -> bool:
    """All is wiped, and the robot has been far away for as long as may be asked."""
    return (
        witness.get(f"{NAME}.cleaned", 0.0) >= 1.0
        and witness.get(f"{NAME}.far_s", 0.0) > _LONGEST_HOLD_S
    )


def _measures(seen: Seen, _draw: Draw, _asked: Parameters) -> Mapping[str, float | None]:
    touched = seen.column(f"{NAME}.contact_s")
    return {
        "peak force, N": seen.peak(f"{NAME}.force_peak_n"),
        "time in contact, s": None if touched is None else float(np.nansum(touched)),
    }


JOB = Job(
    name="surface-wipe",
    Parameters=Parameters,
    make_robot=wiper.robot,
    scene=_scene,
    conditions=_conditions,
    script=script,
    finished=_finished,
    measures=_measures,
    action_limit=0.02,
)
