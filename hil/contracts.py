"""What a device promises: one small protocol a capability, in SI units.

Rules that hold for all of them:

* every blocking call takes a `Deadline` and keeps it; nothing retries for ever;
* a value that was not received is *absent* (NaN, age `NEVER`), never 0 and never an old
  value without its age;
* `command` returns what was really applied;
* `make_safe` may be called in any state, any number of times, and returns proof: what was
  read back from the device afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.clock import Clock, Deadline

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


@dataclass(frozen=True, slots=True)
class JointSample:
    """State of n joints as received in one read.

    Arrays have shape (n,): position in rad, velocity in rad/s, effort as a fraction of the
    stall torque in [-1, 1] (what servo buses report), `age_ns` at `stamp_ns`. A joint that
    did not answer this read has NaN in every array, and the age of its last answer (or
    `NEVER`).
    """

    stamp_ns: int
    position: FloatArray
    velocity: FloatArray
    effort: FloatArray
    age_ns: IntArray

    @property
    def present(self) -> NDArray[np.bool_]:
        """Shape (n,): which joints answered this read."""
        return ~np.isnan(self.position)


@dataclass(frozen=True, slots=True)
class JointLimits:
    """Hard limits of n joints, arrays of shape (n,): rad and rad/s."""

    lower: FloatArray
    upper: FloatArray
    velocity: FloatArray


@runtime_checkable
class Joints(Device, Protocol):
    """Position-controlled joints on one bus, in a fixed order."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def limits(self) -> JointLimits: ...

    def enable(self, deadline: Deadline) -> None:
        """Energise the joints so that they hold where they are."""
        ...

    def read(self, deadline: Deadline) -> JointSample:
        """One read of all joints; a silent joint is absent in the sample, not an error.

        Errors: LinkLost when the transport is gone.
        """
        ...

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        """Send position targets, shape (n,), rad; returns the targets on the wire after
        limits and quantisation."""
        ...


@dataclass(frozen=True, slots=True)
class ModelImage:
    """A network ready to be sent: its bytes, their SHA-256, and how inputs are prepared.

    `preprocess` maps an input name to the plain-data form of `models.card.ImageInput`;
    inputs without an entry are tensors passed through as they are.
    """

    name: str
    content: bytes
    sha256: str
    preprocess: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceStamps:
    """Stamps of one inference on the *device's* clock, ns; never compared with host stamps
    without a clock mapping. `NEVER` where the device has no clock."""

    received_ns: int
    start_ns: int
    end_ns: int
    sent_ns: int


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """Outputs by name (float arrays), the device's own account of its time, and the host's:
    when the request had been written and when the answer was there, on the run's clock."""

    outputs: Mapping[str, NDArray[np.float32]]
    stamps: DeviceStamps
    asked_ns: int = NEVER
    answered_ns: int = NEVER


@runtime_checkable
class Inference(Device, Protocol):
    """A terminal that runs an ONNX network."""

    def load(self, model: ModelImage, deadline: Deadline) -> None:
        """Send the network and wait until the terminal has checked its digest and can run it.

        Errors: ModelRefused, DeadlineMissed, LinkLost.
        """
        ...

    def infer(
        self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline
    ) -> InferenceResult:
        """Run the loaded network once. `bytes` inputs are compressed images.

        Errors: DeadlineMissed (a late answer is dropped when it comes), DeviceFault, LinkLost.
        """
        ...


@runtime_checkable
class OverlappedInference(Inference, Protocol):
    """A terminal that can be asked without being waited for."""

    def submit(self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline) -> int:
        """Send one inference and return its ticket at once. Errors: DeadlineMissed, LinkLost."""
        ...

    def collect(self, deadline: Deadline) -> tuple[int, InferenceResult] | None:
        """The newest finished inference and its ticket; None where none has come by the
        deadline. Older ones are dropped and counted. Errors: DeviceFault, LinkLost."""
        ...


@dataclass(frozen=True, slots=True)
class ClockExchange:
    """Four stamps of one round trip: host sent, device received, device sent, host received.

    The middle two are on the device's clock, the outer two on the run's.
    """

    sent_ns: int
    device_received_ns: int
    device_sent_ns: int
    received_ns: int


@runtime_checkable
class ClockSource(Protocol):
    """A device with a clock of its own that it can be asked for."""

    def exchange(self, deadline: Deadline) -> ClockExchange:
        """One round trip that says the time on both sides. Errors: DeadlineMissed, LinkLost."""
        ...


