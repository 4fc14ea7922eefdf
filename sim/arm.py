"""Simulated joints: the plant's motors behind a bus, on a virtual clock in lockstep.

The plant has no time of its own: it does the steps that are due whenever a device lets its
declared time pass, so physics goes on while the arm is read, while a network thinks and while
a command travels. A slow model is not flattered.
"""

# A simulated device keeps the contracts' signatures but often needs no deadline.

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from drivers.enabling import refuse_unenabled
from hil.clock import NS_PER_US, Deadline, VirtualClock
from hil.contracts import (
    NEVER,
    Capability,
    Finding,
    FloatArray,
    Identity,
    JointLimits,
    JointSample,
    SafeProof,
)
from hil.errors import BadInput, DeadlineMissed
from sim.geartrain import Gear, GearTrain
from sim.plant import Plant
from sim.robots.profile import MotionProfile

COUNT_RAD = 2 * math.pi / 4096
"""rad; resolution of an STS3215's encoder. Its speed is told in the same counts a second."""

_Micros = Annotated[int, Field(ge=0, le=1_000_000)]


class ArmParameters(BaseModel):
    """`parameters` of a `sim-arm`: declared times on the bus, and what its motors do.

    `speed_rad_s` is that of each motor unless given. A hobby servo follows a profile of that
    speed and `acceleration_rad_s2`, by default an STS3215's with its acceleration register at
    254 (of 100 counts/s² each); other drives follow their set-points as they are.
    `resolution_rad` is the step of what it reads and takes, by default an STS3215's; where it
    is 0.5 m from the joint to the tool, that is 0.8 mm, too coarse for parts that fit closely.
    `gears` plants errors between encoder and output, by joint (`sim.geartrain`); none unless given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    read_us: _Micros = 1500
    command_us: _Micros = 300
    speed_rad_s: float | None = Field(default=None, gt=0, le=10)
    acceleration_rad_s2: float = Field(default=25_400 * COUNT_RAD, gt=0)
    resolution_rad: float = Field(default=COUNT_RAD, gt=0, le=0.01)
    gears: dict[str, Gear] = Field(default_factory=dict)


class SimArm:
    """All motors of the plant as one device: encoders, declared bus time, and the motion
    profile of hobby servos."""

    def __init__(
        self, role: str, plant: Plant, clock: VirtualClock, parameters: ArmParameters
    ) -> None:
        motors = [motor for robot in plant.robots for motor in robot.motors]
        lower, upper = (np.array([getattr(m, end) for m in motors]) for end in ("lower", "upper"))
        speed = parameters.speed_rad_s
        speeds = np.array([motor.speed if speed is None else speed for motor in motors])
        self._role = role
        self._plant = plant
        self._clock = clock
        self._parameters = parameters
        self._limits = JointLimits(lower, upper, speeds)
        self._speeds = speeds.tolist()
        self._profiled = any(motor.stiffness is not None for motor in motors)
        self._goal = plant.joints()[0]
        self._profiles = [MotionProfile(float(angle)) for angle in self._goal]
        self._enabled = np.zeros(len(lower), dtype=np.bool_)
        self._train = GearTrain(plant.joint_names, parameters.gears) if parameters.gears else None
        self._torque = plant.most_torque
        self._ones = np.ones(len(lower), dtype=np.int64)
        self._arrangement = plant.arrangement
        self._seen_ns = NEVER
        self._lost = 0
        first = plant.robots[0]
        tool = next(iter(first.tools.values()))
        self._chain, self._places = tool.chain, first.places(tool.motors)

    @property
    def role(self) -> str:
        return self._role

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.JOINTS})

    @property
    def names(self) -> tuple[str, ...]:
        return self._plant.joint_names

    @property
    def limits(self) -> JointLimits:
        return self._limits

    def tool_point(self, position: FloatArray) -> FloatArray:
        """Where the first robot's tool is, (3,), m, in its base frame, at joint positions (n,),
        rad. Offered for the envelope's workspace."""
        return self._chain.tool_point(position[self._places])

    def open(self, deadline: Deadline) -> None:
        """Take over the plant's joints, without torque, also where they had it before."""
        if self._enabled.any():
            self._release()
        self._plant.attach(self._control if self._profiled else None)
        if self._train is not None:
            self._plant.probe(self._train)

    def identity(self, deadline: Deadline) -> Identity:
        # what is planted in its gears is not what the device says of itself
        servos = [name for name in ArmParameters.model_fields if name != "gears"]
        return Identity(
            f"{', '.join(robot.name for robot in self._plant.robots)}, simulated",
            detail={
                name: value
                for name in servos
                if (value := getattr(self._parameters, name)) is not None
            },
        )

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        position, step = self._plant.joints()[0], self._parameters.resolution_rad
        outside = [
            name
            for name, angle, low, high in zip(
                self.names, position, self._limits.lower, self._limits.upper, strict=True
            )
            if not low - step <= angle <= high + step
        ]
        return [
            Finding(
                "joint range",
                not outside,
                f"outside their range: {', '.join(outside)}" if outside else "all in range",
                "arrange the scene again" if outside else "",
            )
        ]

    def ping(self, deadline: Deadline) -> None:
        """Let the declared time of one read pass. Errors: DeadlineMissed."""
        self._spend(self._parameters.read_us * NS_PER_US, deadline, "ping")

    def counters(self) -> Mapping[str, int]:
        return {"lost_answers": self._lost}

    def enable(self, deadline: Deadline) -> None:
        """Energise the joints where they are. Errors: DeadlineMissed."""
        self._spend(self._parameters.command_us * NS_PER_US, deadline, "enable")
        self._enabled[:] = True
        self._hold()

    def read(self, deadline: Deadline) -> JointSample:
        """The joints as they were half-way through the declared bus time.

        Where that time does not fit the deadline nothing is received, and the clock stands
        at the deadline.
        """
        bus_ns = self._parameters.read_us * NS_PER_US
        if deadline.remaining_ns() < bus_ns:
            self._pass_until(deadline.at_ns)
            self._lost += len(self.names)
            return self._absent()
        started_ns = self._clock.now_ns()
        self._pass_until(started_ns + bus_ns // 2)
        position, velocity, torque = self._plant.joints()
        self._seen_ns = self._clock.now_ns()
        if self._train is not None:
            position = self._train.encoder(position, self._seen_ns)
        self._pass_until(started_ns + bus_ns)
        stamp_ns = self._clock.now_ns()
        return JointSample(
            stamp_ns,
            quantised(position, self._parameters.resolution_rad),
            quantised(velocity, self._parameters.resolution_rad),
            np.minimum(np.maximum(torque / self._torque, -1.0), 1.0),
            self._ones * (stamp_ns - self._seen_ns),
        )

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        """Set the servos' goals; they have them at the end of the declared bus time.

        Errors: HarnessError where they are not enabled; DeadlineMissed where that time does not
        fit; BadInput for a target that is not (n,) finite numbers.
        """
        refuse_unenabled(self._role, all(self._enabled.tolist()))
        if position.shape != self._goal.shape or not math.isfinite(sum(position.tolist())):
            raise BadInput(
                f"{self._role}: {position!r} is no joint target",
                f"give {len(self.names)} finite angles in rad: {', '.join(self.names)}",
            )
        self._spend(self._parameters.command_us * NS_PER_US, deadline, "command")
        self._notice_arrangement()
        inside = np.minimum(np.maximum(position, self._limits.lower), self._limits.upper)
        self._goal = quantised(inside, self._parameters.resolution_rad)
        if not self._profiled:
            self._plant.drive(self._behind(self._goal), self._torque, self._enabled)
        return self._goal.copy()

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Torque off; the gearboxes' friction is all that holds."""
        started_ns = self._clock.now_ns()
        self._release()
        driven = self._plant.driven()
        off = not driven.any()
        readings = {
            f"{name}.torque_enable": int(on) for name, on in zip(self.names, driven, strict=True)
        }
        return SafeProof(
            self._role,
            off,
            "torque off" if off else "torque on",
            readings,
            started_ns,
            self._clock.now_ns(),
        )

    def close(self) -> None:
        """Leave the plant's joints without a controller; may be called twice."""
        self._plant.attach(None)

    def _release(self) -> None:
        self._enabled[:] = False
        self._plant.drive(self._goal, self._torque, self._enabled)

    def _control(self) -> None:
        """One millisecond of the servos' own loop, before each step of the plant."""
        self._notice_arrangement()
        acceleration, dt = self._parameters.acceleration_rad_s2, self._plant.step_s
        set_point = [
            profile.step(goal, speed, acceleration, dt)
            for profile, goal, speed in zip(
                self._profiles, self._goal.tolist(), self._speeds, strict=True
            )
        ]
        self._plant.drive(self._behind(np.array(set_point)), self._torque, self._enabled)

    def _behind(self, goal: FloatArray) -> FloatArray:
        """Where the outputs are driven for goals of the encoders."""
        return goal if self._train is None else self._train.output(goal, self._clock.now_ns())

    def _notice_arrangement(self) -> None:
        """Stand still where a newly arranged scene has put the arm."""
        if self._arrangement != self._plant.arrangement:
            self._arrangement = self._plant.arrangement
            self._hold()

    def _hold(self) -> None:
        here = self._plant.joints()[0]
        if self._train is not None:
            here = self._train.encoder(here, self._clock.now_ns())
        self._goal = quantised(here, self._parameters.resolution_rad)
        for profile, angle in zip(self._profiles, self._goal.tolist(), strict=True):
            profile.restart(angle)
        if not self._profiled:
            self._plant.drive(self._behind(self._goal), self._torque, self._enabled)

    def _spend(self, duration_ns: int, deadline: Deadline, what: str) -> None:
        if deadline.remaining_ns() < duration_ns:
            self._pass_until(deadline.at_ns)
            raise DeadlineMissed(
                f"{self._role}: {what} takes {duration_ns} ns, more than its deadline leaves"
            )
        self._pass_until(self._clock.now_ns() + duration_ns)

    def _pass_until(self, stamp_ns: int) -> None:
        self._clock.sleep_until(stamp_ns)
        self._plant.advance_to(self._clock.now_ns())

    def _absent(self) -> JointSample:
        nothing = np.full(len(self.names), np.nan)
        now_ns = self._clock.now_ns()
        age_ns = NEVER if self._seen_ns == NEVER else now_ns - self._seen_ns
        return JointSample(
            now_ns,
            nothing,
            nothing.copy(),
            nothing.copy(),
            np.full(len(self.names), age_ns, dtype=np.int64),
        )


def quantised(value: FloatArray, step: float) -> FloatArray:
    """`value` rounded to whole steps, as an encoder or a register holds it."""
    return np.asarray(np.rint(value / step) * step)
