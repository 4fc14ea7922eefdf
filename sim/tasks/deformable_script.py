"""Expert of the archetype deformable: lay a cable round a peg and into clips with one hand.

It takes the cable behind what the route needs of it, draws it taut along the first leg, so that
it drops into the clips there when the hand comes down, leads it round the peg, still taut, and
comes down behind the last clip. What it feels at the wrist keeps it taut and never more.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from hil.contracts import FloatArray
from hil.kinematics import rotation
from hil.task import Draw
from sim.robots.gripper import angle_for
from sim.robots.model import Robot
from sim.tasks.deformable_route import Route
from sim.tasks.kit.draws import number
from sim.tasks.kit.frames import Frame
from sim.tasks.kit.poses import turned_down, yaw_of
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.wrist import Wrist

GRIP_M = 0.0125
"""Height of the tool at which the fingers reach nearly to the table."""
LIFT_M, SWING_M, CARRY_M = 0.08, 0.20, 0.085
TAUT_N, SLACK_N = 3.0, 0.3
GIVE_M_S_N, FASTEST_M_S = 0.002, 0.008
"""How fast the hand moves along the cable for each newton that it is too slack or too taut. A
moving hand feels itself, some newtons at a few centimetres a second, so it feels slowly."""
LOWER_M_S, SWEEP_M_S = 0.08, 0.12
WIDE_M = 0.07
"""Opening at which the cable is let go: bent as it is, it springs aside, and a finger that it
leans on would lift it out of its clips."""
TARE_S = 0.15
SHORT_M = 0.006
"""By how much less than the cable's length is reached for at first."""


class Lead:
    """A hand that leads the taut cable.

    Attributes:
        turned: by how much round the peg, rad; negative: what the line from the anchor lacks of
            the first leg.
        height: of the hand, m.
        length: of the taut cable from the anchor to the hand, as far as it has been felt, m.
    """

    def __init__(self, hand: Hand, wrist: Wrist, route: Route, frame: Frame, length: float) -> None:
        self.hand, self._wrist, self._route, self._frame = hand, wrist, route, frame
        self.turned, self.height, self.length = 0.0, LIFT_M, length

    def place(self) -> tuple[FloatArray, FloatArray]:
        """Position (3,) and axes (3, 3) of the tool."""
        level, way = self._level(), self._route.way(self.turned)
        flat = level * way
        if self.turned > 0:
            free = level - self._route.leg - self._route.bend * self.turned
            flat = self._route.leaves(self.turned) + free * way
        yaw = math.atan2(self._frame.axes[1, 0], self._frame.axes[0, 0])
        axes = turned_down(yaw + self._route.side * self.turned)
        return self._frame.place([*flat, self.height]), axes

    def pull(self) -> float:
        """Tension that is felt, N."""
        way = self._frame.axes @ np.array([*self._route.way(self.turned), 0.0])
        return -float(self._wrist.force() @ way)

    def tauten(self, tension: float, seconds: float) -> Moves:
        """Draw or give way for so long, to come to a tension in N."""
        end_s = self.hand.desk.view.elapsed_s + seconds
        while self.hand.desk.view.elapsed_s < end_s:
            speed = GIVE_M_S_N * (tension - self.pull())
            self.length += max(-FASTEST_M_S, min(FASTEST_M_S, speed)) * self.hand.desk.tick_s
            self.hand.aim(*self.place())
            yield

    def lower(self, height: float) -> Moves:
        """Come down, or up, to `height`, with the cable taut."""
        way = height - self.height
        yield from self._over(abs(way) / LOWER_M_S, way, 0.0)

    def sweep(self, turned: float) -> Moves:
        """Turn about the anchor up to 0, about the peg beyond."""
        more = turned - self.turned
        arm = self.length - (self._route.leg if turned > 0 else 0.0)
        yield from self._over(abs(more) * arm / SWEEP_M_S, 0.0, more)

    def _level(self) -> float:
        """Length of the cable's course seen from above."""
        return math.sqrt(self.length**2 - (self.height - GRIP_M) ** 2)

    def _over(self, seconds: float, up: float, turn: float) -> Moves:
        height, turned, passed_s = self.height, self.turned, 0.0
        while passed_s < seconds:
            passed_s += self.hand.desk.tick_s or 1e-3
            part = 0.5 - 0.5 * math.cos(math.pi * min(1.0, passed_s / seconds))
            self.turned, self.height = turned + part * turn, height + part * up
            self.hand.aim(*self.place())
            yield


def script(draw: Draw, robot: Robot) -> Script:
    """The expert's moves, given the route and the sizes of a draw."""
    route, segment = Route.of(draw), number(draw, "segment_m")
    node, diameter = int(number(draw, "grip_node")), 2 * route.cable_radius

    def play(desk: Desk) -> Moves:
        hand, wrist = Hand(desk, robot), Wrist(desk, Hand(desk, robot, tool="flange"))
        yield from hand.grip(angle_for(diameter + 0.03), 0.2)
        board = yield from desk.measured("clips")
        yaw = float(yaw_of(board[None, 3:])[0])
        frame = Frame(rotation((0.0, 0.0, yaw)), np.array([*board[:2], 0.0]))
        at, axes = yield from _gripped(desk, node, yaw)
        yield from hand.reach([*at, LIFT_M], axes, 0.35, near=0.02)
        yield from wrist.tare(TARE_S)
        at, axes = yield from _gripped(desk, node, yaw)
        yield from hand.reach([*at, GRIP_M], axes, 0.2, near=0.002)
        yield from hand.grip(angle_for(diameter - 0.006), 0.4)
        lead = Lead(hand, wrist, route, frame, (node + 0.5) * segment - SHORT_M)
        local = frame.axes.T @ (np.array([*at, 0.0]) - frame.origin)
        lead.turned, lead.height = route.side * math.atan2(local[1], local[0]), SWING_M
        yield from hand.reach(*lead.place(), 0.25, near=0.02)
        yield from lead.tauten(TAUT_N, 0.5)
        yield from lead.sweep(0.0)
        yield from lead.tauten(TAUT_N, 1.0)
        yield from lead.lower(CARRY_M)
        yield from lead.sweep(route.corner)
        yield from lead.tauten(TAUT_N, 0.8)
        yield from lead.lower(GRIP_M)
        yield from lead.tauten(TAUT_N, 0.5)
        yield from lead.tauten(SLACK_N, 1.0)
        yield from hand.grip(angle_for(WIDE_M), 1.0)
        yield from lead.lower(LIFT_M)

    return play


def _gripped(
    desk: Desk, node: int, yaw: float
) -> Generator[None, None, tuple[FloatArray, FloatArray]]:
    """Where (2,) the segment behind `node` lies, and axes (3, 3) of a tool across it, turned to
    the side that is nearer to the board's first leg, whose yaw is given."""
    names = [f"cable.n{name}" for name in range(node - 1, node + 3)]
    yield from desk.wait(0.1)  # a tracker is late
    looks, end_s = [], desk.view.elapsed_s + 0.3
    while desk.view.elapsed_s < end_s:
        looks.append([desk.view.tracked[name] for name in names])
        yield
    found = np.mean(looks, axis=0)
    way = found[3] - found[0]
    heading = math.atan2(way[1], way[0])
    heading -= 2 * math.pi * round((heading - yaw) / (2 * math.pi))
    middle = (found[1] + found[2]) / 2
    return middle[:2], turned_down(heading)