@dataclass(frozen=True, slots=True)
class WireUse:
    """What one call puts on a serial line, both ways together: bytes, and bits a second.

    `bits_per_byte` counts start and stop bits: 10 for 8N1.
    """

    byte_count: int
    baud: int
    bits_per_byte: int = 10


@runtime_checkable
class WireTimes(Protocol):
    """A device on a line of a known rate, so that time on the wire can be computed.

    One behind plain USB or a network, where there is no such rate, does not keep this contract.
    """

    def wire_uses(self) -> Mapping[str, WireUse]:
        """By name of the call ("read", "command"), as the calls of a tick make them; no I/O."""
        ...


@runtime_checkable
class Scene(Device, Protocol):
    """The fixture around the device under test: sets the scene, tracks objects, bears witness.

    On a simulated or emulated rig the plant does it; on a real rig instruments or the
    operator. What it says is ground truth or tracking, never the device's own report.
    """

    def arrange(self, scene: Mapping[str, object], deadline: Deadline) -> None:
        """Bring the scene to the episode's draw (plain data as the task's `draw` gave it)."""
        ...

    def track(self, deadline: Deadline) -> Mapping[str, FloatArray]:
        """Measured object poses by name, as vectors in the base frame (m, rad), with the
        tracker's own noise."""
        ...

    def witness(self, deadline: Deadline) -> Mapping[str, float]:
        """What really happened in the scene since the last call; a quantity that the rig
        cannot observe is left out."""
        ...

    def picture(self, deadline: Deadline) -> NDArray[np.uint8] | None:
        """One RGB picture of the bench, shape (h, w, 3), or None where there is no camera."""
        ...


@runtime_checkable
class Testimony(Protocol):
    """A scene that has something to say once, after the last tick: a person, a slow instrument.

    Such a scene may also need minutes to be arranged: `patience_s` bounds every call to it
    between ticks, in place of the harness's own few seconds.
    """

    @property
    def patience_s(self) -> float: ...

    def testimony(self, deadline: Deadline) -> Mapping[str, float]:
        """What is true at the end of the episode, under the names of the task's witness
        columns. Errors: DeadlineMissed, LinkLost, Interrupted."""
        ...


@runtime_checkable
class EmergencyStop(Device, Protocol):
    """A button, mat or light curtain that the loop looks at between ticks.

    It asks the run to end and the rig to be made safe. It is in addition to, and never in
    place of, a circuit that cuts the power by itself.
    """

    def pressed(self, deadline: Deadline) -> bool:
        """Whether somebody wants the rig to stop. Answers within the deadline, about 1 ms:
        it is asked in every tick. Errors: LinkLost, DeadlineMissed; both count as pressed."""
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
class SelfWatching(Protocol):
    """A device that makes itself safe when it hears nothing for a while."""

    def arm_watchdog(self, timeout_s: float, deadline: Deadline) -> float:
        """Arm the device's own watchdog; returns the timeout it really has, in s.

        Errors: DeviceFault where it did not take it, LinkLost, DeadlineMissed.
        """
        ...


class Plant(Protocol):
    """What stands behind simulated devices; shared by the devices of one `sim` rig."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """What a driver factory is given: role, resolved address and parameters of the rig file.

    `address` is a device path or URL; empty for devices with no port (simulated ones).
    `base` is the folder of the rig file, for relative paths in parameters.
    """

    role: str
    driver: str
    address: str
    parameters: Mapping[str, object]
    base: Path


@dataclass(frozen=True, slots=True)
class BenchContext:
    """What the devices of one rig share: the clock, and the plant of a `sim` rig.

    `stopping` is true once somebody asked the run to end; a device that waits for a person
    looks at it.
    """

    clock: Clock
    plant: Plant | None = None
    stopping: Callable[[], bool] = lambda: False


class DriverFactory(Protocol):
    """Entry point of group `hil.drivers`; must not touch the device (that is `open`).

    Errors: BadInput for parameters it cannot use.
    """

    def __call__(self, spec: DeviceSpec, context: BenchContext) -> Device: ...


class TwinProcesses(Protocol):
    """Running emulated devices: `ports` maps the twin's port names to addresses."""

    @property
    def ports(self) -> Mapping[str, str]: ...

    def describe(self) -> Mapping[str, object]:
        """Plain data for `hil twin` and the host record."""
        ...

    def check(self) -> None:
        """Errors: RigError when a process has ended by itself."""
        ...

    def stop(self) -> None:
        """End every process; idempotent, bounded in time."""
        ...
