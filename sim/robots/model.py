"""What a robot is to the plant: a body, the motors that a device drives, and its tools.

Plain data, generated from a robot's parameter table; nothing here knows PyBullet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.kinematics import Chain, Placement
from sim.robots.urdf import Body


@dataclass(frozen=True, slots=True)
class Motor:
    """A joint as its device has it: what a driver reads and commands, in rad.

    `moves` are the body's joints that it moves, each with its ratio: rad (or m, where that
    joint slides) of the joint for a rad of the motor. A parallel gripper is one motor that
    moves two sliding fingers, as its pinion does.

    Attributes:
        lower, upper: range, rad.
        torque: most that it gives at its output, N·m.
        speed: without load, rad/s.
        lag_s: time constant with which it follows its set-point, s.
        friction: torque that holds it while it is not energised, N·m.
        stiffness: N·m/rad of a hobby servo, whose torque is proportional to its error; None
            for a drive that follows its set-point with all its torque.
    """

    name: str
    moves: tuple[tuple[str, float], ...]
    lower: float
    upper: float
    torque: float
    speed: float
    lag_s: float = 0.01
    friction: float = 0.1
    stiffness: float | None = None


@dataclass(frozen=True, slots=True)
class Gear:
    """Two joints that one motor moves and that its gears tie together: joint `second` is
    always at `ratio` times joint `first`, whatever loads them."""

    first: str
    second: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Tool:
    """A point that is brought somewhere: the chain from the robot's base to it, whose joints
    are `motors` in order (each moves the one joint of its name, with ratio 1).

    Attributes:
        links: the body's links that the chain's joints carry, for gravity and contact.
        link: the body's link that the tool is fixed to; empty where the chain is all there is.
        placed: where the tool is in that link's frame.
    """

    chain: Chain
    motors: tuple[str, ...]
    links: tuple[str, ...] = ()
    link: str = ""
    placed: Placement = field(default_factory=Placement)


@dataclass(frozen=True, slots=True)
class Tip:
    """The pad of a fingertip: on which link, and where in its frame. The pad's z points out of
    it, the origin is in its middle (see `sim.sensing.tactile`)."""

    link: str
    placed: Placement


@dataclass(frozen=True, slots=True)
class Robot:
    """One robot, standing at its own origin.

    Attributes:
        home: position of each motor at rest, clear of the table, rad.
        tools: by name; the first is the one that tasks mean unless they say.
        tips: by name of the fingertip, where its tactile pad is.
        wrist: joint behind which force and torque are sensed; empty where there is none.
        self_collision: whether its own links collide with each other (fingers of a hand).
        grip_friction: Coulomb coefficient of its fingertips against a material of 1.
        grip_links: links with that friction; all others have 0.5.
        grip_stiffness: of their pads at one contact point, N/m; 0 where they do not give. A pad
            that gives spreads its pressure over a face; between rigid faces the solver may
            press one corner and not the other.
        grip_damping: of their pads at one contact point, N s/m.
    """

    name: str
    body: Body
    motors: tuple[Motor, ...]
    home: FloatArray
    tools: Mapping[str, Tool]
    tips: Mapping[str, Tip] = field(default_factory=dict)
    wrist: str = ""
    self_collision: bool = False
    grip_friction: float = 1.0
    grip_links: tuple[str, ...] = ()
    grip_stiffness: float = 0.0
    grip_damping: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(motor.name for motor in self.motors)

    @property
    def gears(self) -> tuple[Gear, ...]:
        """What ties the joints of motors that move several; each to the motor's first."""
        return tuple(
            Gear(motor.moves[0][0], joint, ratio / motor.moves[0][1])
            for motor in self.motors
            for joint, ratio in motor.moves[1:]
        )

    @property
    def lower(self) -> FloatArray:
        return np.array([motor.lower for motor in self.motors])

    @property
    def upper(self) -> FloatArray:
        return np.array([motor.upper for motor in self.motors])

    def places(self, names: Sequence[str]) -> list[int]:
        """Where motors stand in a vector of all. Errors: HarnessError for a name it lacks."""
        unknown = sorted(set(names) - set(self.names))
        if unknown:
            raise HarnessError(
                f"robot {self.name!r} has no motor {', '.join(unknown)}",
                f"it has {', '.join(self.names)}",
            )
        return [self.names.index(name) for name in names]
