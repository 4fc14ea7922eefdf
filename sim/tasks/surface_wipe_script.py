"""Expert of the archetype surface-wipe: go where the tracker says, press as the wrist feels.

Across the surface the pad follows lanes over the boxes of the marks. Along the normal it moves
with a speed proportional to what is missing to the wanted force, and it leans with a rate
proportional to the moment about its face's middle, so that it comes to lie flat: admittance
control in three of six directions, position control in the others.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.robots import wiper
from sim.robots.kinematics import tool_pose
from sim.robots.model import Robot
from sim.scenery.skin import Skin
from sim.tasks.kit.frames import Frame
from sim.tasks.kit.poses import DOWN, from_vector
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.wrist import Felt

OVERLAP_M = 0.012
"""By which lanes reach over each other and over the edge of a mark."""
PATCH_M = 0.034
"""Width of a lane on a round surface, where the pad touches with its middle alone."""
HOVER_M, LIFT_M, AWAY_M = 0.03, 0.12, 0.14
"""Over the surface: where the pad slows down, where it travels, where it ends."""
WIPE_M_S, LIFT_M_S, TRAVEL_M_S = 0.08, 0.08, 0.30
ROUND_WIPE_M_S = 0.05
"""Across a ball the pad turns as it goes, and every new set-point jolts the tool a little, with a
force that grows with the speed. The wrist feels it with the contact: it has to stay small beside
a band of a few newtons.

Measured on a head at 0.08 and 0.05 m/s, six episodes: longest time outside of [1, 10] N 0.145 s
and 0.054 s, largest force 10.2 N and 9.7 N."""
LOWER_M_S_N = 0.0025
"""How fast the surface is looked for, for a newton that is wanted there: a sponge gives some
newtons for a millimetre, and a touch is known some hundredths of a second late."""
TOUCH_N, FELT_S, RAMP_S = 0.8, 0.01, 0.15
"""What is felt as touch, for how long, and how long it takes to reach the speed of lowering."""
SETTLE_S, MOST_SETTLE_S = 0.3, 2.0
SEARCH_M = 0.03
"""How far below where it is told the surface is looked for."""
MOST_M_S, MOST_RAD_S, MOST_LEAN_RAD = 0.06, 0.2, 0.15
"""Bounds of what the pad does by feeling."""
EASE_RAD_S = 0.2
LEAST_M = 0.0035
"""A box smaller than that is the tracker's noise round a mark that is gone."""
ROUNDS = 3
LOOK_S = 0.3
"""For how long corners are looked at: a mean has less noise than one."""


@dataclass(frozen=True, slots=True)
class Gains:
    """How fast the pad yields: m/s for a newton along the normal, rad/s for a newton metre. With
    none it goes where it was told, `pressed_m` into the surface, whatever it meets."""

    normal: float = 0.003
    lean: float = 0.5
    pressed_m: float = 0.0


