"""What every device promises: who it is, how it is, and a safe state with proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.clock import Deadline

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Scalar = str | int | float | bool

NEVER = -1
"""Age of a value that has never been received."""


class Capability(StrEnum):
    """Names used by scenario files (`needs`) and rig files; one a protocol below."""

    JOINTS = "joints"
    INFERENCE = "inference"
    SCENE = "scene"
    EMERGENCY_STOP = "emergency-stop"
    GRIPPER = "gripper"
    CAMERA = "camera"
    POWER = "power"
    METER = "meter"
    SWITCHES = "switches"
    FORCE = "force"
    FORCE_TORQUE = "force-torque"
    TACTILE = "tactile"
    MICROPHONE = "microphone"
    IMU = "imu"
    TRACKER = "tracker"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device says it is; `detail` holds further facts by name."""

    model: str
    serial: str = ""
    firmware: str = ""
    detail: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a device's health. `remedy` says what to do where `ok` is false."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class SafeProof:
    """What was read back after a device was made safe.

    `safe` is true only where the read-back shows the safe state; a device that could not
    be read is not safe. Stamps are of the run's clock.
    """

    role: str
    safe: bool
    state: str
    readings: Mapping[str, Scalar]
    started_ns: int
    proved_ns: int


@runtime_checkable
class Device(Protocol):
    """One instrument or product on the rig."""

    @property
    def role(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def open(self, deadline: Deadline) -> None:
        """Take the port and reach the device. Errors: LinkLost, DeadlineMissed, DeviceFault."""
        ...

    def identity(self, deadline: Deadline) -> Identity:
        """Ask the device who it is."""
        ...

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        """Read what the device says of its own state; never raises for a bad finding."""
        ...

    def ping(self, deadline: Deadline) -> None:
        """The smallest round trip the protocol has. Errors: DeadlineMissed, LinkLost."""
        ...

    def counters(self) -> Mapping[str, int]:
        """Faults since `open` by name (lost answers, checksum errors, ...); no I/O."""
        ...

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Bring the device to its safe state and read it back."""
        ...

    def close(self) -> None:
        """Release the port; never raises, may be called twice."""
        ...


@runtime_checkable
class Rescue(Protocol):
    """A device that a process which never opened it can make safe, by the shortest way.

    The watchdog calls it once the owner of the port is dead: no survey, no identity, nothing
    before the command that makes safe.
    """

    def rescue(self, deadline: Deadline) -> SafeProof:
        """Take the port, make the device safe, read that back, and release the port.

        Errors: LinkLost, BadInput, RigError where the port cannot be taken.
        """
        ...


@runtime_checkable
class SelfWatching(Device, Protocol):
    """A device that makes itself safe when it hears nothing for a while.

    It is armed while the loop ticks, and disarmed in the pauses, when a bus is rightly silent.
    """

    def arm_watchdog(self, timeout_s: float, deadline: Deadline) -> float:
        """Arm the device's own watchdog; returns the timeout it really has, in s.

        Errors: DeviceFault where it did not take it, LinkLost, DeadlineMissed.
        """
        ...

    def disarm_watchdog(self, deadline: Deadline) -> None:
        """Let the device be silent for as long as it takes. Errors: as `arm_watchdog`."""
        ...
