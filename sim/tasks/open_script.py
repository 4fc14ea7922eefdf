"""Scripted expert of the archetype open-articulated: hook, pull the thing along its way, unhook."""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.robots.model import Robot
from sim.tasks.kit.draws import number
from sim.tasks.kit.frames import Frame
from sim.tasks.kit.poses import from_vector
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.open_kinds import KINDS, opened
from sim.tasks.open_things import BAR_M, way

TIP_M = 0.011
"""The closed gripper ends so far before its grip centre, and is 20 mm thick."""
FINGER_M = 0.020
DEPTH_M = 0.012
"""How far it reaches beyond the bar."""
PLAY_M = 0.006
"""Between bar and gripper while it goes in and out."""
IN_M, OUT_M = 0.08, 0.045
"""Way along the gripper into the gap, and out of it."""
LOOK_S = 0.8


class Hook:
    """Where the tool is while it holds a thing of a kind, in the frame of the closed thing.

    A hook is the closed gripper behind the bar: it comes in leaning from straight in (x) towards
    one side, and pulls the bar with its flank. It has play, so that an arm that does not yield
    does not fight against the thing's own way; nothing is squeezed.
    """

    def __init__(self, kind: str, reach_m: float, side: float) -> None:
        self._lean = KINDS[kind].lean
        hinge, axis = way(kind, reach_m, side)
        self._hinge, self._axis = None if hinge is None else np.array(hinge), np.array(axis)
        upright = kind.endswith("door")
        self._bar = np.array([0.0, 0.0, 1.0] if upright else [0.0, 1.0, 0.0])
        # a drawer's hook leans down, a lid's up, a door's to where it opens
        aside = {"drawer": (0.0, 0.0, -1.0), "lid": (0.0, 0.0, 1.0)}
        self._along = np.array(aside.get(kind, (0.0, side, 0.0)))

    @property
    def lever(self) -> float:
        """m of the bar's way for a unit of travel."""
        return 1.0 if self._hinge is None else float(np.linalg.norm(self._hinge))

    def at(self, travel: float, full: float, play: float = PLAY_M) -> tuple[FloatArray, FloatArray]:
        """Place (3,) of the tool and its axes (3, 3) at `travel` of `full`, `play` m off the
        bar."""
        part = min(1.0, max(0.0, travel / full))
        first, last = self._lean
        lean = first + part * (last - first)
        into = np.array([1.0, 0.0, 0.0])
        pointing = math.cos(lean) * into + math.sin(lean) * self._along
        behind = math.sin(lean) * into - math.cos(lean) * self._along
        place = (BAR_M + FINGER_M / 2 + play) * behind + (DEPTH_M - TIP_M) * pointing
        axes = np.stack([np.cross(self._bar, pointing), self._bar, pointing], axis=1)
        if self._hinge is None:
            return place + travel * self._axis, axes
        turn = from_vector(travel * self._axis)
        return self._hinge + turn @ (place - self._hinge), turn @ axes


def script(draw: Draw, robot: Robot) -> Script:
    """The expert of one episode. It knows how the thing is built, and sees where it stands."""
    name = cast(str, draw["kind"])
    kind, full = KINDS[name], number(draw, "travel")
    hook = Hook(name, number(draw, "reach_m"), number(draw, "side"))
    limit = opened(name, full)
    goal = limit + (0.6 if kind.let_go else 0.1) * (full - limit)

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        frame = Frame.of((yield from desk.measured("thing", LOOK_S)))

        def to(travel: float, play: float, back: float, speed: float) -> Moves:
            place, axes = hook.at(travel, full, play)
            back_off = place - back * axes[:, 2]
            yield from hand.reach(frame.place(back_off), frame.turned(axes), speed, near=0.001)

        yield from hand.grip(0.0, 0.1)
        yield from to(0.0, PLAY_M, IN_M, 0.15)
        yield from to(0.0, PLAY_M, 0.0, 0.1)
        yield from to(0.0, 0.001, 0.0, 0.02)
        yield from _pull(hand, frame, hook, goal, full)
        if not kind.let_go:
            return
        yield from desk.wait(0.3)
        yield from to(goal, PLAY_M, 0.0, 0.05)
        yield from to(goal, PLAY_M, OUT_M, 0.1)

    return play


def _pull(hand: Hand, frame: Frame, hook: Hook, goal: float, full: float) -> Moves:
    """Bring the thing to `goal` evenly, the bar at 0.08 m/s on the average."""
    seconds, passed_s = max(1.5, goal * hook.lever / 0.08), 0.0
    while passed_s < seconds:
        passed_s += hand.desk.tick_s or 1e-3
        part = 0.5 - 0.5 * math.cos(math.pi * min(1.0, passed_s / seconds))
        place, axes = hook.at(part * goal, full, 0.001 * (1.0 - part))
        hand.aim(frame.place(place), frame.turned(axes))
        yield