class Wiper:
    """The pad over one surface.

    Attributes:
        across: where its middle is sent, (2,), m in the surface's frame.
        depth: by how much the face is sent behind where the surface is told, m.
    """

    def __init__(self, hand: Hand, felt: Felt, frame: Frame, skin: Skin, gains: Gains) -> None:
        self.hand, self.felt, self.frame, self.skin, self.gains = hand, felt, frame, skin, gains
        self.across: FloatArray = np.zeros(2)
        self.depth = -LIFT_M
        self._lean: FloatArray = np.zeros(3)
        self._rest: FloatArray = hand.desk.target[hand.places].copy()

    def travel(self, across: FloatArray, depth: float, speed: float) -> Moves:
        """To a place over the surface, without feeling."""
        self.across, self.depth = across, depth
        motion = self.hand.reach(*self._pose(), speed, near=0.003)
        for _ in motion:
            self._ease()
            yield

    def lower(self, wanted: float) -> Moves:
        """Down until something is felt, for long enough to be no jolt; gently at first, since
        the wrist feels the tool speed up."""
        gone_s = felt_s = 0.0
        while self.depth < SEARCH_M and felt_s < FELT_S and not self._blind():
            tick_s = self.hand.desk.tick_s
            gone_s += tick_s
            felt_s = felt_s + tick_s if self.pushed() > TOUCH_N else 0.0
            self.depth += LOWER_M_S_N * wanted * min(1.0, gone_s / RAMP_S) * tick_s
            self._aim()
            yield

    def lift(self) -> Moves:
        """Off at once, so that little time is spent between the band and nothing."""
        off = self.depth - HOVER_M
        while self.depth > off:
            self.depth -= LIFT_M_S * self.hand.desk.tick_s
            self._aim()
            yield

    def sweep(self, places: Sequence[FloatArray], wanted: float) -> Moves:
        """Along straight lines from place to place, pressing with `wanted` N; the first place is
        pressed on until the force is there."""
        yield from self._settle(wanted)
        speed = WIPE_M_S if self.skin.radius is None else ROUND_WIPE_M_S
        for goal in places:
            start = self.across
            seconds = max(0.1, float(np.linalg.norm(goal - start)) / speed * math.pi / 2)
            gone_s = 0.0
            while gone_s < seconds:
                gone_s += self.hand.desk.tick_s
                part = 0.5 - 0.5 * math.cos(math.pi * min(1.0, gone_s / seconds))
                self.across = start + part * (goal - start)
                yield from self._press(wanted)

    def pushed(self) -> float:
        """Normal force that is felt, N."""
        return float(self.felt.contact()[0] @ self._normal())

    def _settle(self, wanted: float) -> Moves:
        """Press until the force is there and the pad lies flat."""
        begun_s, there_s = self.hand.desk.view.elapsed_s, 0.0
        while there_s < SETTLE_S and self.hand.desk.view.elapsed_s - begun_s < MOST_SETTLE_S:
            there = abs(self.pushed() - wanted) < 0.2 * wanted
            there_s = there_s + self.hand.desk.tick_s if there else 0.0
            yield from self._press(wanted)

    def _press(self, wanted: float) -> Moves:
        """One tick."""
        force, moment = self.felt.contact()
        up, tick_s = self._normal(), self.hand.desk.tick_s
        if self._blind():
            self.depth = min(self.gains.pressed_m, self.depth + LOWER_M_S_N * wanted * tick_s)
        else:
            speed = self.gains.normal * (wanted - float(force @ up))
            self.depth += float(np.clip(speed, -MOST_M_S, MOST_M_S)) * tick_s
            rate = self.gains.lean * (moment - (moment @ up) * up)
            rate *= min(1.0, MOST_RAD_S / max(float(np.linalg.norm(rate)), 1e-9))
            lean = self._lean + rate * tick_s
            self._lean = lean * min(1.0, MOST_LEAN_RAD / max(float(np.linalg.norm(lean)), 1e-9))
        self._aim()
        yield

    def _aim(self) -> None:
        self._ease()
        self.hand.aim(*self._pose())

    def _ease(self) -> None:
        """Turn the elbow back to where the arm started, without moving the pad: I - J⁺J of what
        is missing. A seventh joint that nobody asks of drifts, and where the upper arm stands
        upright the first and the third joint turn about one axis, and race."""
        hand = self.hand
        here = hand.desk.target[hand.places]
        jacobian = tool_pose(hand.chain, here).jacobian
        back = self._rest - here
        back -= np.linalg.pinv(jacobian, rcond=0.02) @ (jacobian @ back)
        most = EASE_RAD_S * hand.desk.tick_s
        hand.desk.target[hand.places] += back * min(
            1.0, most / max(float(np.abs(back).max()), 1e-9)
        )

    def _blind(self) -> bool:
        return self.gains.normal == 0.0

    def _normal(self) -> FloatArray:
        return np.asarray(self.frame.axes @ self.skin.normals(self.across[None])[0])

    def _pose(self) -> tuple[FloatArray, FloatArray]:
        up = self.skin.normals(self.across[None])[0]
        at = self.skin.points(self.across[None])[0] - self.depth * up
        rolled = np.cross([0.0, 0.0, 1.0], up)
        size = float(np.linalg.norm(rolled))
        turn = rolled * (math.asin(min(1.0, size)) / size) if size > 1e-9 else np.zeros(3)
        axes = from_vector(self._lean) @ self.frame.turned(from_vector(turn) @ DOWN)
        return self.frame.place(at), axes


