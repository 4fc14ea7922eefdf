"""Arms: pose accuracy and repeatability and stabilisation time, after ISO 9283.

The tool points down. A laser tracker looks at it. Poses are in the base frame in which
the tracker was set up, so that an error of that set-up would be part of the accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.metrology.arrival import ARRIVAL_CYCLES, Arrival, arrival, arrival_measures
from hil.metrology.pose import (
    POSE_CYCLES,
    orientation_accuracy,
    orientation_repeatability,
    position_accuracy,
    position_repeatability,
)
from hil.metrology.summary import Measure
from hil.task import Draw
from sim.robots import panda
from sim.robots.model import Robot
from sim.robots.reach import limb, reach
from sim.tasks.kit.poses import DOWN
from sim.tasks.kit.ranges import TaskTable
from sim.tasks.kit.script import Desk, Moves, Script
from sim.tasks.metrology.procedure import (
    Declared,
    Found,
    Procedure,
    Record,
    go,
    largest,
    stopwatch,
)

LEAD_S = 1.0
"""Before the first repeat."""
LAST_S = 0.2
"""Of a dwell, over which the attained pose is averaged."""
AT = ("tool.x", "tool.y", "tool.z")
_TURN = ("tool.qx", "tool.qy", "tool.qz", "tool.qw")
_QUATERNION_DOWN = (1.0, 0.0, 0.0, 0.0)


class Stand(TaskTable):
    """The tracker's noise, standard deviations; and the middle of the test cube, base frame."""

    noise_m: float = Field(default=1e-5, ge=0, le=1e-3)
    noise_rad: float = Field(default=1e-5, ge=0, le=1e-2)
    middle_m: tuple[float, float, float] = (0.45, 0.0, 0.40)
    edge_m: float = Field(default=0.25, ge=0.05, le=0.5, description="of the test cube")

    def refuse_beyond_reach(self, places: FloatArray) -> None:
        """Errors: ValueError, for a validator, where the arm does not come to `places` (n, 3)."""
        for place in places:
            if _joints(place) is None:
                raise ValueError(
                    f"middle_m = {list(self.middle_m)}, edge_m = {self.edge_m:g}: the arm does"
                    f" not reach {np.round(place, 3).tolist()} m with its tool down;"
                    " [0.45, 0, 0.4] with an edge within [0.05, 0.3] m would do"
                )


class PoseParameters(Stand):
    """Five poses on a diagonal plane of a cube, each visited in turn, `cycles` times."""

    cycles: int = Field(default=POSE_CYCLES, ge=4, le=100)
    move_s: float = Field(default=0.9, ge=0.3, le=10)
    dwell_s: float = Field(default=0.6, ge=0.4, le=10)
    band_m: float = Field(default=5e-4, gt=0, le=0.01, description="of the stabilisation time")
    declared_ap_m: float = Field(default=5e-4, gt=0, le=0.1)
    declared_rp_m: float = Field(default=1e-4, gt=0, le=0.1)
    declared_ap_rad: float = Field(default=1e-3, gt=0, le=0.5)
    declared_rp_rad: float = Field(default=5e-4, gt=0, le=0.5)
    declared_settling_s: float = Field(default=0.3, gt=0, le=5)

    @model_validator(mode="after")
    def _within_reach(self) -> PoseParameters:
        self.refuse_beyond_reach(five_poses(self))
        return self

    def start_s(self, cycle: int, pose: int) -> float:
        """When the arm leaves for a pose."""
        return LEAD_S + (5 * cycle + pose) * (self.move_s + self.dwell_s)

    @property
    def ends_s(self) -> float:
        return self.start_s(self.cycles, 0) + 0.1


def five_poses(asked: Stand) -> FloatArray:
    """(5, 3), m: the middle of a cube, and four places on the diagonals of the plane through two
    opposite edges, at 80 % of the way to its corners."""
    half = 0.8 * asked.edge_m / 2
    signs = [(0, 0, 0), (-1, -1, 1), (1, 1, 1), (1, 1, -1), (-1, -1, -1)]
    return np.array(asked.middle_m) + half * np.array(signs, dtype=np.float64)


def _joints(place: FloatArray) -> FloatArray | None:
    return reach(limb(panda.robot()), place, DOWN, tries=1)


def stand_scene(
    asked: Stand, rng: np.random.Generator, robot: Robot, start: FloatArray, ends_s: float
) -> dict[str, object]:
    """The draw of a test on this stand: the arm starts with its tool at `start` (3,) m."""
    tool = next(iter(robot.tools.values()))
    joints = _joints(start)
    assert joints is not None  # the schema has refused what is out of reach
    return {
        "elements": [
            {
                "kind": "tool-pose",
                "name": "tool",
                "link": tool.link,
                "at": list(tool.placed.xyz),
                "noise_m": asked.noise_m,
                "noise_rad": asked.noise_rad,
                "seed": int(rng.integers(2**31)),
            },
            stopwatch(ends_s),
        ],
        "tracker": {"seed": int(rng.integers(2**31))},
        "start": [*joints.tolist(), float(robot.home[-1])],
        "asked": asked.model_dump(mode="json"),
    }


