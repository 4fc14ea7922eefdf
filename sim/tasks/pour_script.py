"""The scripted expert of pouring: by joints, tracked vessels and the tracked level in the cup."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator

import numpy as np

from hil.contracts import FloatArray
from hil.kinematics import rotation
from hil.task import Draw
from sim.robots.gripper import TRAVEL, angle_for
from sim.robots.model import Robot
from sim.scenery.grains import level_of
from sim.tasks.kit.draws import number
from sim.tasks.kit.poses import DOWN, yaw_of
from sim.tasks.kit.script import Desk, Hand, Moves, Script, together
from sim.tasks.pour_things import CUP, JUG, LIP_M, WALL_M

LEAN = 1.0
"""rad by which the hand points down when it takes the jug: it comes from behind and above, so
that it is out of the way of what is poured and above the table."""
BELOW_M = 0.024
"""From the rim down to where the fingers hold."""
CARRY_M = 0.13
"""Of the lip over the cup's rim while the jug is brought."""
OVER_M = 0.038
"""Of the lip over the cup's rim while it is poured."""
SHORT_M = 0.016
"""From the cup's middle back to the lip: what leaves it flies on."""
READY_RAD, STEEPEST_RAD = 0.85, 1.95
"""Leaning already, and as far as the arm's wrist goes."""
FLOWS_RAD = 1.25
"""Nothing flows before, of a jug that is filled to two thirds."""
FAST, SLOW, LAST = 0.50, 0.11, 0.05
"""rad/s of tilting where nothing can flow, until enough has, and for the last balls: the slower,
the smaller are the lumps."""
LINES = ((12, 9.0), (6, 30.0))
"""Values through which a line is drawn, and balls a second from which on a stream is told from
the tracker's noise, which is 2 to 2.5 standard deviations of the slope: one line for a stream,
one for a burst. Tilting waits meanwhile."""
BACK_RAD = 0.28
"""By how much the jug is tilted back to stop what flows."""
LEAD_S = 0.30
"""Of what flows until the jug is back: delay of the tracker, the fall, the turn."""
EARLY = 4.5
"""Balls short of the mark at which the jug is tilted back the first time, from a stream."""
LUMP = 1.6
"""Balls seen to arrive at which it is tilted back after that: some more are on their way."""
ENOUGH = 2.2
"""Balls short of the mark that are left so: the next lump might be larger."""
_FEWEST = 6
"""Values of which the mean is taken, and without which nothing is concluded."""
TARE_S = 2.4
"""While the jug is on its way to the cup."""
AWAY_S = 5.0
"""Before the time is up, pouring ends whatever is missing, so that the jug is put back in time."""


def hand_axes(yaw: float, lean: float, *, over: bool = False) -> FloatArray:
    """Axes (3, 3) of a tool that points along `yaw`, `lean` rad down, with fingers side by
    side: `poses.DOWN` for a lean of a quarter turn. `over`: with its fingers changed over, as
    half a turn about itself does."""
    axes = rotation((0.0, 0.0, yaw)) @ rotation((0.0, lean - math.pi / 2, 0.0)) @ DOWN
    return np.asarray(axes * [-1.0, -1.0, 1.0] if over else axes)


def heading_of(jug: FloatArray, cup: FloatArray) -> float:
    """Bearing in rad, -pi to pi, along which the jug is taken: between two of its walls, that
    nearest to the way to the cup."""
    way, step = cup[:2] - jug[:2], 2 * math.pi / JUG.sides
    wanted, yaw = math.atan2(way[1], way[0]), float(yaw_of(jug[None, 3:])[0])
    across = yaw + math.pi / 2  # of the way between two walls
    return _short(across + step * round((wanted - across) / step))


def _short(angle: float) -> float:
    return math.atan2(math.sin(angle), math.cos(angle))


