"""Archetype stacking: build a tower of blocks in a given order at a given place, let go.

A layer counts when it lies on the one below, not when it is as high: its height is within 3 mm
of where a block on that one has its middle. The tower has to stand, at rest and touched by
nobody, for `hold_s` at the end.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import panda
from sim.robots.gripper import angle_for
from sim.robots.model import Robot
from sim.tasks.kit.draws import goal_of, number
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import turned_down, yaw_nearest
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
from sim.tasks.kit.seen import BoolArray, Seen, all_of, at_least, at_most, in_time
from sim.tasks.kit.things import body, box_part, mark

NAMES = ("base", "middle", "top")
"""The blocks in the order in which they lie, from the table up."""

HEIGHT_LIMIT_M = 0.003
TILT_LIMIT_RAD = 0.1
REST_M_S = 0.005
CLEAR_M = 0.08
"""Over the tower's top or the table, on the way."""

_COLOURS = ((0.85, 0.3, 0.15, 1.0), (0.95, 0.75, 0.2, 1.0), (0.3, 0.5, 0.85, 1.0))


class Parameters(TaskTable):
    """Places on the table, base frame; the blocks are equal cubes."""

    edge_m: Range = within(0.03, 0.06, "m", 0.038, 0.045)
    mass_kg: Range = within(0.01, 0.5, "kg", 0.05, 0.1)
    friction: Range = within(0.4, 1.2, "", 0.6, 0.9)
    x_m: Range = within(0.35, 0.60, "m", 0.38, 0.55)
    y_m: Range = within(-0.30, 0.30, "m", -0.22, 0.22)
    yaw_rad: Range = within(-3.15, 3.15, "rad", -0.6, 0.6)
    apart_m: float = Field(
        default=0.13, ge=0.13, le=0.15, description="between things, at least: a gripper's width"
    )
    offset_limit_m: float = Field(
        default=0.010, ge=0.002, le=0.02, description="between the middles of two layers, sideways"
    )
    place_limit_m: float = Field(
        default=0.020, ge=0.005, le=0.05, description="from the mark to the lowest block"
    )
    hold_s: float = Field(default=2.0, gt=0, le=5)
    cycle_limit_s: float = Field(default=30.0, gt=0, le=120)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _stand_apart(self) -> Parameters:
        refuse_crowded(len(NAMES) + 1, self.x_m, self.y_m, self.apart_m)
        return self


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    edge, mass = uniform(rng, asked.edge_m), uniform(rng, asked.mass_kg)
    friction = uniform(rng, asked.friction)
    goal, *places = apart(rng, len(NAMES) + 1, asked.x_m, asked.y_m, asked.apart_m)
    poses = {
        name: [*place, edge / 2, *about_z(uniform(rng, asked.yaw_rad))]
        for name, place in zip(NAMES, places, strict=True)
    }
    wanted = about_z(uniform(rng, asked.yaw_rad))
    blocks = [
        body(
            name,
            [box_part([edge] * 3, colour=colour)],
            poses[name][:3],
            poses[name][3:],
            mass=mass,
            friction=friction,
        )
        for name, colour in zip(NAMES, _COLOURS, strict=True)
    ]
    return {
        "poses": poses,
        "goals": {"tower": [*goal, 0.0, *wanted]},
        "edge_m": edge,
        "elements": [*blocks, mark("goal", [edge, edge, 0.001], [*goal, 0.0], wanted)],
        "tracker": asked.tracker.drawn(rng),
        "start": (robot.home + np.append(rng.uniform(-0.03, 0.03, 7), 0.0)).tolist(),
    }


def _script(draw: Draw, robot: Robot) -> Script:
    goal, edge = goal_of(draw, "tower"), number(draw, "edge_m")
    loose, tight = angle_for(edge + 0.025), angle_for(edge - 0.02)
    facing = turned_down(yaw_nearest(goal[3:]))

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        below: FloatArray = goal[:2]
        for layer, name in enumerate(NAMES):
            over = edge * (layer + 0.5)
            clear = over + CLEAR_M
            yield from hand.grip(loose, 0.2)
            block = desk.view.tracked[name]
            across = turned_down(yaw_nearest(block[3:]))
            yield from hand.reach([*block[:2], CLEAR_M], across)
            block = yield from desk.measured(name)
            yield from hand.reach([*block[:2], edge / 2], across)
            yield from hand.grip(tight)
            yield from hand.reach([*block[:2], clear], across)
            if layer:
                below = (yield from desk.measured(NAMES[layer - 1]))[:2]
            yield from hand.reach([*below, clear], facing)
            off = (yield from desk.measured(name))[:2] - hand.where()[0][:2]
            yield from hand.reach([*(below - off), clear], facing, 0.1)
            yield from hand.reach([*(below - off), over + 0.001], facing, 0.1)
            yield from hand.grip(loose)
            yield from hand.reach([*(below - off), clear], facing)

    return play


def _layers(seen: Seen, draw: Draw) -> dict[str, tuple[FloatArray, FloatArray, FloatArray] | None]:
    """By block: sideways offset (m) from the one below or the mark, height error (m), and tilt
    (rad) against upright, each (ticks,)."""
    edge, goal = number(draw, "edge_m"), goal_of(draw, "tower")
    found: dict[str, tuple[FloatArray, FloatArray, FloatArray] | None] = {}
    below: FloatArray | None = np.array([[goal[0], goal[1], -edge / 2]])
    for name in NAMES:
        at, turns = seen.columns(name), seen.turns(name)
        if at is None or turns is None or below is None:
            found[name], below = None, at
            continue
        away = at - below
        # the tilt is what is left when the turn about z is taken out: |(qx, qy)| = sin(tilt / 2)
        tilt = 2 * np.arcsin(np.clip(np.hypot(turns[:, 0], turns[:, 1]), 0.0, 1.0))
        found[name] = (np.hypot(away[:, 0], away[:, 1]), np.abs(away[:, 2] - edge), tilt)
        below = at
    return found


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    layers = _layers(seen, draw)
    limits = (asked.place_limit_m, asked.offset_limit_m, asked.offset_limit_m)
    standing: list[BoolArray | None] = []
    found: list[Condition] = []
    for (name, errors), limit in zip(layers.items(), limits, strict=True):
        offset, height, tilt = errors if errors is not None else (None, None, None)
        standing += [
            seen.below(offset, limit),
            seen.below(height, HEIGHT_LIMIT_M),
            seen.below(tilt, TILT_LIMIT_RAD),
            seen.below(seen.column(f"{name}.speed"), REST_M_S),
            seen.below(seen.column(f"{name}.robot_n"), 0.0),
        ]
        found += [
            at_most(f"{name}: sideways", seen.end(offset), limit, "m"),
            at_most(f"{name}: height error", seen.end(height), HEIGHT_LIMIT_M, "m"),
        ]
    tower = all_of(*standing)
    return (
        *found,
        at_least(
            "standing, at rest and released at the end", seen.held_s(tower), asked.hold_s, "s"
        ),
        in_time("tower built within", seen, tower, asked.cycle_limit_s),
    )


JOB = Job(
    name="stacking",
    Parameters=Parameters,
    make_robot=panda.robot,
    scene=_scene,
    conditions=_conditions,
    script=_script,
)
