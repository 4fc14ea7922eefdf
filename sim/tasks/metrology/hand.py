"""Hands: range and accuracy of turning a thing within a grasp, after the NIST hand metrics.

Four fingers stand round a cube on the palm, press it, and turn it to and fro about the vertical
without letting go, with the squeeze and the sweep of the gait of `sim.tasks.in_hand_expert`. What
is commanded is how far; what is achieved is the cube's own turn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from hil.contracts import FloatArray
from hil.metrology.grasp import InHand, in_hand_motion
from hil.metrology.series import Series
from hil.metrology.summary import Measure
from hil.task import Draw
from sim.robots import hand4
from sim.robots.model import Robot
from sim.tasks.in_hand_expert import BELOW_TOP_M, DEEP_M, GAIN, NEAR_M, OPEN_M
from sim.tasks.kit.draws import number, pose_of
from sim.tasks.kit.fingers import PITCH, Fingers
from sim.tasks.kit.poses import yaw_of
from sim.tasks.kit.ranges import Range, TaskTable, about_z, uniform, within
from sim.tasks.kit.script import Desk, Moves, Script
from sim.tasks.kit.things import body, box_part
from sim.tasks.metrology.procedure import Declared, Found, Procedure, Record, stopwatch, until

LEAD_S = 2.0
"""Fingers close round the cube."""
AWAY = (0.066, 0.055, 0.0)
FELL_M = 0.005
_TURNS = ("cube.qx", "cube.qy", "cube.qz", "cube.qw")
_GAP_M = 0.001


class RangeParameters(TaskTable):
    """Commanded to + `swing_rad`, to - `swing_rad` and back to the middle, `cycles` times."""

    cycles: int = Field(default=5, ge=3, le=50)
    swing_rad: float = Field(default=0.6, ge=0.1, le=0.8)
    edge_m: Range = within(0.045, 0.055, "m", 0.049, 0.051)
    mass_kg: Range = within(0.02, 0.2, "kg", 0.06, 0.08)
    friction: Range = within(0.5, 1.2, "", 0.9, 1.0)
    move_s: float = Field(default=1.0, ge=0.4, le=5)
    rest_s: float = Field(default=0.4, ge=0.2, le=5)
    declared_range_rad: float = Field(default=1.0, gt=0, le=3)
    declared_error_rad: float = Field(default=0.15, gt=0, le=1)

    @property
    def targets(self) -> tuple[float, ...]:
        """rad, of one cycle."""
        return (self.swing_rad, -self.swing_rad, 0.0)

    def start_s(self, cycle: int, target: int = 0) -> float:
        step_s = self.move_s + self.rest_s
        return LEAD_S + (cycle * len(self.targets) + target) * step_s

    @property
    def ends_s(self) -> float:
        return self.start_s(self.cycles) + 0.2


def _scene(asked: RangeParameters, rng: np.random.Generator, _robot: Robot) -> dict[str, object]:
    edge = uniform(rng, asked.edge_m)
    at = [0.0, 0.0, hand4.PLAN.palm_height + _GAP_M + edge / 2]
    line = box_part([0.8 * edge, 0.1 * edge, 0.001], [0, 0, edge / 2], (0.95, 0.95, 0.95, 1.0))
    parts = [box_part([edge] * 3, colour=(0.75, 0.2, 0.2, 1.0)), {**line, "solid": False}]
    more = {"mass": uniform(rng, asked.mass_kg), "friction": uniform(rng, asked.friction)}
    return {
        "poses": {"cube": [*at, *about_z(0.0)]},
        "edge_m": edge,
        "elements": [body("cube", parts, at, about_z(0.0), **more), stopwatch(asked.ends_s)],
        "tracker": {"seed": int(rng.integers(2**31))},
        "start": np.tile(hand4.finger_joints(*AWAY), hand4.PLAN.fingers).tolist(),
        "asked": asked.model_dump(mode="json"),
    }


def _script(draw: Draw, _robot: Robot) -> Script:
    asked = RangeParameters.model_validate(draw["asked"])
    edge = number(draw, "edge_m")
    height, touch = edge - BELOW_TOP_M, edge / 2 + hand4.PLAN.thickness

    def around(radius: float, bearing: float) -> FloatArray:
        return np.tile([radius, bearing, height, PITCH], (hand4.PLAN.fingers, 1))

    def play(desk: Desk) -> Moves:
        fingers = Fingers(desk)
        yield from fingers.go(around(OPEN_M, 0.0), 0.5)
        yield from fingers.slide(around(touch + NEAR_M, 0.0), 0.4)
        yield from fingers.slide(around(touch - DEEP_M, 0.0), 0.3)
        for cycle in range(asked.cycles):
            for place, target in enumerate(asked.targets):
                yield from until(desk, asked.start_s(cycle, place))
                yield from fingers.slide(around(touch - DEEP_M, target / GAIN), asked.move_s)

    return play


def _figures(record: Record, draw: Draw, asked: RangeParameters) -> Found:
    if not record.has(*_TURNS, "cube.z"):
        return Found(None, asked.cycles, list)
    windows = [
        (asked.start_s(cycle), asked.start_s(cycle + 1) - 0.02) for cycle in range(asked.cycles)
    ]
    yaws = [yaw_of(record.rows(_TURNS, *window)) for window in windows]
    # a cube that turned by less than a tenth of what was commanded was not turned
    out = sum(bool(len(yaw) and np.ptp(yaw) > 0.2 * asked.swing_rad) for yaw in yaws)
    return Found(out, asked.cycles, lambda: _motions(record, draw, asked, windows))


def _motions(
    record: Record,
    draw: Draw,
    asked: RangeParameters,
    windows: Sequence[tuple[float, float]],
) -> Sequence[Measure]:
    first = float(pose_of(draw, "cube")[2])
    motions = []
    for cycle, window in enumerate(windows):
        turned = record.series(_TURNS, *window, f"cube, cycle {cycle}").map(yaw_of)
        height = record.series(["cube.z"], *window, f"height, cycle {cycle}")
        low = height.stamp_ns[height.value < first - FELL_M]
        starts = [asked.start_s(cycle, place) for place in range(len(asked.targets))]
        stamps = [record.begun_ns + math.floor(start * 1e9) for start in starts]
        asks = Series.of(f"command, cycle {cycle}", stamps, list(asked.targets))
        motions.append(InHand(asks, turned, int(low[0]) if len(low) else None))
    return in_hand_motion(motions, "rad")


RANGE = Procedure(
    name="in-hand-range",
    Parameters=RangeParameters,
    make_robot=hand4.hand,
    scene=_scene,
    script=_script,
    figures=_figures,
    declared=lambda asked: (
        Declared("in-hand range", asked.declared_range_rad, "rad", at_most=False),
        Declared("in-hand error", asked.declared_error_rad, "rad"),
    ),
)