def _pose_scene(asked: PoseParameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    return stand_scene(asked, rng, robot, five_poses(asked)[-1], asked.ends_s)


def _pose_script(draw: Draw, robot: Robot) -> Script:
    asked = PoseParameters.model_validate(draw["asked"])
    arm = limb(robot)
    places = np.array(robot.places(arm.motors))
    goals = [_joints(pose) for pose in five_poses(asked)]

    def play(desk: Desk) -> Moves:
        for cycle in range(asked.cycles):
            for pose, goal in enumerate(goals):
                assert goal is not None
                yield from go(desk, places, goal, asked.start_s(cycle, pose), asked.move_s)

    return play


def _pose_figures(record: Record, _draw: Draw, asked: PoseParameters) -> Found:
    if not record.has(*AT, *_TURN):
        return Found(None, asked.cycles, list)
    poses = five_poses(asked)
    visits = [
        [_attained(record, asked, cycle, pose) for cycle in range(asked.cycles)]
        for pose in range(5)
    ]
    # a visit has come from the pose before: the tool moved, and went at least half of the way
    out = min(
        sum(bool(np.isfinite(one).all()) and near for one, near in zip(at, came, strict=True))
        for at, came in (
            ([visit[0] for visit in row], [visit[1] for visit in row]) for row in visits
        )
    )

    def figures() -> Sequence[Measure]:
        found: list[list[Measure]] = [[] for _ in range(4)]
        named: list[Measure] = []
        for number, (row, pose) in enumerate(zip(visits, poses, strict=True), 1):
            rows = np.array([visit[0] for visit in row])
            four = (
                position_accuracy(rows[:, :3], pose)[0],
                position_repeatability(rows[:, :3])[0],
                orientation_accuracy(_unit(rows[:, 3:]), _QUATERNION_DOWN)[0],
                orientation_repeatability(_unit(rows[:, 3:]))[0],
            )
            for kept, one in zip(found, four, strict=True):
                kept.append(one)
            named += [largest(f"{one.name} at P{number}", [one]) for one in four[:2]]
        names = ("AP_P", "RP_l", "AP attitude", "RP attitude")
        worst = [largest(name, kept) for name, kept in zip(names, found, strict=True)]
        return [*worst, *arrival_measures(_arrivals(record, asked)), *named]

    return Found(out, asked.cycles, figures)


def _attained(
    record: Record, asked: PoseParameters, cycle: int, pose: int
) -> tuple[FloatArray, bool]:
    """Mean position and quaternion (7,) over the last of a dwell, NaN where nothing was seen;
    and whether the tool came from somewhere else."""
    start_s = asked.start_s(cycle, pose)
    end_s = start_s + asked.move_s + asked.dwell_s - 0.02
    seen = record.rows([*AT, *_TURN], end_s - LAST_S, end_s)
    if not len(seen):
        return np.full(7, np.nan), False
    way = np.ptp(record.rows(AT, start_s, end_s), axis=0)
    return _mean(seen), bool(np.linalg.norm(way) > 0.1 * asked.edge_m)


def _mean(seen: FloatArray) -> FloatArray:
    turns = seen[:, 3:] * np.sign(seen[:, 3:] @ seen[0, 3:])[:, None]
    return np.concatenate([seen[:, :3].mean(axis=0), turns.mean(axis=0)])


def _unit(turns: FloatArray) -> FloatArray:
    return np.asarray(turns / np.linalg.norm(turns, axis=1, keepdims=True))


def _arrivals(record: Record, asked: PoseParameters) -> list[Arrival]:
    found = []
    for cycle in range(ARRIVAL_CYCLES):
        start_s = asked.start_s(cycle, 1)
        end_s = start_s + asked.move_s + asked.dwell_s - 0.02
        seen = record.series(AT, start_s, end_s, f"arrival {cycle} at P2")
        found.append(arrival(seen, asked.band_m, LAST_S))
    return found


POSE = Procedure(
    name="arm-pose",
    Parameters=PoseParameters,
    make_robot=panda.robot,
    scene=_pose_scene,
    script=_pose_script,
    figures=_pose_figures,
    declared=lambda asked: (
        Declared("AP_P", asked.declared_ap_m, "m"),
        Declared("RP_l", asked.declared_rp_m, "m"),
        Declared("AP attitude", asked.declared_ap_rad, "rad"),
        Declared("RP attitude", asked.declared_rp_rad, "rad"),
        Declared("position stabilisation time", asked.declared_settling_s, "s"),
    ),
)
