"""Scripted experts of in-hand-reorient: gaits of four fingers round a cube on the palm.

A cycle of the yaw gait: close round the cube, press, sweep all fingertips round the palm's
middle with the cube between them, open, go back. How far the next sweep goes, and from where,
follows from the tracked yaw. What is left in the end is turned within the grip, and the cube
stays held.

A drive gives all its torque in every squeeze, however deep it is commanded: 0.62 N·m of a
finger's first joint at a lever of 22 to 32 mm are 20 to 28 N a finger. Depth only says how far
off the middle the cube can be between fingers that press equally.
"""

from __future__ import annotations

import math

import numpy as np

from hil.contracts import FloatArray
from sim.robots.hand4 import PLAN
from sim.tasks.kit.fingers import PITCH, Fingers
from sim.tasks.kit.poses import yaw_of
from sim.tasks.kit.script import Desk, Moves

QUARTER = math.pi / 2
FARTHEST, LEANING = math.radians(42), 0.87
"""Bearing to which the fingers go while they press, and the most that they lean for it."""
SQUARE = math.radians(18)
"""Most by which the faces may be turned from square to the fingers that press them: its tangent
is half the smallest friction, so that nothing slips."""
AWRY = math.radians(30)
"""Beyond it fingertips turn the cube square as they press."""
GAIN = 1.2
"""Of the cube's turn over that of the fingertips: they roll on its faces."""
OPEN_M = 0.054
"""Of an open fingertip along its finger's own line: clear of a cube that is turned."""
BELOW_TOP_M = 0.011
DEEP_M, NEAR_M = 0.0015, 0.002
LIFT_M, UP_RAD = 0.008, math.radians(76)
"""How far a cube is lifted beyond what its corners need to turn, and how far it is pushed round;
the palm does the rest."""
AWAY = (0.066, 0.0, 0.075, PITCH)
"""Place of a finger that is in nobody's way."""
ENOUGH_RAD, SHOVED_RAD = 0.03, 0.06
"""What may be left of a turn, and beyond what it is taken up again."""
SAMPLES = 4
CYCLES = 12


class Gait:
    """Turns a cube of edge `edge` m that lies on the palm about the vertical.

    Attributes:
        turned: rad since the start, signed, as tracked last.
    """

    def __init__(self, desk: Desk, edge: float) -> None:
        self.desk, self.fingers = desk, Fingers(desk)
        self.edge, self.turned = edge, 0.0
        self._height = edge - BELOW_TOP_M
        aside = (self._height - PLAN.height) * math.tan(LEANING)
        widest = (edge / 2 + PLAN.thickness) / math.cos(AWRY) + NEAR_M
        self.farthest = min(FARTHEST, math.asin(min(1.0, aside / widest)))
        self._first = self._yaw = tracked_yaw(desk)
        self._held: float | None = None  # bearing at which the cube is held

    def turn(self, wanted: float) -> Moves:
        """Until the cube has been turned by `wanted` rad from the start; it then is held."""
        for _ in range(CYCLES):
            yield from self._look()
            left = wanted - self.turned
            if self._held is None:
                first, last = sweep(self._first + self.turned, left, self.farthest)
                yield from self.close(first)
                yield from self._press()
            elif abs(left) <= ENOUGH_RAD:
                return  # as it is, between fingertips that stand round it
            elif abs(self._held + left / GAIN) <= self.farthest:
                last = self._held + left / GAIN
                yield from self._press()
            else:
                yield from self.open()
                continue
            yield from self._sweep(last)

    def keep(self, wanted: float) -> Moves:
        """For ever: what is shoved is turned back."""
        yield from self.turn(wanted)
        while True:
            yield from self._look()
            if abs(wanted - self.turned) > SHOVED_RAD:
                yield from self.turn(wanted)

    def close(self, bearing: float) -> Moves:
        """Stand round the cube at `bearing`, so near that it cannot get away."""
        yield from self._watched(self.fingers.go(self._open(bearing), 0.35))
        yield from self._slide(self._touch(bearing) + NEAR_M, bearing, 0.2)
        self._held = bearing

    def centre(self) -> Moves:
        """Squeeze a cube that lies square to the fingers into the middle."""
        touch = self.edge / 2 + PLAN.thickness
        yield from self.fingers.go(self._all(OPEN_M, 0.0), 0.35)
        for radius in (touch + NEAR_M, touch - DEEP_M, touch + NEAR_M):
            yield from self.fingers.slide(self._all(radius, 0.0), 0.2)

    def _press(self) -> Moves:
        held = self._held or 0.0
        yield from self._slide(self._touch(held) - DEEP_M, held, 0.15)

    def open(self) -> Moves:
        """Let go of it."""
        bearing, self._held = self._held or 0.0, None
        yield from self._watched(self.fingers.go(self._open(bearing), 0.2))

    def _sweep(self, last: float) -> Moves:
        way = abs(last - (self._held or 0.0))
        yield from self._slide(self.fingers.places[0, 0], last, 0.2 + way / 2.0)
        self._held = last
        yield from self._slide(self._touch(last) + NEAR_M, last, 0.15)

    def _touch(self, bearing: float) -> float:
        """Radius at which fingertips at `bearing` touch the cube's faces, m."""
        off = nearest(self._first + self.turned - bearing, QUARTER)
        return (self.edge / 2 + PLAN.thickness) / math.cos(min(abs(off), AWRY))

    def _slide(self, radius: float, bearing: float, seconds: float) -> Moves:
        yield from self._watched(self.fingers.slide(self._all(radius, bearing), seconds))

    def _open(self, bearing: float) -> FloatArray:
        """Drawn back along each finger's own line from where it presses."""
        aside = self._touch(bearing) * math.sin(bearing)
        return self._all(math.hypot(OPEN_M, aside), math.atan2(aside, OPEN_M))

    def _all(self, radius: float, bearing: float) -> FloatArray:
        return np.tile([radius, bearing, self._height, PITCH], (PLAN.fingers, 1))

    def _watched(self, moves: Moves) -> Moves:
        """`moves`, counting how far the cube turns."""
        for _ in moves:
            yaw = tracked_yaw(self.desk)
            self.turned += nearest(yaw - self._yaw, 2 * math.pi)
            self._yaw = yaw
            yield

    def _look(self) -> Moves:
        """Wait for the tracker, and take the mean of what it says."""
        yield from self._watched(self.desk.wait(0.08))
        seen = []
        for _ in range(SAMPLES):
            yield from self._watched(self.desk.wait(0.035))
            seen.append(self.turned)
        self.turned = float(np.mean(seen))
        self._yaw = self._first + self.turned


