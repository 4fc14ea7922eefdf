"""Box and blocks: how many blocks an arm with a gripper carries over a partition in a minute.

After the Box and Block Test; what counts is told in `hil.metrology.blocks`. One episode is one
test, so that its figures have no interval; the episodes of a run are the repeats. The arm is told
once where the blocks lie, and moves them one by one, the nearest to the partition first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from hil.metrology.blocks import Fate, Rules, Tally, tally
from hil.metrology.series import Series
from hil.metrology.summary import Measure
from hil.task import Draw
from sim.robots import panda
from sim.robots.gripper import angle_for
from sim.robots.model import Robot
from sim.tasks.kit.poses import turned_down, yaw_nearest
from sim.tasks.kit.ranges import Range, TaskTable, about_z, uniform, within
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.things import body, box_part
from sim.tasks.metrology.procedure import Declared, Found, Procedure, Record, stopwatch

EDGE_M = 0.025
MIDDLE_M = 0.46
"""x of the partition's middle, base frame; it stands on y = 0, the blocks at y < 0."""
COLUMNS = 5
"""Blocks in a row along x."""
_APART_M = (0.062, 0.048)
"""Along x and y; along x a finger has to go between two of them."""
_FIRST_M = 0.065
_PARTITION_M = (0.40, 0.010, 0.10)
_BOX_M = 0.40
"""The target box, on y > 0, is as deep and as wide."""
CARRY_M = 0.15
_LIFT_M_S = 0.3
_ACROSS_RAD = np.pi / 2
"""The gripper's long side goes along the partition, over which it would not fit else."""
_TOOL = ("tool.y", "tool.x", "tool.z")
_COLOURS = ((0.85, 0.3, 0.15, 1.0), (0.3, 0.5, 0.85, 1.0), (0.9, 0.75, 0.2, 1.0))


class BlocksParameters(TaskTable):
    """`blocks` of 25 mm, each up to `off_m` from its place and turned by up to `yaw_rad`."""

    blocks: int = Field(default=20, ge=1, le=25)
    time_s: float = Field(default=60.0, ge=5, le=600)
    speed_m_s: float = Field(default=0.45, ge=0.05, le=1.0, description="on the way across")
    mass_kg: Range = within(0.005, 0.05, "kg", 0.009, 0.011)
    friction: Range = within(0.3, 1.2, "", 0.5, 0.8)
    off_m: Range = within(-0.003, 0.003, "m", -0.002, 0.002)
    yaw_rad: Range = within(-0.2, 0.2, "rad", -0.1, 0.1)
    noise_m: float = Field(default=0.001, ge=0, le=0.003, description="of what the arm is told")
    declared_per_minute: float = Field(default=12.0, gt=0, le=150)


def place_of(number: int) -> tuple[float, float]:
    """Where block `number` lies, distance from the partition along y and x from its middle, m."""
    row, column = divmod(number, COLUMNS)
    return _FIRST_M + row * _APART_M[1], (column - (COLUMNS - 1) / 2) * _APART_M[0]


def _name(number: int) -> str:
    return f"block{number}"


