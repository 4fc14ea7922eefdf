"""Scripted experts of the archetype operate: one for each kind of control.

All work in the frame of the control: x into the panel, y left, z up, its face at x = 0. The
closed gripper is a probe with a flat end of 20 mm by 32 mm, which its grip centre is `TIP_M`
behind; open, its fingers turn a knob's bar or a wheel's spokes without squeezing them, so that
an arm that does not yield pulls at nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType

import numpy as np

from hil.task import Draw
from sim.robots.gripper import angle_for
from sim.robots.model import Robot
from sim.tasks.kit.draws import number
from sim.tasks.kit.frames import Before, Frame
from sim.tasks.kit.poses import matrix_of
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.operate_controls import (
    BUTTON_M,
    KNOB_BAR_M,
    KNOB_DISC_M,
    ROCKER_M,
    SPOKE_M,
    SPOKES,
    TRIP_M,
)
from sim.tasks.operate_panel import GOAL

TIP_M = 0.011
FINGER_M = 0.020
"""Width of a finger across its opening."""
CLEAR_M = 0.050
"""Before whatever stands out, on the way."""
LOOK_S = 0.8
CREEP_M_S = 0.02
TURN_RAD_S = 0.8
ROLL_LIMIT_RAD = 2.0
"""To either side in one stroke; the wrist could turn further, but a person would take anew."""

_KNOB_PLAY_M = 0.0015
_WHEEL_OPEN_M = 0.072


def script(draw: Draw, robot: Robot) -> Script:
    """The expert of one episode. It knows kind, size and goal, and sees where things are."""

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        panel = yield from desk.measured("panel", LOOK_S)
        control = yield from desk.measured(f"panel.{GOAL}", LOOK_S)
        axes = Frame.of(panel).axes
        # the pose of the control knows better where it is than that of the whole panel
        work = Before(hand, Frame(axes, control[:3]))
        yield from work.square_up()
        yield from _SCRIPTS[str(draw["control"])](work, draw)

    return play


def _button(work: Before, _draw: Draw) -> Moves:
    face = -BUTTON_M - TIP_M
    yield from work.hand.grip(0.0)
    yield from work.go((face - CLEAR_M, 0.0, 0.0))
    yield from work.go((face - 0.005, 0.0, 0.0), speed=0.1)
    yield from work.go((face + TRIP_M + 0.001, 0.0, 0.0), speed=CREEP_M_S)
    yield from work.go((face - CLEAR_M, 0.0, 0.0))


def _switch(work: Before, draw: Draw) -> Moves:
    """Pushes the outer end past the middle, from where the spring takes it on."""
    end = 0.025 * (-1.0 if draw["down"] else 1.0)
    face = -ROCKER_M[0] / 2 - TIP_M  # from the axis of the rocker
    yield from work.hand.grip(0.0)
    yield from work.go((face - 0.015 - CLEAR_M, 0.0, end))
    yield from work.go((face - 0.012, 0.0, end), speed=0.1)
    yield from work.go((face + 0.0015, 0.0, end), speed=CREEP_M_S)
    yield from work.go((face - CLEAR_M, 0.0, end))


def _lever(work: Before, draw: Draw) -> Moves:
    """Lifts it from below, or presses it down from above, past the middle of its throw; not so
    deep that its end meets what carries the fingers, 40 mm behind their tips."""
    side = -1.0 if draw["down"] else 1.0
    deep = -0.058 - TIP_M  # from the lever's axis
    far, near, past = -0.095 * side, -0.072 * side, -0.008 * side
    yield from work.hand.grip(0.0)
    yield from work.go((deep - 0.06, 0.0, far))
    yield from work.go((deep, 0.0, far))
    yield from work.go((deep, 0.0, near), speed=0.1)
    yield from work.go((deep, 0.0, past), speed=0.04)
    yield from work.go((deep, 0.0, near), speed=0.1)
    yield from work.go((deep - 0.08, 0.0, near))


def _knob(work: Before, draw: Draw) -> Moves:
    """Takes the bar between the fingers with a little play, and lets the detent do the rest."""
    deep, wide, _ = KNOB_BAR_M
    begun = yield from _angle(work)
    goal = number(draw, "goal")
    play = 2 * _KNOB_PLAY_M / FINGER_M  # rad by which the bar lags behind
    out, taken = -KNOB_DISC_M - deep - CLEAR_M, -KNOB_DISC_M - 0.005 - TIP_M
    yield from work.hand.grip(angle_for(wide + 0.030))
    yield from work.go((out, 0.0, 0.0), begun)
    yield from work.go((taken, 0.0, 0.0), speed=0.1)
    yield from work.hand.grip(angle_for(wide + 2 * _KNOB_PLAY_M))
    end = goal + math.copysign(0.9 * play, goal - begun)
    yield from work.go((taken, 0.0, 0.0), end, roll_speed=TURN_RAD_S)
    yield from work.hand.grip(angle_for(wide + 0.030))
    yield from work.go((out, 0.0, 0.0), speed=0.1)


def _valve(work: Before, draw: Draw) -> Moves:
    """The open fingers between the spokes push two of them, stroke by stroke."""
    goal, sector = number(draw, "goal"), 2 * math.pi / SPOKES
    apart = _WHEEL_OPEN_M / 2 + 0.008  # from the axis to the middle of a finger
    ahead = sector / 2 - math.asin((FINGER_M + SPOKE_M) / 2 / apart)
    out, taken = -CLEAR_M - TIP_M, SPOKE_M / 2 + 0.005 - TIP_M
    yield from work.hand.grip(angle_for(_WHEEL_OPEN_M))
    here = yield from _angle(work)
    while abs(goal - here) > 0.03:
        way = math.copysign(1.0, goal - here)
        # the place between two spokes from where there is most room to turn
        free = here + sector / 2 + sector * np.arange(-20, 20)
        roll = float(free[np.abs(free + way * (ROLL_LIMIT_RAD - sector / 2)).argmin()])
        yield from work.go((out, 0.0, 0.0), roll)
        yield from work.go((taken, 0.0, 0.0), speed=0.1)
        # undershoot first, and go on by what the tracker says is missing
        most = ROLL_LIMIT_RAD - way * roll
        stroke = min(ahead + abs(goal - here) - 0.04, most)
        yield from work.go((taken, 0.0, 0.0), roll + way * stroke, roll_speed=TURN_RAD_S)
        for _ in range(3):
            here = yield from _angle(work, here + way * max(0.0, stroke - ahead))
            missing = way * (goal - here)
            if stroke >= most or missing < 0.01:
                break
            stroke = min(stroke + missing, most)
            yield from work.go((taken, 0.0, 0.0), roll + way * stroke, roll_speed=0.2)
        yield from work.go((taken, 0.0, 0.0), work.roll - way * 0.15)
        yield from work.go((out, 0.0, 0.0), speed=0.1)


def _angle(work: Before, near: float = 0.0) -> Generator[None, None, float]:
    """Where the control is turned to, rad, averaged over a few poses of the tracker; of all
    full turns that nearest to `near`."""
    desk = work.hand.desk
    angles: list[float] = []
    yield from desk.wait(0.1)
    end_s = desk.view.elapsed_s + 0.3
    while not angles or desk.view.elapsed_s < end_s:
        turned = work.frame.axes.T @ matrix_of(desk.view.tracked[f"panel.{GOAL}"][3:])
        angle = math.atan2(turned[2, 1], turned[1, 1])
        angles.append(angle - 2 * math.pi * round((angle - near) / (2 * math.pi)))
        yield
    return float(np.mean(angles))


_SCRIPTS: Mapping[str, Callable[[Before, Draw], Moves]] = MappingProxyType(
    {"button": _button, "switch": _switch, "knob": _knob, "lever": _lever, "valve": _valve}
)