def sweep(yaw: float, left: float, farthest: float) -> tuple[float, float]:
    """Bearings from which and to which a cube at `yaw` is turned best, with `left` rad to go:
    as far as the fingers reach (`farthest`), from where they press its faces square enough."""
    firsts = np.linspace(-farthest, farthest, 85)
    lasts = np.clip(firsts + left / GAIN, -farthest, farthest)
    off = _off(yaw - firsts)
    turned = GAIN * (lasts - firsts)
    off = np.maximum(off, _off(yaw + turned - lasts))
    cost = np.abs(left - turned) + 0.3 * off
    cost[off > SQUARE] = np.inf
    best = int(np.argmin(cost))
    return float(firsts[best]), float(lasts[best])


def _off(angles: FloatArray) -> FloatArray:
    return np.abs(angles - QUARTER * np.round(angles / QUARTER))


def face_up(desk: Desk, edge: float) -> Moves:
    """Bring the face that looks along the cube's own x up: turn it square to the fingers, pinch
    it with the two beside that face, lift it, push the upper part of the face away with the
    finger before it, so that the cube turns between the two, and put it down."""
    gait = Gait(desk, edge)
    yaw = tracked_yaw(desk)
    yield from gait.turn(-nearest(yaw, QUARTER))
    yield from gait.open()
    yield from gait.centre()
    front = round((yaw + gait.turned) / QUARTER) % PLAN.fingers
    yield from _tilt(gait.fingers, edge, front)
    yield from gait.centre()


def _tilt(fingers: Fingers, edge: float, front: int) -> Moves:
    """The quarter turn itself, of a cube that all fingers stand round; finger `front` pushes."""
    half, lifted = edge / 2 + PLAN.thickness, 0.75 * edge + LIFT_M
    beside, across = [(front + 1) % 4, (front + 3) % 4], [front, (front + 2) % 4]
    places = fingers.places.copy()
    places[across] = AWAY
    yield from fingers.slide(places, 0.4)
    places[beside] = [half - DEEP_M, 0.0, edge / 2, PITCH]
    yield from fingers.slide(places, 0.3)
    places[beside, 2] = lifted
    yield from fingers.slide(places, 0.5)
    for angle in np.linspace(0.0, UP_RAD, 9):
        places[front] = _before_face(half - 0.001, 0.28 * edge, lifted, angle)
        if angle == 0:
            near = places.copy()
            near[front, 0] += 0.012
            yield from fingers.slide(near, 0.3)
        yield from fingers.slide(places, 0.12)
    # the pushing finger goes down with the cube
    places[beside, 2] = edge / 2 + 0.002
    places[front, 2] -= lifted - edge / 2
    yield from fingers.slide(places, 0.5)
    places[beside, 0] = OPEN_M
    places[front] = [0.03, 0.0, 0.088, 1.4]
    yield from fingers.slide(places, 0.4)
    places[front] = AWAY
    yield from fingers.slide(places, 0.4)


def _before_face(reach: float, along: float, height: float, angle: float) -> list[float]:
    """Place of a fingertip before a face that has been turned up by `angle` about a line
    `height` over the palm: `reach` from that line, and `along` the face from its middle."""
    radius = reach * math.cos(angle) - along * math.sin(angle)
    rise = reach * math.sin(angle) + along * math.cos(angle)
    return [radius, 0.0, height + rise, PITCH - 0.5 * angle]


def tracked_yaw(desk: Desk) -> float:
    """Of the cube, rad."""
    return float(yaw_of(desk.view.tracked["cube"][None, 3:])[0])


def nearest(angle: float, period: float) -> float:
    """`angle` less whole periods, nearest to 0."""
    return angle - period * round(angle / period)