def _scene(asked: BlocksParameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    tool = next(iter(robot.tools.values()))
    wall = box_part(_PARTITION_M, colour=(0.75, 0.75, 0.78, 1.0))
    elements: list[dict[str, object]] = [
        body("partition", [wall], [MIDDLE_M, 0.0, _PARTITION_M[2] / 2], fixed=True),
        {"kind": "tool-pose", "name": "tool", "link": tool.link, "at": list(tool.placed.xyz)},
        stopwatch(asked.time_s + 0.5),
    ]
    for number in range(asked.blocks):
        beyond, along = place_of(number)
        at = [
            MIDDLE_M + along + uniform(rng, asked.off_m),
            -beyond + uniform(rng, asked.off_m),
            EDGE_M / 2,
        ]
        part = box_part([EDGE_M] * 3, colour=_COLOURS[number % len(_COLOURS)])
        more = {"mass": uniform(rng, asked.mass_kg), "friction": uniform(rng, asked.friction)}
        turn = about_z(uniform(rng, asked.yaw_rad))
        elements.append(body(_name(number), [part], at, turn, **more))
    return {
        "elements": elements,
        "tracker": {"noise_m": asked.noise_m, "noise_rad": 0.01, "seed": int(rng.integers(2**31))},
        "start": robot.home.tolist(),
        "asked": asked.model_dump(mode="json"),
    }


def _script(draw: Draw, robot: Robot) -> Script:
    asked = BlocksParameters.model_validate(draw["asked"])
    speed = asked.speed_m_s

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        wide, shut = angle_for(EDGE_M + 0.018), angle_for(EDGE_M - 0.02)
        yield from hand.grip(wide, 0.1)
        for number in range(asked.blocks):
            block = desk.view.tracked[_name(number)]
            across = turned_down(yaw_nearest(block[3:]) + _ACROSS_RAD)
            level = turned_down(_ACROSS_RAD)
            beyond, along = place_of(number)
            goal = np.array([MIDDLE_M + along, beyond, CARRY_M])
            yield from hand.reach([*block[:2], CARRY_M], across, speed, near=0.01)
            yield from hand.reach([*block[:2], EDGE_M / 2 + 0.001], across, _LIFT_M_S)
            yield from hand.grip(shut, 0.15)
            yield from desk.wait(0.08)
            yield from hand.reach([*block[:2], CARRY_M], across, _LIFT_M_S, near=0.02)
            yield from hand.reach(goal, level, speed, near=0.01)
            yield from hand.reach([*goal[:2], EDGE_M / 2 + 0.006], level, _LIFT_M_S, near=0.006)
            yield from hand.grip(wide, 0.15)
            yield from hand.reach(goal, level, _LIFT_M_S, near=0.02)

    return play


def _figures(record: Record, _draw: Draw, asked: BlocksParameters) -> Found:
    names = [_name(number) for number in range(asked.blocks)]
    columns = [[f"{name}.{axis}" for axis in "yxz"] for name in names]
    if not record.has(*_TOOL, *(label for three in columns for label in three)):
        return Found(None, 1, list)
    end_s = float(record.elapsed_s[-1])

    def track(labels: Sequence[str], name: str) -> Series:
        """In the frame of the boxes: x over the partition."""
        middle = np.array([0.0, MIDDLE_M, 0.0])
        return record.series(labels, 0.0, end_s, name).map(lambda value: value - middle)

    hand = track(_TOOL, "fingertips")
    crossed = bool((hand.value[:, 0] > 0.02).any() and (hand.value[:, 0] < -0.02).any())

    def figures() -> Sequence[Measure]:
        blocks = [track(three, name) for three, name in zip(columns, names, strict=True)]
        return _measures(tally(int(hand.stamp_ns[0]), hand, blocks, _rules(asked)))

    return Found(int(crossed), 1, figures)


def _rules(asked: BlocksParameters) -> Rules:
    half = _BOX_M / 2
    return Rules(
        (0.005 + EDGE_M / 2, -half, 0.0),
        (0.005 + _BOX_M, half, EDGE_M),
        reach_m=0.03,
        time_s=asked.time_s,
    )


def _measures(one: Tally) -> list[Measure]:
    fates = Counter(one.fates)
    said = "box and blocks; one test"
    found = [
        Measure("blocks a minute", one.per_minute, "1/min", None, 1, said, one.absent),
        Measure("blocks carried", float(one.carried), "1", None, 1, said, one.absent),
    ]
    lost = [fate for fate in Fate if fate is not Fate.CARRIED and fates[fate]]
    return found + [
        Measure(f"blocks {fate}", float(fates[fate]), "1", None, 1, said, one.absent)
        for fate in lost
    ]


BLOCKS = Procedure(
    name="box-and-blocks",
    Parameters=BlocksParameters,
    make_robot=panda.robot,
    scene=_scene,
    script=_script,
    figures=_figures,
    declared=lambda asked: (
        Declared("blocks a minute", asked.declared_per_minute, "1/min", at_most=False),
    ),
)
