"""Set-point generator of a position servo: limited speed and acceleration.

The same generator stands behind the simulated arm and behind the emulated servos of the
twin, so that a policy meets the same motion on both.
"""

from __future__ import annotations

import math


class MotionProfile:
    """Moves a set-point towards a goal, at most `speed` rad/s and `acceleration` rad/s^2.

    The braking law is constant deceleration a over the way that remains *after* this step,
    v^2 <= 2 a (e - v dt), that is v <= sqrt((a dt)^2 + 2 a e) - a dt. Looking one step ahead,
    it never needs more deceleration than it has, and so does not overshoot.
    """

    def __init__(self, position: float) -> None:
        self.position = position
        self.velocity = 0.0

    def restart(self, position: float) -> None:
        """Stand still at `position` (rad), as a servo does when torque is enabled."""
        self.position = position
        self.velocity = 0.0

    def step(self, goal: float, speed: float, acceleration: float, dt: float) -> float:
        """Advance by `dt` seconds and return the new set-point in rad.

        `speed` and `acceleration` must be > 0; infinity means "not limited".
        """
        error = goal - self.position
        if math.isinf(acceleration):
            self.velocity = math.copysign(min(speed, abs(error) / dt), error)
        else:
            change = acceleration * dt
            braking = math.sqrt(change**2 + 2 * acceleration * abs(error)) - change
            wanted = math.copysign(min(speed, braking), error)
            self.velocity += min(max(wanted - self.velocity, -change), change)
        self.position += self.velocity * dt
        return self.position