def script(draw: Draw, robot: Robot) -> Script:
    """The expert's moves, given what a draw has of sizes and the band."""
    return wiping(draw, robot, Gains())


def wiping(draw: Draw, robot: Robot, gains: Gains) -> Script:
    """The same with other gains."""
    radius = cast(float | None, draw["radius_m"])
    count = cast(int, draw["marks"])
    low, high = cast(tuple[float, float], draw["band_n"])
    wanted = low + 0.45 * (high - low)

    def play(desk: Desk) -> Moves:
        hand, felt = Hand(desk, robot), Felt(desk, robot)
        pose = yield from desk.measured("surface")
        wiper_ = Wiper(hand, felt, Frame.of(pose), Skin(radius), gains)
        yield from wiper_.travel(np.zeros(2), -LIFT_M, TRAVEL_M_S)
        for _ in range(ROUNDS):
            dirty = yield from _boxes(desk, count)
            for low_corner, high_corner in dirty:
                yield from _wipe(desk, wiper_, lanes(low_corner, high_corner, radius), wanted)
            if not dirty:
                break
        yield from wiper_.travel(wiper_.across, -AWAY_M, TRAVEL_M_S)

    return play


def _boxes(desk: Desk, count: int) -> Generator[None, None, list[tuple[FloatArray, FloatArray]]]:
    """Corners (2,) and (2,) of the boxes round what is left of the marks, m; without those of
    which nothing is."""
    yield from desk.wait(0.1)
    end_s, seen = desk.view.elapsed_s + LOOK_S, []
    while desk.view.elapsed_s < end_s:
        tracked = desk.view.tracked
        seen.append(
            [
                (tracked[f"surface.mark{k}.low"][:2], tracked[f"surface.mark{k}.high"][:2])
                for k in range(count)
            ]
        )
        yield
    boxes = np.mean(seen, axis=0)
    return [(low, high) for low, high in boxes if (high - low).max() > LEAST_M]


def _wipe(desk: Desk, wiper_: Wiper, places: Sequence[FloatArray], wanted: float) -> Moves:
    """One mark, from above and back."""
    yield from wiper_.travel(places[0], -LIFT_M, TRAVEL_M_S)
    yield from wiper_.travel(places[0], -HOVER_M, 0.15)
    yield from desk.wait(0.1)
    yield from wiper_.felt.tare()
    yield from wiper_.lower(wanted)
    yield from wiper_.sweep(places[1:], wanted)
    yield from wiper_.lift()
    yield from wiper_.travel(wiper_.across, -LIFT_M, TRAVEL_M_S)


def lanes(low: FloatArray, high: FloatArray, radius: float | None) -> list[FloatArray]:
    """Places (2,) of the pad's middle, to and fro along x, that cover the box from `low` to
    `high`, (2,) each, m, and back the same way."""
    long, wide = wiper.SIZE if radius is None else (PATCH_M, PATCH_M)
    middle, size = (low + high) / 2, high - low + OVERLAP_M
    count = max(1, math.ceil(size[1] / (wide - OVERLAP_M) - 1e-9))
    reach = max(0.01, (size[0] - long) / 2 + OVERLAP_M)
    across = (np.arange(count) - (count - 1) / 2) * size[1] / count
    places = []
    for number, y in enumerate(across.tolist()):
        way = (-reach, reach) if number % 2 == 0 else (reach, -reach)
        places += [middle + np.array([x, y]) for x in way]
    return places + places[-2::-1]
