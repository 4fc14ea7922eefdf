"""Expert of the kind `drive-screw`: find the recess by feel, run the screw down, tighten it.

The bit is pressed lightly on the head and led round in a spiral while it turns slowly, until it
drops into the recess. Then it is pressed on along the axis, yields across it, and turns the screw
at speed; near the seat it goes on slowly, until the spindle gives the torque that is asked for.
(The simulated wrist does not feel that torque: PyBullet leaves out of a joint's reaction what the
motors of the joints behind it give about their own axes.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.robots.driver import SPINDLE, TORQUE
from sim.robots.model import Robot
from sim.tasks.kit.draws import number
from sim.tasks.kit.poses import matrix_of
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.wrist import Wrist

CLEAR_M, OFF_M = 0.012, 0.04
LOWER_M_S, TOUCH_N = 0.015, 2.0
SEEK_N, DRIVE_N = 5.0, 12.0
"""With what the bit is pressed on while it seeks, and while it drives."""
SEEK_M_S, SEEK_PITCH_M, SEEK_MOST_M = 0.008, 0.0008, 0.0028
"""The spiral: speed along it, distance of its turns, and its largest radius."""
SEEK_RAD_S, RUN_RAD_S, SLOW_RAD_S = 14.0, 10.0, 0.7
"""While the spiral passes a recess, which takes 0.1 s and more, its flats match once at least."""
DROP_SHARE = 0.5
"""Of the recess' depth: a bit that is so much lower than the head is in."""
SNUG_SHARE, STOP_SHARE = 0.25, 0.99
"""Of the torque asked for: felt when the head is seated, and when it is tight."""
EARLY_M = 0.0006
"""Before the seat is expected, the screw is driven slowly."""
YIELD_M_S_N, FASTEST_M_S = 6e-4, 0.02
ASIDE_M_S_N = 3e-4
SEEK_S, RUN_S, TIGHTEN_S = 9.0, 10.0, 8.0


@dataclass
class Driver:
    """The tool on its way: where it was sent last along the axis `up` from `origin`."""

    hand: Hand
    wrist: Wrist
    place: FloatArray
    axes: FloatArray
    spindle: int

    @property
    def up(self) -> FloatArray:
        """Out of the hole, as far as it is known."""
        return np.asarray(-self.axes[:, 2])

    def press(self) -> float:
        """N along the axis."""
        return float(self.wrist.force() @ self.up)

    def height(self) -> float:
        """m along the axis, as measured."""
        return float(self.hand.where()[0] @ self.up)

    def move(self, press: float, rad_s: float, aside: FloatArray | None = None) -> None:
        """One tick: keep `press` N along the axis, turn the spindle at `rad_s` clockwise seen
        from above, and go `aside` (3,) m/s across the axis, or yield to what pushes there."""
        desk, up = self.hand.desk, self.up
        force = self.wrist.force()
        along = float(force @ up)
        speed = max(-FASTEST_M_S, min(FASTEST_M_S, YIELD_M_S_N * (along - press)))
        across = ASIDE_M_S_N * (force - along * up) if aside is None else aside
        self.place = self.place + (speed * up + across) * desk.tick_s
        self.hand.aim(self.place, self.axes)
        # the tool's z points down, so that it turns clockwise seen from above with its angle
        desk.target[self.spindle] += rad_s * desk.tick_s

    def twist(self) -> float:
        """Torque of the spindle, N·m: what turns the screw, and little for its own inertia and
        friction at such speeds."""
        return float(self.hand.desk.view.joints.effort[self.spindle]) * TORQUE


def script(draw: Draw, robot: Robot) -> Script:
    """The expert's moves, given the size of the screw and the torque asked for."""
    torque, recess = number(draw, "torque_nm"), number(draw, "recess_m")
    free = number(draw, "free_m")

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        wrist = Wrist(desk, hand)
        told = yield from desk.measured("screw", 0.6)
        axes = _down(matrix_of(told[3:])[:, 2])
        up = -axes[:, 2]
        yield from hand.reach(told[:3] + 3 * CLEAR_M * up, axes)
        yield from hand.reach(told[:3] + CLEAR_M * up, axes, 0.1, near=0.0005)
        yield from wrist.tare()
        below = told[:3] - CLEAR_M * up
        yield from hand.reach(
            below, axes, LOWER_M_S, until=lambda: bool(wrist.force() @ up > TOUCH_N)
        )
        place, _ = hand.where(measured=False)
        tool = Driver(hand, wrist, place, axes, robot.names.index(SPINDLE))
        yield from _seek(tool, DROP_SHARE * recess)
        yield from _run(tool, free, torque)
        yield from _tighten(tool, torque)
        here, _ = hand.where(measured=False)
        yield from hand.reach(here + OFF_M * up, axes, 0.1)

    return play


def _down(up: FloatArray) -> FloatArray:
    """Axes (3, 3) of a tool that points against `up`, its x as far to the front as may be."""
    ahead = np.array([1.0, 0.0, 0.0])
    x = ahead - (ahead @ up) * up
    x /= float(np.linalg.norm(x))
    return np.stack([x, np.cross(-up, x), -up], axis=1)


def _seek(tool: Driver, drop: float) -> Moves:
    """Lead the turning bit round until it has dropped by `drop` m; a spiral that has ended
    begins again in its middle."""
    desk = tool.hand.desk
    end_s = desk.view.elapsed_s + SEEK_S
    for _ in range(10):  # let it settle on the head
        tool.move(SEEK_N, 0.0, np.zeros(3))
        yield
    head, angle = tool.height(), 0.0
    x, y = tool.axes[:, 0], tool.axes[:, 1]
    before: FloatArray = np.zeros(3)
    while desk.view.elapsed_s < end_s and tool.height() > head - drop:
        radius = SEEK_PITCH_M * angle / (2 * math.pi)
        angle += SEEK_M_S * desk.tick_s / max(radius, SEEK_PITCH_M / 2)
        if radius > SEEK_MOST_M:
            angle = 0.0
        here = radius * (math.cos(angle) * x + math.sin(angle) * y)
        sunk = tool.height() < head - 0.2 * drop
        aside = None if sunk else (here - before) / max(desk.tick_s, 1e-3)
        before = before if sunk else here
        tool.move(SEEK_N, 2.0 if sunk else SEEK_RAD_S, aside)
        yield


def _run(tool: Driver, free: float, torque: float) -> Moves:
    """Drive the screw down by `free` m, fast but for the end, until it is snug."""
    desk = tool.hand.desk
    for _ in range(25):  # down to the recess' floor
        tool.move(DRIVE_N, 0.0)
        yield
    top, end_s = tool.height(), desk.view.elapsed_s + RUN_S
    while desk.view.elapsed_s < end_s and tool.twist() < SNUG_SHARE * torque:
        near = top - tool.height() > free - EARLY_M
        tool.move(DRIVE_N, 3.0 if near else RUN_RAD_S)
        yield


def _tighten(tool: Driver, torque: float) -> Moves:
    """Go on slowly to the torque asked for, and let the bit unwind."""
    desk = tool.hand.desk
    end_s = desk.view.elapsed_s + TIGHTEN_S
    while desk.view.elapsed_s < end_s and tool.twist() < STOP_SHARE * torque:
        tool.move(DRIVE_N, SLOW_RAD_S)
        yield
    end_s = desk.view.elapsed_s + 2.0
    while desk.view.elapsed_s < end_s and tool.twist() > 0.03 * torque:
        tool.move(DRIVE_N, -1.5)
        yield
