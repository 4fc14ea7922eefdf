"""Simulated sensors on a robot: models of `sim.sensing`, fed by the plant, as devices."""

# A simulated device keeps the contracts' signatures but often needs no deadline.

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from hil.clock import NS_PER_US, Deadline, VirtualClock
from hil.config import validate
from hil.contracts import (
    Capability,
    Finding,
    Identity,
    SafeProof,
    SensorFacts,
    SensorSample,
)
from hil.errors import BadInput, DeadlineMissed
from sim.moving import Mounting, Watched
from sim.plant import Plant
from sim.sensing.defaults import load_defaults
from sim.sensing.imu import Imu
from sim.sensing.tactile import Pad
from sim.sensing.tracker import Tracker
from sim.sensing.wrench import Wrench
from sim.truth import PadTruth, WristTruth

M = TypeVar("M", bound=BaseModel)


class SensorParameters(BaseModel):
    """`parameters` of a simulated sensor: `robot` counts the plant's robots from 0, `read_us` is
    the declared time of one read, and `model` sets other figures than `sim/sensing`'s own."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    robot: int = Field(default=0, ge=0)
    read_us: int = Field(default=100, ge=0, le=100_000)
    model: dict[str, Any] = Field(default_factory=dict)


class TouchParameters(SensorParameters):
    """Of a `sim-touch`: the fingertip `tip` of the robot."""

    tip: str


class ImuParameters(SensorParameters):
    """Of a `sim-imu`: on which link of the robot (its first tool's unless given), `at` m and `rpy`
    rad in that link's frame."""

    link: str = ""
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rpy: tuple[float, float, float] = (0.0, 0.0, 0.0)


class TrackerParameters(SensorParameters):
    """Of a `sim-tracker`: the body of the scene that it follows, and the place of its camera in m;
    without an `eye` nothing hides the body."""

    thing: str
    eye: tuple[float, float, float] | None = None


class SimSensor:
    """`hil.contracts.Sensor` on a virtual clock. `make` gives a model and its feed for a new
    scene: model, and what takes one true sample at a stamp."""

    def __init__(
        self,
        role: str,
        plant: Plant,
        clock: VirtualClock,
        read_us: int,
        make: Callable[[int, int], tuple[Any, Callable[[int], object]]],
    ) -> None:
        self._role, self._plant, self._clock = role, plant, clock
        self._read_ns, self._make = read_us * NS_PER_US, make
        self._model, self._feed = make(0, clock.now_ns())
        self.capabilities = frozenset({Capability(self._model.facts.kind)})

    @property
    def role(self) -> str:
        return self._role

    @property
    def facts(self) -> SensorFacts:
        found: SensorFacts = self._model.facts
        return found

    @property
    def next_ns(self) -> int:
        """As `sim.plant.Probe` asks."""
        stamp_ns: int = self._model.channel.next_ns
        return stamp_ns

    def restart(self, seed: int, origin_ns: int) -> None:
        """A new scene: the sensor begins anew, with noise of its own."""
        self._model, self._feed = self._make(seed, origin_ns)

    def take(self, stamp_ns: int) -> None:
        """Sample what is true now."""
        self._feed(stamp_ns)

    def open(self, deadline: Deadline) -> None:
        """Sample from the next scene on."""
        self._plant.probe(self)

    def identity(self, deadline: Deadline) -> Identity:
        facts = self.facts
        return Identity(f"{facts.kind.value}, simulated", detail={"rate_hz": facts.rate_hz})

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        return [Finding("lockstep", True, "it is fed by the plant")]

    def ping(self, deadline: Deadline) -> None:
        """Nothing to reach: the plant is in this process."""

    def counters(self) -> Mapping[str, int]:
        found: Mapping[str, int] = self._model.channel.counters()
        return found

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """A sensor moves nothing."""
        now_ns = self._clock.now_ns()
        return SafeProof(self._role, True, "passive", {}, now_ns, now_ns)

    def close(self) -> None:
        """Nothing to release."""

    def sample(self, deadline: Deadline) -> SensorSample:
        """The newest values after the declared time of a read. Errors: DeadlineMissed where
        that does not fit."""
        if deadline.remaining_ns() < self._read_ns:
            raise DeadlineMissed(
                f"{self._role}: a read takes {self._read_ns} ns, more than is left"
            )
        self._clock.sleep_until(self._clock.now_ns() + self._read_ns)
        self._plant.advance_to(self._clock.now_ns())
        found: SensorSample = self._model.channel.newest(self._clock.now_ns())
        return found


def wrench(role: str, plant: Plant, clock: VirtualClock, asked: SensorParameters) -> SimSensor:
    """Force and torque at the wrist of a robot. Errors: BadInput for one without a wrist."""
    model = load_defaults().wrench
    figures = _with(model, asked, role)

    def make(seed: int, origin_ns: int) -> tuple[Wrench, Callable[[int], object]]:
        sensor = Wrench(role, figures, seed, origin_ns)
        truth = WristTruth(*plant.truth(asked.robot))
        return sensor, lambda stamp_ns: sensor.offer(stamp_ns, truth.read())

    return SimSensor(role, plant, clock, asked.read_us, make)


def touch(role: str, plant: Plant, clock: VirtualClock, asked: TouchParameters) -> SimSensor:
    """The taxels of one fingertip. Errors: BadInput for a tip that the robot does not have."""
    model = load_defaults().tactile
    figures = _with(model, asked, role)
    robot = plant.robots[asked.robot]
    if asked.tip not in robot.tips:
        raise BadInput(
            f"device {role!r}: robot {robot.name!r} has no fingertip {asked.tip!r}",
            f"it has {', '.join(robot.tips) or 'none'}",
        )
    tip = robot.tips[asked.tip]

    def make(seed: int, origin_ns: int) -> tuple[Pad, Callable[[int], object]]:
        sensor = Pad(role, figures, seed, origin_ns)
        world, _, placed = plant.truth(asked.robot)
        truth = PadTruth(world, placed, tip)
        return sensor, lambda stamp_ns: sensor.offer(stamp_ns, truth.read())

    return SimSensor(role, plant, clock, asked.read_us, make)


def imu(role: str, plant: Plant, clock: VirtualClock, asked: ImuParameters) -> SimSensor:
    """Specific force and angular rate on a robot. Errors: BadInput for a link it does not have."""
    figures = _with(load_defaults().imu, asked, role)
    robot = plant.robots[asked.robot]
    tool = next(iter(robot.tools.values()), None)
    link = asked.link or (tool.link if tool is not None else "")

    def make(seed: int, origin_ns: int) -> tuple[Imu, Callable[[int], object]]:
        sensor = Imu(role, figures, seed, origin_ns)
        world, _, placed = plant.truth(asked.robot)
        mounting = Mounting(world, placed, link, asked.at, asked.rpy)

        def offer(stamp_ns: int) -> object:
            now = mounting.motion()
            return sensor.offer(stamp_ns, now.turn, now.velocity)

        return sensor, offer

    return SimSensor(role, plant, clock, asked.read_us, make)


def tracker(role: str, plant: Plant, clock: VirtualClock, asked: TrackerParameters) -> SimSensor:
    """Pose of one body of the scene, and the confidence in it."""
    figures = _with(load_defaults().tracker, asked, role)

    def make(seed: int, origin_ns: int) -> tuple[Tracker, Callable[[int], object]]:
        sensor = Tracker(role, figures, seed, origin_ns)
        watched = Watched(plant.truth(asked.robot)[0], asked.thing, asked.eye)
        return sensor, lambda stamp_ns: sensor.offer(stamp_ns, *watched.pose())

    return SimSensor(role, plant, clock, asked.read_us, make)


def _with(model: M, asked: SensorParameters, role: str) -> M:
    """`model` with the figures that the rig file has of its own. Errors: BadInput."""
    whole = {**model.model_dump(), **asked.model}
    return validate(whole, type(model), f"device {role!r}", "parameters.model")
