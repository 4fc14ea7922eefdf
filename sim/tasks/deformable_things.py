"""What stands before the archetype deformable: its parameters, and the scene drawn from them."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from sim.robots.model import Robot
from sim.tasks.deformable_route import PEG_HEIGHT_M, Route
from sim.tasks.kit.poses import matrix_of
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, about_z, uniform, within
from sim.tasks.kit.things import Table

SEGMENTS, SEGMENT_M = 24, 0.025
BEHIND_M = (0.06, 0.14)
"""Of the clips behind the peg from where the cable leaves it."""
BEFORE_M = 0.065
"""Of the second clip from the peg; the first is halfway to the anchor."""
GRIP_BEHIND_M = 0.045
"""Behind the last clip: the hand beside it keeps clear of it."""


class Parameters(TaskTable):
    """The board stands on the table, in the base frame; the cable is 0.6 m long."""

    leg_m: Range = within(0.22, 0.27, "m", 0.23, 0.26)
    corner_rad: Range = within(1.2, 1.7, "rad", 1.35, 1.65)
    peg_radius_m: Range = within(0.015, 0.03, "m", 0.018, 0.024)
    diameter_m: Range = within(0.006, 0.010, "m", 0.007, 0.009)
    mass_per_m_kg: Range = within(0.07, 0.15, "kg/m", 0.08, 0.12)
    stiffness_n_m2: Range = within(1e-4, 6e-4, "N·m²", 2e-4, 5e-4)
    friction: Range = within(0.3, 1.0, "", 0.5, 0.8)
    clearance_m: float = Field(default=0.003, ge=0.002, le=0.006)
    tolerance_m: float = Field(default=0.004, ge=0.001, le=0.01)
    slack_m: float = Field(default=0.02, ge=0.002, le=0.05)
    tension_limit_n: float = Field(default=20.0, ge=2, le=100)
    force_limit_n: float = Field(default=30.0, ge=2, le=200)
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=30.0, gt=0, le=90)
    tracker: Tracker = Tracker()


def scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    """Board, peg and cable; the route turns to the left or to the right."""
    side, radius = float(rng.choice([-1.0, 1.0])), uniform(rng, asked.diameter_m) / 2
    leg = uniform(rng, asked.leg_m)
    route = Route(
        side,
        leg,
        uniform(rng, asked.corner_rad),
        uniform(rng, asked.peg_radius_m),
        radius,
        ((leg - BEFORE_M) / 2 + 0.02, leg - BEFORE_M),
        BEHIND_M,
    )
    grip = math.ceil((route.length(BEHIND_M[-1]) + GRIP_BEHIND_M) / SEGMENT_M - 0.5)
    at = [float(rng.uniform(0.40, 0.44)), side * float(rng.uniform(0.16, 0.20)), 0.0]
    yaw = -side * math.pi / 2 + float(rng.uniform(-0.1, 0.1))
    friction = uniform(rng, asked.friction)
    peg = matrix_of(np.array(about_z(yaw))) @ [*route.peg, 0.0] + at
    return {
        "poses": {"clips": [*at, *about_z(yaw)]},
        "route": route.as_data(),
        "segments": SEGMENTS,
        "segment_m": SEGMENT_M,
        "grip_node": grip,
        "elements": [
            {
                "kind": "fixture",
                "name": "clips",
                "parts": route.clip_parts(2 * radius + asked.clearance_m),
                "at": at,
                "turn": about_z(yaw),
                "friction": 0.35,
                "told": {"at": at, "turn": about_z(yaw)},
            },
            {
                "kind": "fixture",
                "name": "peg",
                "parts": [route.peg_part()],
                "at": [*peg[:2].tolist(), PEG_HEIGHT_M / 2],
                "friction": 0.35,
            },
            _cable(asked, rng, route, [*at[:2], radius - 0.0005], yaw, grip, friction),
        ],
        "tracker": asked.tracker.drawn(rng),
        "start": (robot.home + np.append(rng.uniform(-0.03, 0.03, 7), 0.0)).tolist(),
    }


def _cable(
    asked: Parameters,
    rng: np.random.Generator,
    route: Route,
    at: list[float],
    yaw: float,
    grip: int,
    friction: float,
) -> Table:
    """The cable, which leads away from the board in a slight curve."""
    away, curve = -route.side * float(rng.uniform(0.48, 0.60)), float(rng.uniform(-0.6, 0.6))
    bends = [0.0, away / 3, away / 3, away / 3] + [curve * SEGMENT_M] * (SEGMENTS - 4)
    return {
        "kind": "cable",
        "name": "cable",
        "at": at,
        "headings": (yaw + np.cumsum(bends)).tolist(),
        "segment": SEGMENT_M,
        "diameter": 2 * route.cable_radius,
        "mass_per_m": uniform(rng, asked.mass_per_m_kg),
        "stiffness": uniform(rng, asked.stiffness_n_m2),
        "twisting": 2e-5,
        "rolling": 5e-4,
        "friction": friction,
        "anchored": True,
        "markers": sorted({*range(0, SEGMENTS + 1, 4), *range(grip - 1, grip + 3)}),
    }
