"""How robots push a body: the resultant of all their contacts with each of its links."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim.world import Placed, World

Three = tuple[float, float, float]


@dataclass(slots=True)
class Push:
    """Resultant force on a link, N, and its moment about the world's origin, N·m."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    about_x: float = 0.0
    about_y: float = 0.0
    about_z: float = 0.0

    @property
    def size(self) -> float:
        """N."""
        return math.sqrt(self.x * self.x + self.y * self.y + self.z * self.z)

    def about(self, origin: Three, axis: Three) -> float:
        """Moment about a line through `origin` along the unit vector `axis`, N·m: that about
        the world's origin less o x F."""
        ox, oy, oz = origin
        x = self.about_x - (oy * self.z - oz * self.y)
        y = self.about_y - (oz * self.x - ox * self.z)
        z = self.about_z - (ox * self.y - oy * self.x)
        return x * axis[0] + y * axis[1] + z * axis[2]

    def add(self, x: float, y: float, z: float, at: Three) -> None:
        """Add the force of one contact at `at`, m."""
        px, py, pz = at
        self.x += x
        self.y += y
        self.z += z
        self.about_x += py * z - pz * y
        self.about_y += pz * x - px * z
        self.about_z += px * y - py * x


def pushes(world: World, robots: Sequence[Placed], placed: Placed) -> dict[int, Push]:
    """What robots do to each link of `placed` that they touch now, by link index.

    PyBullet gives for each contact the normal on the second body, towards the first, and two
    directions of friction, with the sizes of the forces on the first body along them.
    """
    found: dict[int, Push] = {}
    for robot in robots:
        for point in world.bullet.getContactPoints(
            bodyA=robot.uid, bodyB=placed.uid, physicsClientId=world.client
        ):
            (nx, ny, nz), normal = point[7], point[9]
            along, (ax, ay, az), across, (bx, by, bz) = point[10:14]
            found.setdefault(point[4], Push()).add(
                -(normal * nx + along * ax + across * bx),
                -(normal * ny + along * ay + across * by),
                -(normal * nz + along * az + across * bz),
                point[6],
            )
    return found
