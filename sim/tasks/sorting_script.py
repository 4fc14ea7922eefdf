"""The scripted expert of archetype sort: meet each thing where it will be, and carry it away.

It knows what a policy may: joints, noisy and late poses of things and bins, and what the code on
a thing says, its class (its name) and its size. The belt's speed it finds from how the things
that lie on it move.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.robots.gripper import FINGER_SPEED, RATIO, angle_for, opening_at
from sim.robots.kinematics import tool_pose
from sim.robots.model import Robot
from sim.tasks.kit.draws import number
from sim.tasks.kit.poses import turned_down
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.sorting_line import Line
from sim.tasks.sorting_things import (
    BELT_X_M,
    CLASSES,
    FINGER_M,
    LAST_M,
    LINE_M,
    MARGIN_M,
    TOP_M,
    bin_of,
)

SPEED_M_S, LIFT_M_S, TURN_RAD_S = 0.65, 0.4, 1.6
"""On the average of a way; at most 1.02 m/s on it, where the maker of such an arm allows 1.7."""
EARLY_S = 0.05
"""By how much sooner fingers begin to close than the hand is there."""
TIP_M = 0.011
"""From the middle of the pads to the ends of the fingers."""
PALM_M = 0.045
"""From the middle of the pads up to the housing."""
CLEAR_M = 0.015
"""Between what the hand holds, or its fingers, and what it passes over."""
HIGH_M = 0.1
"""Over where it travels, from where a hand that falls on a thing that moves would miss it."""
ELBOW_RAD_S = 0.4
"""At most, of the swing that does not move the tool."""
SQUEEZE_M, HOLD_S = 0.008, 0.05
"""By how much the fingers are told to close further than the thing allows, and for how long
they press before it is lifted."""
LEAD_S = 0.02
"""A command is as late: one tick, and the drives' lag."""
HURRY_S = 2.5
"""With less time for each it lets things drop from the rim."""
_SOONEST_S = 0.25
"""No way across takes less."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A way up, across and down, m: the three overlap, each starts and stops gently. Across
    begins when half of a rise is done, and has arrived before the fingers are at the thing."""

    up: float
    across: float
    down: float
    turn: float

    @property
    def up_s(self) -> float:
        return max(0.12, abs(self.up) / LIFT_M_S)

    @property
    def down_s(self) -> float:
        return max(0.18, abs(self.down) / LIFT_M_S)

    @property
    def across_s(self) -> float:
        return max(_SOONEST_S, self.across / SPEED_M_S, self.turn / TURN_RAD_S)

    @property
    def begin_s(self) -> float:
        return self.up_s / 2 if self.up > 0 else 0.0

    @property
    def whole_s(self) -> float:
        return max(self.up_s, self.begin_s + self.across_s + 0.6 * self.down_s)

    def part(self, passed_s: float) -> float:
        """Of the way across and of the turn, 0 to 1."""
        return _eased((passed_s - self.begin_s) / self.across_s)

    def rise(self, passed_s: float) -> float:
        """m over where it began."""
        lowered = _eased((passed_s - self.whole_s + self.down_s) / self.down_s)
        return self.up * _eased(passed_s / self.up_s) + self.down * lowered


