"""A tool that a robot carries, as scenery sees it: one link, whose frame is at its working end.

For elements that meet a tool by forces of their own instead of as rigid bodies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.scenery.element import Stage
from sim.world import Placed, World


@dataclass(frozen=True, slots=True)
class End:
    """The working end in the world: place (3,) in m, axes (3, 3) as columns, velocity (3,) in
    m/s."""

    at: FloatArray
    axes: FloatArray
    speed: FloatArray


@dataclass(frozen=True, slots=True)
class Carried:
    """Link number `link` of `robot`."""

    world: World
    robot: Placed
    link: int

    def end(self) -> End:
        """Where the end is now, and how fast it moves. PyBullet tells the speed of the link's
        centre of mass."""
        bullet = self.world.bullet
        state = bullet.getLinkState(
            self.robot.uid, self.link, computeLinkVelocity=1, physicsClientId=self.world.client
        )
        at = np.array(state[4])
        axes = np.array(bullet.getMatrixFromQuaternion(state[5])).reshape(3, 3)
        turning, arm = state[7], at - state[0]
        across = (
            turning[1] * arm[2] - turning[2] * arm[1],
            turning[2] * arm[0] - turning[0] * arm[2],
            turning[0] * arm[1] - turning[1] * arm[0],
        )
        return End(at, axes, np.asarray(state[6]) + across)

    def push(self, force: FloatArray, at: FloatArray) -> None:
        """Let `force` (3,), N, act at `at` (3,), m, both in the world, in the next step."""
        bullet = self.world.bullet
        bullet.applyExternalForce(
            self.robot.uid,
            self.link,
            force.tolist(),
            at.tolist(),
            bullet.WORLD_FRAME,
            physicsClientId=self.world.client,
        )

    def twist(self, torque: float, at: FloatArray, axes: FloatArray) -> None:
        """Let `torque`, N·m, act about the third of `axes` (3, 3) through `at` in the next step:
        a couple of two forces, whose frame leaves no doubt."""
        arm = 0.01
        for sign in (1.0, -1.0):
            self.push(sign * torque / (2 * arm) * axes[:, 1], at + sign * arm * axes[:, 0])


def carried(stage: Stage, link: str, of: str) -> Carried:
    """The tool whose link is called `link`. Errors: BadInput, naming element `of`, where no robot
    has it."""
    for robot in stage.robots:
        if link in robot.links:
            return Carried(stage.world, robot, robot.links[link])
    raise BadInput(
        f"element {of!r} of the scene is worked on by link {link!r}, which no robot here has",
        "use a rig whose plant has a robot with that tool",
    )
