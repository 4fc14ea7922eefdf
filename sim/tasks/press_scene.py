"""Fixture of the press-turn archetype: a wall with two push switches side by side.

Each switch is a plate on a slide along the wall's normal behind a preloaded spring. It
toggles when it is pushed past its trip travel, and only toggles again after it was let back
past the re-arm travel. The left or right one of the two is the goal; the other must stay
untouched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from hil.contracts import FloatArray
from sim.robots.urdf import Body, Box, Colour, Inertial, Joint, Link, Part, Vector
from sim.world import Placed, World, blown_up

TRAVEL = 0.005
"""m, from rest to the stop."""
TRIP = 0.0025
"""m, travel at which the switch toggles."""
REARM = 0.001
"""m, travel below which it can toggle again."""
PRELOAD_N = 1.5

PITCH = 0.032
"""m, between the centres of the two switches."""

_PLATE: Vector = (0.006, 0.024, 0.036)
_PLATE_MASS = 0.015
_DAMPING = 4.0  # N·s/m
# The stop gives way a little, as plastic does; a rigid one would turn every touch into a force
# peak that only says how long a step is.
_STOP_STIFFNESS = 8e3  # N/m
_OVERRUN = 0.002
_SPEED_BOUND = 5.0

_WALL: Vector = (0.012, 0.30, 0.30)
_WALL_COLOUR: Colour = (0.80, 0.84, 0.86, 1.0)
_FRAME_COLOUR: Colour = (0.97, 0.97, 0.95, 1.0)
_GOAL_COLOUR: Colour = (0.20, 0.55, 0.90, 1.0)
_OTHER_COLOUR: Colour = (0.93, 0.93, 0.90, 1.0)
_LIT: Colour = (0.25, 0.85, 0.35, 1.0)


def spring_force(travel: float, trip_force: float) -> float:
    """Force in N of the spring at `travel` (m): linear from the preload at rest to
    `trip_force` at the trip travel, and much steeper past the stop."""
    rate = (trip_force - PRELOAD_N) / TRIP
    stop = _STOP_STIFFNESS * max(0.0, travel - TRAVEL)
    return PRELOAD_N + rate * travel + stop


class SwitchScene(BaseModel):
    """Element kind `wall-switch`.

    `at` is the middle of the goal's front face, `yaw` the direction in which it is pushed;
    `neighbour_side` is +1 for left, seen from the arm.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["wall-switch"] = "wall-switch"
    at: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    yaw: FiniteFloat
    neighbour_side: Literal[-1, 1]
    trip_force_n: float = Field(gt=PRELOAD_N, le=50)


@dataclass(slots=True)
class Latch:
    """Toggling contact of one switch. `on_s` is for how long it has been on without a break."""

    on: bool = False
    armed: bool = True
    toggles: int = 0
    on_s: float = 0.0

    def update(self, travel: float, dt: float) -> None:
        """Follow the plate to `travel` (m), `dt` seconds after the last call."""
        if self.armed and travel >= TRIP:
            self.on, self.armed = not self.on, False
            self.toggles += 1
        elif travel < REARM:
            self.armed = True
        self.on_s = self.on_s + dt if self.on else 0.0


@dataclass(slots=True)
class _Peaks:
    """Largest values since the witness was last heard."""

    force: float = 0.0
    wall_force: float = 0.0
    travel: dict[str, float] = field(default_factory=lambda: {"switch": 0.0, "neighbour": 0.0})


