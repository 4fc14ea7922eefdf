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
from hil.contracts.inference import (
    DeviceStamps,
    Inference,
    InferenceResult,
    ModelImage,
    OverlappedInference,
)
from hil.contracts.joints import JointLimits, Joints, JointSample
from hil.contracts.scene import Scene, Testimony
from hil.contracts.stop import EmergencyStop
from hil.contracts.timing import ClockExchange, ClockSource, WireTimes, WireUse

__all__ = [
    "NEVER",
    "BenchContext",
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
    "Identity",
    "Inference",
    "InferenceResult",
    "IntArray",
    "JointLimits",
    "JointSample",
    "Joints",
    "ModelImage",
    "OverlappedInference",
    "Plant",
    "Rescue",
    "SafeProof",
    "Scalar",
    "Scene",
    "SelfWatching",
    "Testimony",
    "TwinProcesses",
    "WireTimes",
    "WireUse",
]
