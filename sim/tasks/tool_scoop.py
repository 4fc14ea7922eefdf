"""Kind `scoop` of the archetype tool-use: scoop popcorn out of a bin into a tub.

Popped corn is balls of some 25 mm, about 110 of them, as light as it is: neither its shape nor its
stickiness is in them. One ball is some 5 % of a portion. Done is: at the end the tub, which was
not pushed about, holds the portion or nearly, hardly anything lies beside bin and tub or is still
in the scoop, and all is at rest, for `hold_s`.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping

import numpy as np
from pydantic import Field

from hil.contracts import FloatArray
from hil.kinematics import rotation
from hil.task import Condition, Draw
from sim.robots import scoop
from sim.robots.model import Robot
from sim.scenery.cavity import Cavity
from sim.scenery.grains import level_of
from sim.tasks.kit.draws import number
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import DOWN, moved
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, uniform, within
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time
from sim.tasks.kit.things import UPRIGHT, grains, vessel

BIN = Cavity(sides=4, apothem=0.090, floor=0.004, rim=0.120)
TUB = Cavity(sides=8, apothem=0.058, floor=0.004, rim=0.110)
WALL_M = 0.003
UP: FloatArray = np.array([0.0, 0.0, 1.0])
DENSITY = 60.0
"""kg/m³ of a popped kernel, of the order of what popped corn is: 0.5 g of 25 mm."""
REST_M_S = 0.10
"""Light balls in a heap tremble, and one gives way at times; what rolls or falls is faster."""
TUB_MOVED_M = 0.010

ASIDE_M = (0.0, -0.025, 0.025)
"""Of the bin's middle, of each dig: no more than so many."""
SHORT_M = 0.001
"""A level that is so much, or one ball, under the mark is near enough."""
STEEP_RAD, HELD_RAD, POUR_RAD = 0.95, -0.35, 1.25
"""Of the tray: front down into the heap, front up while it is carried, front down over the tub."""
CARRY_M, OVER_M = 0.10, 0.045
"""Of the lip over the rim."""


class Parameters(TaskTable):
    """Bin and tub stand on the table, base frame, the bin to the right."""

    grains: Range = within(80, 125, "balls", 105, 118)
    diameter_m: Range = within(0.022, 0.028, "m", 0.024, 0.026)
    asked: Range = within(10, 30, "balls", 18, 24)
    friction: Range = within(0.2, 0.9, "", 0.4, 0.6)
    tub_kg: Range = within(0.1, 0.5, "kg", 0.15, 0.3)
    x_m: Range = within(0.44, 0.54, "m", 0.46, 0.52)
    aside_m: Range = within(0.14, 0.22, "m", 0.15, 0.19)
    start_jitter_rad: float = Field(default=0.03, ge=0, le=0.1)
    fill_least: float = Field(default=0.9, ge=0.5, le=1.0, description="share of the portion")
    spill_limit: float = Field(default=0.05, ge=0, le=0.5, description="share of the portion")
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=60.0, gt=0, le=120)
    tracker: Tracker = Tracker()


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    count, radius = round(uniform(rng, asked.grains)), uniform(rng, asked.diameter_m) / 2
    portion = round(uniform(rng, asked.asked))
    friction = uniform(rng, asked.friction)
    places = [
        [uniform(rng, asked.x_m), side * uniform(rng, asked.aside_m), 0.0] for side in (-1.0, 1.0)
    ]
    start = robot.home + rng.uniform(-1.0, 1.0, len(robot.home)) * asked.start_jitter_rad
    mark = level_of(TUB, portion, radius)
    return {
        "poses": {
            name: [*place, *UPRIGHT] for name, place in zip(("bin", "tub"), places, strict=True)
        },
        "portion": portion,
        "level_m": mark,
        "elements": [
            vessel(
                "bin", BIN, WALL_M, places[0], mass=3.0, fixed=True, colour=[0.75, 0.2, 0.15, 1.0]
            ),
            vessel("tub", TUB, WALL_M, places[1], mass=uniform(rng, asked.tub_kg), mark=mark),
            grains(
                count,
                radius,
                DENSITY,
                "bin",
                "tub",
                friction=friction,
                rolling=0.0005,
                colour=[0.96, 0.90, 0.66, 1.0],
            ),
        ],
        "tracker": asked.tracker.drawn(rng),
        "start": start.tolist(),
    }