class Pourer:
    """A hand that holds the jug and moves it by its lip. Its last joint has less to turn with the
    fingers changed over, where it works to the robot's right.

    Attributes:
        lip: m, the middle of the rim's front edge, as sent last.
        tilt: rad forward, as sent last.
        yaw: rad, to where it would be poured.
    """

    def __init__(self, hand: Hand, lip: FloatArray, yaw: float) -> None:
        self.hand, self.lip, self.tilt, self.yaw = hand, lip, 0.0, yaw
        self._over = yaw < 0

    def axes(self, tilt: float) -> FloatArray:
        """Of the tool, (3, 3)."""
        return hand_axes(self.yaw, LEAN + tilt, over=self._over)

    def set(self, lip: FloatArray, tilt: float, yaw: float) -> None:
        """Aim there in this tick."""
        self.lip, self.tilt, self.yaw = lip, tilt, yaw
        self.hand.aim(lip + from_lip(yaw, tilt), self.axes(tilt))

    def go(self, lip: FloatArray, tilt: float, yaw: float, seconds: float) -> Moves:
        """Evenly, starting and stopping gently."""
        begun = np.array([*self.lip, self.tilt, self.yaw])
        change, passed_s = np.array([*lip, tilt, yaw]) - begun, 0.0
        while passed_s < seconds:
            passed_s += self.hand.desk.tick_s or 1e-3
            part = 0.5 - 0.5 * math.cos(math.pi * min(1.0, passed_s / seconds))
            now = begun + part * change
            self.set(now[:3], float(now[3]), float(now[4]))
            yield


def from_lip(yaw: float, tilt: float) -> FloatArray:
    """From the lip to where the hand holds, (3,) m."""
    held = np.array([-LIP_M, 0.0, -BELOW_M])
    return np.asarray(rotation((0.0, 0.0, yaw)) @ rotation((0.0, tilt, 0.0)) @ held)


class Gauge:
    """The level in the cup as the tracker tells it, in balls over an empty cup's.

    Attributes:
        count: balls that are in the cup or certain to come: a mean of the newest values, or,
            where a stream is seen, what a straight line through them comes to in `LEAD_S`.
        flow: balls a second of a stream; 0 where none is seen.
    """

    def __init__(self, desk: Desk, rise: float, samples: int = 12) -> None:
        self._desk, self._floor, self._rise = desk, 0.0, rise
        self._seen: deque[tuple[float, float]] = deque(maxlen=samples)
        self.count = self.flow = 0.0

    def look(self) -> None:
        """Take what the tracker says in this tick; a value that is not new is left out."""
        height = float(self._desk.view.tracked["cup-level"][2])
        count = (height - self._floor) / self._rise
        if self._seen and self._seen[-1][1] == count:
            return
        self._seen.append((self._desk.view.elapsed_s, count))
        times, counts = np.array(self._seen).T
        self.count = float(np.mean(counts[-_FEWEST:])) if len(counts) >= _FEWEST else 0.0
        self.flow = 0.0
        for values, least in LINES:
            if len(counts) >= values:
                now = times[-values:] - times[-1]
                slope, last = np.polyfit(now, counts[-values:], 1)
                if slope > least:
                    self.flow = max(self.flow, float(slope))
                    self.count = max(self.count, float(last + LEAD_S * slope))

    def tare(self, seconds: float) -> Moves:
        """Take the mean level of the next `seconds` for that of an empty cup: where the cup was
        measured to stand has more noise than a ball is high."""
        self._floor += self._rise * (yield from self.settled(seconds))
        self._seen.clear()

    def settled(self, seconds: float = 0.35) -> Generator[None, None, float]:
        """Balls: the mean of what is told in the next `seconds`."""
        self._seen.clear()
        told: list[float] = []
        end_s = self._desk.view.elapsed_s + seconds
        while not told or self._desk.view.elapsed_s < end_s:
            self.look()
            told.append(self._seen[-1][1])
            yield
        return float(np.mean(told))


