"""What the sorting cell is made of: the belt, the bins beside it, and things of several classes.

The belt runs along y before the robot, the bins stand between the two. A thing is called by its
class and a number, `a1`, `a2`, `b1`, and the bin of a class is `bin_a`: names are what a scanner
before the cell has read. They are the same in every episode of a scenario; order and places are
drawn.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from sim.robots.gripper import TRAVEL
from sim.robots.model import Robot
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, about_z, uniform, within
from sim.tasks.kit.things import Table, body, box_part, cylinder_part

TOP_M = 0.10
"""Height of the belt's top and of the bins' rims."""
BELT_X_M, BELT_WIDTH_M = 0.60, 0.20
BELT_END_M = 0.50
"""y at which things fall off."""
LINE_M = -0.35
"""y from which on the robot may take things: a thing that passes it has arrived."""
LAST_M = 0.32
"""y up to which a robot of this size gets at things."""
BINS_X_M, WALL_M = 0.395, 0.004
MARGIN_M = 0.016
"""By how much the gripper opens wider than a thing, both sides together."""
FINGER_M = 0.016
"""How far a finger reaches outwards of its pad."""

CLASSES = ("a", "b", "c", "d", "e")
COLOURS = (
    (0.85, 0.3, 0.15, 1.0),
    (0.95, 0.75, 0.2, 1.0),
    (0.3, 0.5, 0.85, 1.0),
    (0.35, 0.7, 0.4, 1.0),
    (0.6, 0.4, 0.7, 1.0),
)
_GAP_M = 0.01
_BEFORE_M = (0.35, 0.55)
"""How far before the line the first thing starts."""


class Parameters(TaskTable):
    """Things are gripped across their width: boxes lie flat, cans stand upright with `width_m`
    for a diameter. A belt at speed 0 is a tray."""

    classes: int = Field(default=3, ge=2, le=len(CLASSES))
    count: int = Field(default=4, ge=2, le=6, description="things, as evenly of each class as can")
    shapes: tuple[Literal["box", "can"], ...] = Field(default=("box",), min_length=1)
    length_m: Range = within(0.03, 0.16, "m", 0.06, 0.09)
    width_m: Range = within(0.01, 2 * TRAVEL - MARGIN_M, "m", 0.035, 0.05)
    height_m: Range = within(0.006, 0.06, "m", 0.03, 0.05)
    mass_kg: Range = within(0.01, 0.5, "kg", 0.05, 0.3)
    friction: Range = within(0.3, 1.2, "", 0.4, 0.8)
    yaw_rad: Range = within(-1.5, 1.5, "rad", -0.6, 0.6)
    lateral_m: Range = within(-0.06, 0.06, "m", -0.04, 0.04)
    belt_m_s: Range = within(0.0, 0.5, "m/s", 0.25, 0.35)
    pitch_m: Range = within(0.06, 1.5, "m", 0.7, 0.75)
    bin_m: tuple[float, float, float] = (0.17, 0.165, 0.09)
    time_limit_s: float = Field(default=3.0, gt=0, le=60, description="for each thing, on average")
    hold_s: float = Field(default=0.5, gt=0, le=3)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _bins_hold_them(self) -> Parameters:
        x, y, z = self.bin_m
        row = self.classes * (y + _GAP_M)
        if not (row <= 0.62 and 0.03 <= z <= TOP_M - 0.005 and x <= 0.18):
            raise ValueError(
                f"bin_m = {list(self.bin_m)}: {self.classes} bins have to fit into 0.62 m,"
                f" are within [0.03, {TOP_M - 0.005:g}] m deep and 0.18 m long"
            )
        if x < self.length_m[1] + 0.015 or y < self.width_m[1] + 0.04:
            raise ValueError(
                f"bin_m = {list(self.bin_m)} is too small: a bin is 0.015 m longer than the"
                f" longest thing ({self.length_m[1]:g} m) and 0.04 m wider than the widest"
                f" ({self.width_m[1]:g} m)"
            )
        return self

    @model_validator(mode="after")
    def _can_keep_up(self) -> Parameters:
        (slow, fast), (near, far) = self.belt_m_s, self.pitch_m
        needed = self._pitch_needed()
        if near < needed:
            raise ValueError(
                f"pitch_m begins at {near:g} m, but fingers need {needed:.3f} m between the"
                " middles of such things"
            )
        if fast == 0.0:
            if (self.count - 1) * far > LAST_M - LINE_M - 0.05:
                raise ValueError(f"{self.count} things {far:g} m apart are out of reach")
        elif slow < 0.05:
            raise ValueError("belt_m_s is within [0.05, 0.5] m/s, or [0, 0] for a tray")
        elif far / slow > self.time_limit_s or near / fast < 1.2:
            raise ValueError(
                f"things would come every {near / fast:.2f} to {far / slow:.2f} s; pitch_m over"
                f" belt_m_s is within [1.2, {self.time_limit_s:g}] s (time_limit_s)"
            )
        return self

    def _pitch_needed(self) -> float:
        turned = max(abs(angle) for angle in self.yaw_rad)
        half = self.width_m[1] / 2
        corner = (self.length_m[1] * math.sin(turned) + self.width_m[1]) / 2
        return half + MARGIN_M / 2 + FINGER_M + corner + 0.01


def names(asked: Parameters) -> list[str]:
    """Of all things, `a1`, `b1`, `c1`, `a2`, ..."""
    return [
        f"{CLASSES[number % asked.classes]}{number // asked.classes + 1}"
        for number in range(asked.count)
    ]


def bin_of(thing: str) -> str:
    """Name of the bin that a thing belongs in."""
    return f"bin_{thing[0]}"


def scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    """The draw of one episode: `sizes` (length, width, height) by thing, `bin_m`, `line_m`
    besides what every archetype has."""
    things = [str(name) for name in rng.permutation(names(asked))]
    speed = uniform(rng, asked.belt_m_s)
    poses, sizes, elements = {}, {}, []
    y = LINE_M - float(rng.uniform(*_BEFORE_M)) if speed else LAST_M - 0.03
    for name in things:
        size = [uniform(rng, span) for span in (asked.length_m, asked.width_m, asked.height_m)]
        shape = str(rng.choice(asked.shapes))
        if shape == "can":
            size[0] = size[1]
        at = [BELT_X_M + uniform(rng, asked.lateral_m), y, TOP_M + size[2] / 2]
        turn = about_z(uniform(rng, asked.yaw_rad))
        elements.append(_thing(name, shape, size, at, turn, asked, rng))
        poses[name], sizes[name] = [*at, *turn], size
        y -= uniform(rng, asked.pitch_m)
    elements.append(_belt(speed, min(y, -0.5), things))
    bins = _bins(asked, rng, things)
    return {
        "poses": poses,
        "sizes": sizes,
        "bin_m": list(asked.bin_m),
        "top_m": TOP_M,
        "line_m": LINE_M,
        "time_limit_s": asked.time_limit_s,
        "elements": [*elements, *bins],
        "tracker": asked.tracker.drawn(rng),
        "start": (robot.home + np.append(rng.uniform(-0.03, 0.03, 7), 0.0)).tolist(),
    }


def _thing(
    name: str,
    shape: str,
    size: list[float],
    at: list[float],
    turn: list[float],
    asked: Parameters,
    rng: np.random.Generator,
) -> Table:
    colour = COLOURS[CLASSES.index(name[0])]
    part = box_part(size, colour=colour)
    if shape == "can":
        part = cylinder_part(size[1] / 2, size[2], colour=colour)
    mass, friction = uniform(rng, asked.mass_kg), uniform(rng, asked.friction)
    # a can that lands on its edge would roll on it for ever
    rolling = {"rolling": 0.001, "spinning": 0.002} if shape == "can" else {}
    return body(name, [part], at, turn, mass=mass, friction=friction, **rolling)


def _belt(speed: float, last: float, things: list[str]) -> Table:
    begin = last - 0.1
    return {
        "kind": "belt",
        "name": "belt",
        "at": [BELT_X_M, (begin + BELT_END_M) / 2, TOP_M],
        "yaw": math.pi / 2,
        "length": BELT_END_M - begin,
        "width": BELT_WIDTH_M,
        "speed": speed,
        "carries": things,
    }


def _bins(asked: Parameters, rng: np.random.Generator, things: list[str]) -> list[Table]:
    pitch = asked.bin_m[1] + _GAP_M
    places = rng.permutation(asked.classes)
    return [
        {
            "kind": "bin",
            "name": f"bin_{CLASSES[kind]}",
            "at": [
                BINS_X_M,
                (float(place) - (asked.classes - 1) / 2) * pitch,
                TOP_M - asked.bin_m[2],
            ],
            "size": list(asked.bin_m),
            "foot": TOP_M - asked.bin_m[2] - WALL_M,
            "wall": WALL_M,
            "counts": things,
            "colour": _pale(COLOURS[kind]),
        }
        for kind, place in enumerate(places)
    ]


def _pale(colour: tuple[float, float, float, float]) -> list[float]:
    """Of the same tint, so that things are seen against their bin."""
    return [*(0.45 + 0.5 * part for part in colour[:3]), 1.0]