class _Tray:
    """The scoop on its way, told by its lip and by how far its front is down."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.lip, _ = hand.where(measured=False)
        self.tilt = 0.0

    def go(self, lip: FloatArray, tilt: float, seconds: float) -> Moves:
        """Evenly, starting and stopping gently."""
        begun, before, passed_s = self.lip, self.tilt, 0.0
        while passed_s < seconds:
            passed_s += self.hand.desk.tick_s or 1e-3
            part = 0.5 - 0.5 * math.cos(math.pi * min(1.0, passed_s / seconds))
            self.lip = begun + part * (lip - begun)
            self.tilt = before + part * (tilt - before)
            # the front points to -x: it goes down as the tray turns against y
            axes = rotation((0.0, -self.tilt, 0.0)) @ DOWN
            self.hand.aim(self.lip, axes)
            yield


def _script(draw: Draw, robot: Robot) -> Script:
    wanted = number(draw, "level_m")

    def play(desk: Desk) -> Moves:
        tray = _Tray(Hand(desk, robot))
        corn = yield from desk.measured("bin")
        tub = yield from desk.measured("tub", 0.1)
        for aside in ASIDE_M:
            yield from _dig(tray, corn, aside)
            yield from _pour(tray, tub)
            if (yield from _level(desk)) > wanted - SHORT_M:
                break
        yield from tray.go(tray.lip + 0.06 * UP, tray.tilt, 0.6)

    return play


def _level(desk: Desk) -> Generator[None, None, float]:
    """Height in the tub, m: the mean of what is told for a while."""
    end_s = desk.view.elapsed_s + 0.5
    told: list[float] = []
    while not told or desk.view.elapsed_s < end_s:
        told.append(float(desk.view.tracked["tub-level"][2]))
        yield
    return float(np.mean(told))


def _dig(tray: _Tray, corn: FloatArray, aside: float) -> Moves:
    """Into the heap at the bin's far side, towards the arm, and up."""
    x, y, low = corn[0], corn[1] + aside, corn[2] + BIN.floor
    rim = corn[2] + BIN.rim
    over = np.array([x + 0.01, y, rim + CARRY_M])
    yield from tray.go(over, STEEP_RAD, 1.3)
    yield from tray.go(np.array([x - 0.01, y, low + 0.012]), STEEP_RAD, 0.9)
    yield from tray.go(np.array([x - 0.055, y, low + 0.014]), 0.25, 1.3)
    yield from tray.go(np.array([x - 0.060, y, low + 0.06]), HELD_RAD, 0.7)
    yield from tray.go(np.array([x - 0.055, y, rim + CARRY_M]), HELD_RAD, 0.8)


def _pour(tray: _Tray, tub: FloatArray) -> Moves:
    """Over the tub, front down about the lip, and back."""
    front = np.array([tub[0] + 0.025, tub[1], tub[2] + TUB.rim])
    yield from tray.go(front + CARRY_M * UP, HELD_RAD, 1.3)
    yield from tray.go(front + OVER_M * UP, 0.0, 0.8)
    yield from tray.go(front + OVER_M * UP, POUR_RAD, 1.8)
    yield from tray.hand.desk.wait(0.3)
    yield from tray.go(front + CARRY_M * UP, 0.0, 0.8)


def _conditions(seen: Seen, draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    portion = number(draw, "portion")
    filled, spilled = (seen.column(f"grains.{name}") for name in ("in_tub", "spilled"))
    fill = None if filled is None else filled / portion
    spill = None if spilled is None else spilled / portion
    done = all_of(
        None if fill is None else fill >= asked.fill_least,
        seen.below(spill, asked.spill_limit),
        seen.below(seen.column("grains.speed_max"), REST_M_S),
        seen.below(seen.column("tub.robot_n"), 0.0),
    )
    return (
        at_least("fill, share of the portion", seen.end(fill), asked.fill_least, ""),
        at_most("spilled, share of the portion", seen.end(spill), asked.spill_limit, ""),
        at_most("tub moved", moved(seen, draw, "tub"), TUB_MOVED_M, "m"),
        at_least("filled and at rest at the end", seen.held_s(done), asked.hold_s, "s"),
        in_time("filled within", seen, done, asked.cycle_limit_s),
    )


def _measures(seen: Seen, draw: Draw, _asked: Parameters) -> Mapping[str, float | None]:
    return {
        "balls in the tub": seen.last("grains.in_tub"),
        "balls beside": seen.last("grains.spilled"),
        "portion, balls": number(draw, "portion"),
        "peak force on the bin, N": seen.peak("bin.robot_n"),
    }


JOB = Job(
    name="tool-use",
    Parameters=Parameters,
    make_robot=scoop.robot,
    scene=_scene,
    conditions=_conditions,
    script=_script,
    measures=_measures,
)
