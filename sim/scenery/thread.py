"""A screw in a threaded hole as a mechanism of one angle, and what turning it takes.

`angle` is how far the screw has been turned in since it was set into the hole's mouth, rad. It
turns freely until the starts of its thread and of the hole's meet, at `start_rad`, and from there
on travels `pitch` a turn. Turning it takes

    free_nm before the thread has started, run_nm while it runs down,
    run_nm + torque_nm (angle - seat) / joint_rad once its head is seated,

the torque-angle diagram of a linear joint: `joint_rad` from snug to the torque that is asked for
is what ISO 5393 tells hard joints (30 degrees) from soft ones (a turn and more) by. It stays where
it is left, and takes `LOOSEN` of the same to turn it back.

The start goes wrong, and the thread is crossed for good, where the screw leans by more than
`cross_rad` or is pressed by more than `cross_n` when the starts meet; pressed by less than
`start_n`, it does not catch, and they meet again a turn later. A leaning screw is half a pitch off
across its diameter d at atan(pitch / 2 d), where a flank may meet the wrong one: an assumption
from geometry, as the limits of force are. A crossed screw jams: `JAM` times the torque asked for
within a turn.

Inertia is left out: a screw of 10 g has none against a spindle's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LOOSEN = 0.8
JAM = 2.0

_TURN = 2 * math.pi
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Threads:
    """SI units and rad. `free_m` is the travel from where the thread starts to the seat."""

    pitch: float
    free_m: float
    start_rad: float
    torque_nm: float
    joint_rad: float
    run_nm: float
    free_nm: float
    start_n: float
    cross_n: float
    cross_rad: float


class Thread:
    """One screw.

    Attributes:
        angle: rad, clockwise since it was set in.
        begun: angle at which the thread started; None before, and after it was turned out.
        crossed: whether the thread was ever started askew.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self.angle = 0.0
        self.begun: float | None = None
        self.crossed = False
        self._meets = threads.start_rad

    @property
    def turned(self) -> float:
        """rad since the thread started."""
        return 0.0 if self.begun is None else self.angle - self.begun

    @property
    def travel(self) -> float:
        """m by which it has gone down."""
        return self._threads.pitch * self.turned / _TURN

    @property
    def past_seat(self) -> float:
        """rad beyond the angle at which its head is seated; negative before."""
        return self.turned - _TURN * self._threads.free_m / self._threads.pitch

    @property
    def tight_nm(self) -> float:
        """Torque to which it is tightened now, 0 where it is not seated."""
        return self._resistance(self.angle) if not self.crossed and self.past_seat > 0 else 0.0

    def turn(self, wound: float, stiffness: float, press: float, lean: float) -> float:
        """Let a bit that is `wound` rad ahead of the screw (negative: behind), and as stiff as
        `stiffness` N·m/rad, turn it as far as it yields, pressed on by `press` N and leaning by
        `lean` rad. Returns the torque that remains between them, N·m, positive where the bit
        drives the screw in."""
        if wound > 0 and stiffness * wound > self._resistance(self.angle):
            step = self._yields(wound, stiffness)
            self._advance(step, press, lean)
            return stiffness * (wound - step)
        back = self._back_resistance()
        if wound < 0 and -stiffness * wound > back:
            step = -wound - back / stiffness
            self.angle -= step
            if self.begun is not None and self.angle < self.begun:
                self.begun, self._meets = None, self.angle + _TURN
            return -back
        return stiffness * wound

    def _yields(self, wound: float, stiffness: float) -> float:
        """How far it turns until it resists with what is left of the winding: the root of a
        falling function, by halving."""
        low, high = 0.0, wound
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if stiffness * (wound - middle) > self._resistance(self.angle + middle):
                low = middle
            else:
                high = middle
        return low

    def _advance(self, step: float, press: float, lean: float) -> None:
        threads = self._threads
        self.angle += step
        if self.begun is not None or self.angle < self._meets:
            return
        if press < threads.start_n:
            self._meets += _TURN
            return
        self.begun = self._meets
        if press > threads.cross_n or lean > threads.cross_rad:
            self.crossed = True

    def _resistance(self, angle: float) -> float:
        threads = self._threads
        if self.begun is None:
            return threads.free_nm
        turned = angle - self.begun
        if self.crossed:
            return threads.run_nm + JAM * threads.torque_nm * max(0.0, turned) / _TURN
        past = turned - _TURN * threads.free_m / threads.pitch
        return threads.run_nm + threads.torque_nm * max(0.0, past) / threads.joint_rad

    def _back_resistance(self) -> float:
        return LOOSEN * self._resistance(self.angle)