def script(draw: Draw, robot: Robot) -> Script:
    """Take the jug, pour in lumps until the level is at the mark, put the jug back."""
    mark, ball = number(draw, "level_m"), number(draw, "diameter_m")
    rise, limit_s = level_of(CUP, 1, ball / 2) - CUP.floor, number(draw, "cycle_limit_s")

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        yield from hand.grip(angle_for(2 * TRAVEL), 0.05)
        jug = yield from desk.measured("jug")
        cup = yield from desk.measured("cup", 0.1)
        yaw = heading_of(jug, cup)
        lip = jug[:3] + rotation((0.0, 0.0, yaw)) @ [LIP_M, 0.0, JUG.rim]
        pourer = Pourer(hand, lip, yaw)
        axes, grip = pourer.axes(0.0), lip + from_lip(yaw, 0.0)
        yield from hand.reach(grip - 0.12 * axes[:, 2], axes, 0.5)
        yield from hand.reach(grip, axes, 0.25)
        yield from hand.grip(angle_for(2 * (JUG.apothem + WALL_M) - 0.02))
        gauge = Gauge(desk, rise)
        yield from together(_bring(pourer, cup), gauge.tare(TARE_S))
        yield from _pour(pourer, gauge, (mark - CUP.floor) / rise, limit_s - AWAY_S)
        yield from _put_back(pourer, lip, yaw)

    return play


def _bring(pourer: Pourer, cup: FloatArray) -> Moves:
    """To the cup, leaning already as far as nothing flows."""
    begun, yaw = pourer.lip, pourer.yaw
    way = cup[:2] - begun[:2]
    facing = yaw + _short(math.atan2(way[1], way[0]) - yaw)
    front = cup[:3] + rotation((0.0, 0.0, facing)) @ [-SHORT_M, 0.0, CUP.rim]
    up = np.array([0.0, 0.0, 1.0])
    yield from pourer.go(begun + 0.08 * up, 0.0, yaw, 0.6)
    yield from pourer.go(front + CARRY_M * up, 0.5, facing, 1.2)
    yield from pourer.go(front + OVER_M * up, READY_RAD, facing, 0.8)


def _pour(pourer: Pourer, gauge: Gauge, wanted: float, end_s: float) -> Moves:
    """Tilt slowly, tilt back in time, look, and again while more than a lump is missing."""
    desk, near, speed = pourer.hand.desk, EARLY, SLOW
    yield from pourer.go(pourer.lip, FLOWS_RAD, pourer.yaw, (FLOWS_RAD - READY_RAD) / FAST)
    while True:
        yield from _until(pourer, gauge, wanted - near, speed, end_s)
        steep = pourer.tilt
        yield from pourer.go(pourer.lip, steep - BACK_RAD, pourer.yaw, 0.3)
        yield from desk.wait(0.25)
        missing = wanted - (yield from gauge.settled())
        if missing < ENOUGH or steep >= STEEPEST_RAD or desk.view.elapsed_s > end_s:
            return
        near, speed = missing - LUMP, LAST
        yield from pourer.go(pourer.lip, steep - 0.02, pourer.yaw, 0.35)


def _until(pourer: Pourer, gauge: Gauge, count: float, speed: float, end_s: float) -> Moves:
    """Tilt at `speed` rad/s until `count` balls have arrived or are certain to."""
    desk = pourer.hand.desk
    while pourer.tilt < STEEPEST_RAD and desk.view.elapsed_s < end_s:
        gauge.look()
        if gauge.count > count:
            return
        rate = 0.0 if gauge.flow else speed
        pourer.set(pourer.lip, pourer.tilt + rate * desk.tick_s, pourer.yaw)
        yield


def _put_back(pourer: Pourer, lip: FloatArray, yaw: float) -> Moves:
    """Upright above where it stood, down, and let go."""
    hand, up = pourer.hand, np.array([0.0, 0.0, 1.0])
    yield from pourer.go(pourer.lip + (CARRY_M - OVER_M) * up, 0.5, pourer.yaw, 0.7)
    yield from pourer.go(lip + 0.08 * up, 0.0, yaw, 1.2)
    yield from pourer.go(lip + 0.001 * up, 0.0, yaw, 0.7)
    yield from hand.desk.wait(0.15)
    yield from hand.grip(angle_for(2 * TRAVEL), 0.3)
    axes = pourer.axes(0.0)
    at = lip + from_lip(yaw, 0.0)
    yield from hand.reach(at - 0.10 * axes[:, 2], axes, 0.3)
