"""Archetype pick-place: carry a block to a place on the table, put it down, let go.

Success is not a moment within a threshold: at the end the block has been at its goal, upright,
at rest and touched by nobody for `hold_s`, and the bystander has not moved.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import panda
from sim.robots.gripper import angle_for
from sim.robots.model import Robot
from sim.tasks.kit.draws import goal_of, number
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import angle_between, moved, quarters, turned_down, yaw_nearest
from sim.tasks.kit.ranges import (
    Range,
    TaskTable,
    Tracker,
    about_z,
    apart,
    refuse_crowded,
    uniform,
    within,
)
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time
from sim.tasks.kit.things import body, box_part, mark

BYSTANDER_LIMIT_M = 0.003
"""A bystander that was moved by more counts as touched."""
THINGS = 3
"""Block, bystander and goal."""
REST_M_S = 0.005
CLEAR_M = 0.14
"""Height at which the hand travels, over everything that stands here."""


class Parameters(TaskTable):
    """Places on the table, base frame; the block is a cube, and so is the bystander."""

    edge_m: Range = within(0.03, 0.06, "m", 0.038, 0.042)
    mass_kg: Range = within(0.01, 0.5, "kg", 0.05, 0.1)
    friction: Range = within(0.3, 1.2, "", 0.5, 0.9)
    x_m: Range = within(0.35, 0.60, "m", 0.40, 0.55)
    y_m: Range = within(-0.30, 0.30, "m", -0.20, 0.20)
    yaw_rad: Range = within(-3.15, 3.15, "rad", -0.75, 0.75)
    apart_m: float = Field(default=0.10, ge=0.08, le=0.15, description="between things, at least")
    tolerance_m: float = Field(default=0.010, ge=0.002, le=0.05)
    tolerance_rad: float = Field(default=0.175, ge=0.02, le=0.8)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=12.0, gt=0, le=60)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _stand_apart(self) -> Parameters:
        diagonal = math.sqrt(2.0) * self.edge_m[1]
        if self.apart_m < diagonal:
            raise ValueError(
                f"apart_m = {self.apart_m:g}: cubes of up to {self.edge_m[1]:g} m, turned anyhow,"
                f" stand beside each other only within [{diagonal:.3f}, 0.15] m"
            )
        refuse_crowded(THINGS, self.x_m, self.y_m, self.apart_m)
        return self


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    edge, mass = uniform(rng, asked.edge_m), uniform(rng, asked.mass_kg)
    friction = uniform(rng, asked.friction)
    block, goal, other = (
        [*place, edge / 2] for place in apart(rng, THINGS, asked.x_m, asked.y_m, asked.apart_m)
    )
    turn, wanted = (about_z(uniform(rng, asked.yaw_rad)) for _ in range(2))
    size, more = [edge] * 3, {"mass": mass, "friction": friction}
    start = robot.home + np.append(rng.uniform(-0.03, 0.03, 7), 0.0)
    return {
        "poses": {"block": [*block, *turn], "bystander": [*other, *turn]},
        "goals": {"block": [*goal, *wanted]},
        "edge_m": edge,
        "elements": [
            body("block", [box_part(size, colour=(0.85, 0.3, 0.15, 1))], block, turn, **more),
            body("bystander", [box_part(size, colour=(0.3, 0.5, 0.85, 1))], other, turn, **more),
            mark("goal", [edge, edge, 0.001], [*goal[:2], 0.0], wanted),
        ],
        "tracker": asked.tracker.drawn(rng),
        "start": start.tolist(),
    }


def _script(draw: Draw, robot: Robot) -> Script:
    goal, edge = goal_of(draw, "block"), number(draw, "edge_m")

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        block = desk.view.tracked["block"]
        across = turned_down(yaw_nearest(block[3:]))
        above = np.array([block[0], block[1], CLEAR_M])
        yield from hand.grip(angle_for(edge + 0.03), 0.2)
        yield from hand.reach(above, across)
        block = yield from desk.measured("block")
        yield from hand.reach([*block[:2], edge / 2], across)
        yield from hand.grip(angle_for(edge - 0.02))
        yield from hand.reach([*block[:2], CLEAR_M], across)
        # turn by what the block has to turn, and carry it by how it lies in the hand
        facing = turned_down(yaw_nearest(goal[3:]))
        yield from hand.reach([*goal[:2], CLEAR_M], facing)
        off = (yield from desk.measured("block"))[:2] - hand.where()[0][:2]
        yield from hand.reach([*(goal[:2] - off), CLEAR_M], facing, 0.1)
        yield from hand.reach([*(goal[:2] - off), edge / 2 + 0.001], facing, 0.1)
        yield from hand.grip(angle_for(edge + 0.03), 0.4)
        yield from hand.reach([*(goal[:2] - off), CLEAR_M], facing)

    return play


def _errors(seen: Seen, draw: Draw) -> tuple[FloatArray | None, FloatArray | None]:
    """Distance in m and angle in rad of the block from its goal, each (ticks,). A cube looks
    the same after a quarter turn about z."""
    at, turns, goal = seen.columns("block"), seen.turns("block"), goal_of(draw, "block")
    error = None if at is None else np.linalg.norm(at - goal[:3], axis=1)
    if turns is None:
        return error, None
    return error, np.min([angle_between(turns, one) for one in quarters(goal[3:])], axis=0)


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    error, angle = _errors(seen, draw)
    there = all_of(
        seen.below(error, asked.tolerance_m),
        seen.below(angle, asked.tolerance_rad),
        seen.below(seen.column("block.speed"), REST_M_S),
        seen.below(seen.column("block.robot_n"), 0.0),
    )
    return (
        at_most("place error", seen.end(error), asked.tolerance_m, "m"),
        at_most("turn error", seen.end(angle), asked.tolerance_rad, "rad"),
        at_least("placed, at rest and released at the end", seen.held_s(there), asked.hold_s, "s"),
        at_most("bystander moved", moved(seen, draw, "bystander"), BYSTANDER_LIMIT_M, "m"),
        in_time("placed within", seen, there, asked.cycle_limit_s),
    )


JOB = Job(
    name="pick-place",
    Parameters=Parameters,
    make_robot=panda.robot,
    scene=_scene,
    conditions=_conditions,
    script=_script,
)