class Sorter:
    """The hand at work on the things of one row."""

    def __init__(self, desk: Desk, robot: Robot, draw: Draw) -> None:
        tracker = cast(Mapping[str, float], draw["tracker"])
        sizes = cast(Mapping[str, list[float]], draw["sizes"])
        self._desk, self.hand = desk, Hand(desk, robot)
        self._sizes = {name: np.array(size) for name, size in sizes.items()}
        self._bin = np.array(cast(list[float], draw["bin_m"]))
        self.line = Line(list(sizes), tracker["delay_s"])
        self._fast = FINGER_SPEED / RATIO
        self._motor = robot.names.index("gripper")
        self._opening = float(robot.home[self._motor])
        self._in_bin = dict.fromkeys(CLASSES, 0)
        self._drops = number(draw, "time_limit_s") < HURRY_S

    def work(self) -> Moves:
        """All things, one after the other."""
        for _ in range(len(self._sizes)):
            name = self.line.first(self._now())
            if (yield from self._fetch(name)):
                yield from self._bring(name)
            else:
                self.line.take(name)
        above = np.array([BELT_X_M - 0.1, LINE_M + 0.1, TOP_M + 0.2])
        yield from self._sweep(lambda: above, 0.0, self._arc(above, 0.0, float(above[2])))

    def step(self) -> None:
        """Before each tick: note what the tracker says, and turn the fingers on."""
        self.line.look(self._desk.view)
        most = self._fast * self._desk.tick_s
        target = self._desk.target
        target[self._motor] += float(np.clip(self._opening - target[self._motor], -most, most))

    def _now(self) -> float:
        return self._desk.view.elapsed_s

    def _open_by(self) -> float:
        """m between the pads, as measured."""
        return opening_at(float(self._desk.view.joints.position[self._motor]))

    def _grip_height(self, name: str, z: float) -> float:
        """Of the pads' middle over the belt: the thing's middle, but the tips clear of the belt
        and the housing clear of the thing."""
        height = float(self._sizes[name][2])
        return max(z, TOP_M + TIP_M + 0.003, TOP_M + height - PALM_M + 0.01)

    def _fetch(self, name: str) -> Generator[None, None, bool]:
        """Wait until the thing can be met, go there and close; or let it go where it would be
        out of reach by then."""
        width = float(self._sizes[name][1])
        self._opening = angle_for(width + MARGIN_M)
        over = TOP_M + float(self._sizes[name][2]) + TIP_M + CLEAR_M
        arc = yield from self._wait_for(name, over)
        if self._where(name, arc.whole_s)[1] > LAST_M:
            return False
        yaw = float(self.line.at(name, self._now())[3])
        tight = angle_for(max(0.0, width - SQUEEZE_M))
        yield from self._sweep(lambda: self._where(name, LEAD_S), yaw, arc, close=tight)
        yield from self._close(name, yaw, width)
        return True

    def _close(self, name: str, yaw: float, width: float) -> Moves:
        """Press for a moment, moving with the thing."""
        late_s, closed = self._now() + 2 * MARGIN_M / (2 * FINGER_SPEED), 0.0
        while self._now() < late_s and closed < HOLD_S:
            closed += self._desk.tick_s if self._open_by() < width + 0.002 else 0.0
            self._aim(self._where(name, LEAD_S), yaw)
            yield

    def _where(self, name: str, ahead_s: float) -> FloatArray:
        """Where the pads have to be to grip it so far ahead."""
        x, y, z, _ = self.line.at(name, self._now() + ahead_s)
        return np.array([x, y, self._grip_height(name, float(z))])

    def _wait_for(self, name: str, over: float) -> Generator[None, None, Arc]:
        """Stand ready near the line until it would be behind it when the hand is there: the way
        there. From high above, as it starts, the hand comes down to be ready first."""
        ready = np.array([BELT_X_M, LINE_M + 0.05, over + 0.02])
        going: Moves | None = None
        if self.hand.where(measured=False)[0][2] > over + HIGH_M:
            yield from self._sweep(lambda: ready, 0.0, self._arc(ready, 0.0, float(ready[2])))
        while True:
            yaw = float(self.line.at(name, 0.0)[3])
            arc = self._arc(self._where(name, 0.4), yaw, over)
            if self._where(name, arc.whole_s)[1] >= LINE_M + 0.02:
                return arc
            if going is None:
                going = self._sweep(lambda: ready, yaw, self._arc(ready, yaw, float(ready[2])))
            next(going, None)
            yield

    def _bring(self, name: str) -> Moves:
        """Carry it over its bin, lower it as far as the hand may, and let go."""
        pose = self._desk.view.tracked[bin_of(name)]
        size, kind = self._sizes[name], name[0]
        held = self._grip_height(name, TOP_M + float(size[2]) / 2) - TOP_M
        speed, begun_s = self.line.speed(), self._now()
        self.line.take(name)
        start, _ = self.hand.where(measured=False)
        place = np.array([pose[0], pose[1] + self._aside(kind, size), self._low(pose, size, held)])
        over = TOP_M + held + CLEAR_M
        self._in_bin[kind] += 1

        def along() -> FloatArray:
            return np.asarray(start + np.array([0.0, speed * (self._now() - begun_s), 0.0]))

        yield from self._sweep(lambda: place, 0.0, self._arc(place, 0.0, over), along)
        width = float(size[1])
        self._opening = angle_for(width + MARGIN_M)
        self._desk.target[self._motor] = angle_for(width)
        yield from self._desk.until(lambda: self._open_by() > width + 0.006, 0.5)

    def _aside(self, kind: str, size: FloatArray) -> float:
        """Things of a class are laid side by side, as far as the bin is wide."""
        if len([name for name in self._sizes if name[0] == kind]) == 1:
            return 0.0
        room = max(0.0, float(self._bin[1]) / 2 - float(size[1]) / 2 - 0.015)
        return min(room, 0.04) * (-1.0 if self._in_bin[kind] % 2 == 0 else 1.0)

    def _low(self, pose: FloatArray, size: FloatArray, held: float) -> float:
        """Height of the pads at release: the thing just over the floor, but neither housing nor
        fingers on the rim."""
        rim = float(pose[2] + self._bin[2])
        wide = float(size[1]) + MARGIN_M + 2 * FINGER_M + 0.01
        lowest = float(pose[2]) + held + 0.004
        if self._drops or wide > self._bin[1]:
            return rim + TIP_M + 0.005
        return max(lowest, rim - PALM_M + 0.015)

    def _arc(self, goal: FloatArray, yaw: float, over: float) -> Arc:
        """From where the hand was sent to a goal, by way of the height `over`."""
        at, axes = self.hand.where(measured=False)
        turn = abs(yaw - math.atan2(float(axes[1, 0]), float(axes[0, 0])))
        way = float(np.linalg.norm(goal[:2] - at[:2]))
        return Arc(over - float(at[2]), way, float(goal[2]) - over, turn)

    def _aim(self, place: FloatArray, yaw: float) -> None:
        """Point down at `place`, and let the elbow swing back over the line from the shoulder to
        there: of the seven joints' turns there is one that does not move the tool, and over many
        ways it would add up."""
        self.hand.aim(place, turned_down(yaw))
        target, places = self._desk.target, self.hand.places
        pose = tool_pose(self.hand.chain, target[places])
        still = np.linalg.svd(pose.jacobian)[2][-1]
        most = ELBOW_RAD_S * self._desk.tick_s
        swing = -float(target[places[2]]) * float(still[2])
        target[places] += float(np.clip(swing, -most, most)) * still

    def _sweep(
        self,
        goal: Callable[[], FloatArray],
        yaw: float,
        arc: Arc,
        start: Callable[[], FloatArray] | None = None,
        close: float | None = None,
    ) -> Moves:
        """Along `arc` to a goal that may move, from where the hand is or from a `start` that
        moves too; the fingers begin to `close` just before the end. It takes longer where
        joints are too slow."""
        at, axes = self.hand.where(measured=False)
        turned = math.atan2(float(axes[1, 0]), float(axes[0, 0]))
        passed_s, pace = 0.0, 1.0
        while passed_s < arc.whole_s:
            passed_s += pace * (self._desk.tick_s or 1e-3)
            part = arc.part(passed_s)
            begin = at if start is None else start()
            here = begin + part * (goal() - begin)
            here[2] = begin[2] + arc.rise(passed_s)
            self._aim(here, turned + part * (yaw - turned))
            if close is not None and passed_s > arc.whole_s - EARLY_S:
                self._opening = close
            behind = float(np.linalg.norm(self.hand.where(measured=False)[0] - here))
            pace = float(np.clip(1.0 - (behind - 0.002) / 0.006, 0.0, 1.0))
            yield


def _eased(part: float) -> float:
    return 0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, part)))


def script(draw: Draw, robot: Robot) -> Script:
    """Of one episode."""

    def play(desk: Desk) -> Moves:
        sorter = Sorter(desk, robot, draw)
        sorter.step()
        for _ in sorter.work():
            sorter.step()
            yield

    return play
