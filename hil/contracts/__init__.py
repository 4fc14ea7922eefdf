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

from hil.contracts.base import (
    NEVER,
    Capability,
    Device,
    Finding,
    FloatArray,
    Identity,
    IntArray,
    Rescue,
    SafeProof,
    Scalar,
    SelfWatching,
)
from hil.contracts.bench import BenchContext, DeviceSpec, DriverFactory, Plant, TwinProcesses
from hil.contracts.camera import Camera, Frame
from hil.contracts.gripper import Gripper, GripperCommand, GripperLimits, GripperSample
from hil.contracts.inference import (
    DeviceStamps,
    Inference,
    InferenceResult,
    ModelImage,
    OverlappedInference,
)
from hil.contracts.instruments import (
    Force,
    ForceSample,
    Meter,
    Power,
    PowerSample,
    PowerSetting,
    Reading,
    Switches,
)
from hil.contracts.joints import JointLimits, Joints, JointSample
from hil.contracts.link import LineFacts, LinkControl, OpenLink
from hil.contracts.scene import Scene, Testimony
from hil.contracts.sensor import Sensor, SensorFacts, SensorSample
from hil.contracts.stop import EmergencyStop, TellsCause
from hil.contracts.timing import ClockExchange, ClockSource, WireTimes, WireUse

__all__ = [
    "NEVER",
    "BenchContext",
    "Camera",
    "Capability",
    "ClockExchange",
    "ClockSource",
    "Device",
    "DeviceSpec",
    "DeviceStamps",
    "DriverFactory",
    "EmergencyStop",
    "Finding",
    "FloatArray",
    "Force",
    "ForceSample",
    "Frame",
    "Gripper",
    "GripperCommand",
    "GripperLimits",
    "GripperSample",
    "Identity",
    "Inference",
    "InferenceResult",
    "IntArray",
    "JointLimits",
    "JointSample",
    "Joints",
    "LineFacts",
    "LinkControl",
    "Meter",
    "ModelImage",
    "OpenLink",
    "OverlappedInference",
    "Plant",
    "Power",
    "PowerSample",
    "PowerSetting",
    "Reading",
    "Rescue",
    "SafeProof",
    "Scalar",
    "Scene",
    "SelfWatching",
    "Sensor",
    "SensorFacts",
    "SensorSample",
    "Switches",
    "TellsCause",
    "Testimony",
    "TwinProcesses",
    "WireTimes",
    "WireUse",
]