class WallSwitch:
    """The fixture in a world, for one episode."""

    def __init__(self, world: World, arm: Placed, wanted: SwitchScene) -> None:
        self._world, self._arm = world, arm
        self._trip_force = wanted.trip_force_n
        self._placed = world.place(_body(wanted.neighbour_side), wanted.at, wanted.yaw)
        self._latches = {"switch": Latch(), "neighbour": Latch()}
        self._peaks = _Peaks()
        self._pose = np.array([*wanted.at, wanted.yaw])
        self._indices = list(self._placed.joints.values())
        self._travel = dict.fromkeys(self._placed.joints, 0.0)
        self._released()

    @property
    def solids(self) -> Sequence[Placed]:
        return (self._placed,)

    def before_step(self) -> None:
        """Let the springs push for the coming step."""
        bullet = self._world.bullet
        bullet.setJointMotorControlArray(
            self._placed.uid,
            self._indices,
            bullet.TORQUE_CONTROL,
            forces=[-spring_force(travel, self._trip_force) for travel in self._travel.values()],
            physicsClientId=self._world.client,
        )

    def after_step(self) -> None:
        """Follow the switches and note the largest forces. Errors: HarnessError."""
        self._travel = self._read()
        for name, travel in self._travel.items():
            self._latches[name].update(travel, self._world.step_s)
            self._peaks.travel[name] = max(self._peaks.travel[name], travel)
        forces = self._world.contact_forces(self._arm, self._placed)
        if forces:
            self._peaks.force = max(self._peaks.force, sum(forces.values()))
            self._peaks.wall_force = max(self._peaks.wall_force, forces.get(-1, 0.0))

    def poses(self) -> dict[str, FloatArray]:
        """The goal, (4,): x, y, z in m, yaw in rad."""
        return {"switch": self._pose.copy()}

    def witness(self) -> dict[str, float]:
        """What happened since the last call; see `sim.tasks.press_turn` for the columns."""
        goal, other, peaks = self._latches["switch"], self._latches["neighbour"], self._peaks
        self._peaks = _Peaks()
        return {
            "switch_on": float(goal.on),
            "switch_on_s": goal.on_s,
            "switch_toggles": float(goal.toggles),
            "switch_travel_m": peaks.travel["switch"],
            "neighbour_toggles": float(other.toggles),
            "neighbour_travel_m": peaks.travel["neighbour"],
            "force_peak_n": peaks.force,
            "wall_force_peak_n": peaks.wall_force,
        }

    def show(self) -> None:
        """Colour the goal by its state, for a picture."""
        colour = _LIT if self._latches["switch"].on else _GOAL_COLOUR
        self._world.bullet.changeVisualShape(
            self._placed.uid,
            self._placed.joints["switch"],
            rgbaColor=colour,
            physicsClientId=self._world.client,
        )

    def _read(self) -> dict[str, float]:
        states = self._world.bullet.getJointStates(
            self._placed.uid, self._indices, physicsClientId=self._world.client
        )
        travels: dict[str, float] = {}
        for name, (travel, speed, *_) in zip(self._placed.joints, states, strict=True):
            if not (math.isfinite(travel) and abs(speed) <= _SPEED_BOUND):
                raise blown_up(f"the {name} is at {travel} m and moves at {speed} m/s")
            travels[name] = travel
        return travels

    def _released(self) -> None:
        bullet, client = self._world.bullet, self._world.client
        for index in self._placed.joints.values():
            # PyBullet starts every joint with a velocity motor that would hold it still
            bullet.setJointMotorControl2(
                self._placed.uid, index, bullet.VELOCITY_CONTROL, force=0.0, physicsClientId=client
            )


def _body(side: int) -> Body:
    """Wall and switches; the origin is the middle of the goal's front face at rest, x points
    into the wall."""
    depth, *_ = _PLATE
    beside = side * PITCH
    face = depth + TRAVEL + _OVERRUN
    wall = Part(Box(_WALL), (face + _WALL[0] / 2, beside / 2, 0.0), colour=_WALL_COLOUR)
    frame = tuple(
        Part(Box(size), at, colour=_FRAME_COLOUR) for size, at in _frame(beside / 2, depth, face)
    )
    links = [Link("wall", Inertial.of(wall.shape, 2.0, wall.at), (wall, *frame))]
    joints = []
    for name, offset, colour in (
        ("switch", 0.0, _GOAL_COLOUR),
        ("neighbour", beside, _OTHER_COLOUR),
    ):
        plate = Part(Box(_PLATE), (depth / 2, 0.0, 0.0), colour=colour)
        links.append(
            Link(f"{name}_plate", Inertial.of(plate.shape, _PLATE_MASS, plate.at), (plate,))
        )
        joints.append(
            Joint(
                name,
                "prismatic",
                "wall",
                f"{name}_plate",
                (0.0, offset, 0.0),
                axis=(1.0, 0.0, 0.0),
                upper=TRAVEL + _OVERRUN,
                effort=100.0,
                velocity=_SPEED_BOUND,
                damping=_DAMPING,
            )
        )
    return Body("wall-switch", links, joints)


def _frame(middle: float, depth: float, face: float) -> list[tuple[Vector, Vector]]:
    """Four bars round the plates, which stand proud of them by the plate's depth less 2 mm."""
    wide, high, bar = 2 * PITCH + 0.004, _PLATE[2] + 0.006, 0.010
    thick = face - depth + 0.002
    x = face - thick / 2
    return [
        ((thick, wide + 2 * bar, bar), (x, middle, (high + bar) / 2)),
        ((thick, wide + 2 * bar, bar), (x, middle, -(high + bar) / 2)),
        ((thick, bar, high), (x, middle + (wide + bar) / 2, 0.0)),
        ((thick, bar, high), (x, middle - (wide + bar) / 2, 0.0)),
    ]


def pushing_direction(yaw: float) -> FloatArray:
    """Unit vector (3,) along which a switch at `yaw` (rad) is pushed."""
    return np.array([math.cos(yaw), math.sin(yaw), 0.0])
