"""What can be asked of pouring, the two vessels, what is poured, and where they stand."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, model_validator

from sim.robots.model import Robot
from sim.scenery.cavity import Cavity
from sim.scenery.grains import level_of
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, about_z, uniform, within
from sim.tasks.kit.things import grains, vessel

WALL_M = 0.003
"""Of both vessels; their outer width across the walls has to fit between open fingers."""
JUG = Cavity(sides=6, apothem=0.030, floor=0.004, rim=0.110)
"""What is poured from. Held by two walls of six it pours over a corner, which is its spout."""
LIP_M = JUG.apothem / math.cos(math.pi / JUG.sides)
"""From its middle to that corner."""
CUP = Cavity(sides=8, apothem=0.034, floor=0.004, rim=0.085)
"""What is poured into."""
DENSITY = 1000.0
"""kg/m³ of a grain, as of water."""
FEWEST = 2
"""Balls that a tolerance has to be worth, to mean anything."""
HEADROOM_M = 0.01
"""Of the mark under the cup's rim: the heap's top is higher than its level."""


class Parameters(TaskTable):
    """Places on the table, base frame. `grains` and `diameter_m` of the balls in the jug; of
    these the share `asked` has to be poured; friction is Coulomb's, of two in contact
    multiplied."""

    grains: Range = within(40, 120, "balls", 78, 86)
    diameter_m: Range = within(0.010, 0.016, "m", 0.0125, 0.0135)
    asked: Range = within(0.2, 0.7, "of the balls", 0.45, 0.60)
    friction: Range = within(0.2, 0.8, "", 0.4, 0.6)
    vessel_friction: Range = within(0.4, 1.0, "", 0.6, 0.9)
    vessel_kg: Range = within(0.05, 0.4, "kg", 0.10, 0.20)
    x_m: Range = within(0.40, 0.55, "m", 0.44, 0.53)
    aside_m: Range = within(0.08, 0.22, "m", 0.10, 0.18)
    yaw_rad: Range = within(-3.15, 3.15, "rad", -3.14, 3.14)
    fill_limit: float = Field(default=0.10, ge=0.02, le=0.5, description="share of what is asked")
    spill_limit: float = Field(default=0.02, ge=0, le=0.5, description="share of all balls")
    back_limit_m: float = Field(default=0.03, ge=0.005, le=0.1)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=20.0, gt=0, le=60)
    tracker: Tracker = Tracker()

    @model_validator(mode="after")
    def _can_be_done_and_seen(self) -> Parameters:
        most, radius = round(self.grains[1]), self.diameter_m[1] / 2
        if JUG.places(most, radius) is None:
            room = next(n for n in range(most, -1, -1) if JUG.places(n, radius) is not None)
            raise ValueError(
                f"{most} balls of {2e3 * radius:g} mm do not fit into the jug, {room} do"
            )
        mark = level_of(CUP, self.asked[1] * most, radius)
        if mark > CUP.rim - HEADROOM_M:
            raise ValueError(
                f"the mark would be {mark:.3f} m high, allowed is up to"
                f" {CUP.rim - HEADROOM_M:.3f} m: ask for less, or for fewer or smaller balls"
            )
        fewest = self.fill_limit * self.asked[0] * self.grains[0]
        if fewest < FEWEST:
            raise ValueError(
                f"fill_limit = {self.fill_limit:g} is {fewest:.1f} balls at least, allowed are"
                f" {FEWEST} or more: widen it, or ask for more balls"
            )
        return self


def scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    """The draw of an episode."""
    count, radius = round(uniform(rng, asked.grains)), uniform(rng, asked.diameter_m) / 2
    wanted = round(count * uniform(rng, asked.asked))
    level = level_of(CUP, wanted, radius)
    jug, cup = _places(rng, asked.x_m, asked.aside_m)
    surface = {"friction": uniform(rng, asked.vessel_friction), "restitution": 0.3}
    dry = {"friction": uniform(rng, asked.friction), "restitution": 0.3}
    elements = [
        vessel(
            "jug",
            JUG,
            WALL_M,
            [*jug, 0.0],
            turn=about_z(uniform(rng, asked.yaw_rad)),
            mass=uniform(rng, asked.vessel_kg),
            colour=[0.85, 0.75, 0.55, 1.0],
            **surface,
        ),
        vessel(
            "cup",
            CUP,
            WALL_M,
            [*cup, 0.0],
            turn=about_z(uniform(rng, asked.yaw_rad)),
            mass=uniform(rng, asked.vessel_kg),
            mark=level,
            **surface,
        ),
        grains(count, radius, DENSITY, "jug", "cup", **dry),
    ]
    return {
        "poses": {str(one["name"]): [*one["at"], *one["turn"]] for one in elements[:2]},  # type: ignore[misc]
        "grains": count,
        "asked": wanted,
        "level_m": level,
        "diameter_m": 2 * radius,
        "cycle_limit_s": asked.cycle_limit_s,
        "elements": elements,
        "tracker": asked.tracker.drawn(rng),
        "start": (robot.home + np.append(rng.uniform(-0.03, 0.03, 7), 0.0)).tolist(),
    }


def _places(
    rng: np.random.Generator, x: Range, aside: Range
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Places (x, y) in m of jug and cup: one to the left of the robot's middle and the other to
    the right, each `aside` m from it."""
    left = 1.0 if rng.random() < 0.5 else -1.0
    jug = (uniform(rng, x), left * uniform(rng, aside))
    return jug, (uniform(rng, x), -left * uniform(rng, aside))
