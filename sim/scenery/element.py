"""What one element of a scene promises the plant.

A scene is data, as a task's draw has it: `"elements": [{"kind": "body", "name": "cube", ...}]`.
Each kind is one module of this package; `sim.scenery.kinds` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.scenery.cavity import Inside
from sim.world import Placed, World


class Element(Protocol):
    """One thing, mechanism or stuff in the scene, built when the scene is arranged."""

    @property
    def solids(self) -> Sequence[Placed]:
        """Bodies in which no robot may stand when the scene is arranged."""
        ...

    def poses(self) -> Mapping[str, FloatArray]:
        """True poses of what a tracker could follow, by name: x, y, z in m, then as the element
        says (a quaternion x, y, z, w, or a yaw)."""
        ...

    def witness(self) -> Mapping[str, float]:
        """What is true now, or happened since the last call, by column. Errors: HarnessError
        where the physics has blown up."""
        ...

    def show(self) -> None:
        """Colour it by its state, for a picture."""
        ...


@runtime_checkable
class Hideable(Protocol):
    """An element that other bodies can hide from a camera."""

    def hidden(self, eye: tuple[float, float, float]) -> float:
        """Fraction, 0..1, of it that is not seen from `eye`, m."""
        ...


@runtime_checkable
class Acting(Protocol):
    """An element that pushes or moves something: called before every step."""

    def before_step(self) -> None: ...


@runtime_checkable
class Watching(Protocol):
    """An element that must not miss a step: called after every one."""

    def after_step(self) -> None: ...


@dataclass(slots=True)
class Stage:
    """The world while a scene is built in it.

    Attributes:
        robots: the robots' bodies, in the plant's order.
        things: bodies placed so far by the name that the scene gives them; an element may refer
            to those before it.
        seconds: plant time since the scene was arranged.
        insides: of the vessels placed so far, by name.
    """

    world: World
    robots: Sequence[Placed]
    seconds: Callable[[], float]
    things: dict[str, Placed] = field(default_factory=dict)
    insides: dict[str, Inside] = field(default_factory=dict)

    def thing(self, name: str, of: str) -> Placed:
        """The body called `name`, to which element `of` refers. Errors: BadInput."""
        if name not in self.things:
            raise BadInput(
                f"element {of!r} of the scene refers to {name!r}, which is not there",
                f"there are, in the order of the scene: {', '.join(self.things) or 'none'}",
            )
        return self.things[name]

    def claim(self, name: str, placed: Placed) -> None:
        """Give a body its name in the scene. Errors: BadInput where it is taken."""
        if name in self.things:
            raise BadInput(
                f"two elements of the scene are called {name!r}", "give each its own name"
            )
        self.things[name] = placed


class Robots:
    """Which robot touches a body, and how hard; for elements that bear witness of it."""

    def __init__(self, stage: Stage, placed: Placed) -> None:
        self._stage, self._placed = stage, placed

    def force(self) -> float:
        """Sum over the contact points with robots now of the size of normal and friction force
        together, N: an upper bound of the resultant."""
        return sum(self.by_link().values())

    def by_link(self) -> dict[int, float]:
        """The same by the body's link index; links that nobody touches are left out."""
        found: dict[int, float] = {}
        for robot in self._stage.robots:
            forces = self._stage.world.contact_forces(robot, self._placed)
            if not found:
                found = forces
                continue
            for link, size in forces.items():
                found[link] = found.get(link, 0.0) + size
        return found
