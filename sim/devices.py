"""Factories of the simulated devices; all of one rig share its plant and its virtual clock."""

from __future__ import annotations

from hil.clock import VirtualClock
from hil.config import device_parameters
from hil.contracts import BenchContext, DeviceSpec
from hil.errors import BadInput, RigError
from sim import sensors
from sim.arm import SimArm
from sim.cameras import CameraParameters, SimCamera, camera
from sim.encoders import SensedArm, SensedArmParameters
from sim.microphones import MicrophoneParameters, SimMicrophone, microphone
from sim.plant import Plant
from sim.scene import SceneParameters, SimScene
from sim.sensors import (
    ImuParameters,
    SensorParameters,
    SimSensor,
    TouchParameters,
    TrackerParameters,
)


def build_arm(spec: DeviceSpec, context: BenchContext) -> SimArm:
    """Entry point `sim-arm`. Errors: BadInput for parameters or a bench it cannot use."""
    plant, clock = _bench(spec, context)
    asked = device_parameters(spec, SensedArmParameters)
    if asked.sensing is not None:
        return SensedArm(spec.role, plant, clock, asked, asked.sensing)
    return SimArm(spec.role, plant, clock, asked)


def build_scene(spec: DeviceSpec, context: BenchContext) -> SimScene:
    """Entry point `sim-scene`. Errors: BadInput for parameters or a bench it cannot use."""
    plant, clock = _bench(spec, context)
    device_parameters(spec, SceneParameters)
    return SimScene(spec.role, plant, clock)


def build_wrench(spec: DeviceSpec, context: BenchContext) -> SimSensor:
    """Entry point `sim-wrench`. Errors: BadInput for parameters or a bench it cannot use."""
    plant, clock = _bench(spec, context)
    return sensors.wrench(spec.role, plant, clock, device_parameters(spec, SensorParameters))


def build_touch(spec: DeviceSpec, context: BenchContext) -> SimSensor:
    """Entry point `sim-touch`. Errors: BadInput for parameters or a bench it cannot use."""
    plant, clock = _bench(spec, context)
    return sensors.touch(spec.role, plant, clock, device_parameters(spec, TouchParameters))


def build_microphone(spec: DeviceSpec, context: BenchContext) -> SimMicrophone:
    """Entry point `sim-microphone`. Errors: BadInput for parameters or a bench it cannot use."""
    plant, clock = _bench(spec, context)
    return microphone(spec.role, plant, clock, device_parameters(spec, MicrophoneParameters))


def build_imu(spec: DeviceSpec, context: BenchContext) -> SimSensor:
    """Entry point `sim-imu`. Errors: BadInput for parameters or a bench it cannot use."""
    plant, clock = _bench(spec, context)
    return sensors.imu(spec.role, plant, clock, device_parameters(spec, ImuParameters))


def build_tracker(spec: DeviceSpec, context: BenchContext) -> SimSensor:
    """Entry point `sim-tracker`. Errors: BadInput for parameters or a bench it cannot use."""
    plant, clock = _bench(spec, context)
    return sensors.tracker(spec.role, plant, clock, device_parameters(spec, TrackerParameters))


def build_camera(spec: DeviceSpec, context: BenchContext) -> SimCamera:
    """Entry point `sim-camera`. Errors: BadInput for parameters or a bench it cannot use."""
    plant, clock = _bench(spec, context)
    return camera(spec.role, plant, clock, device_parameters(spec, CameraParameters))


def _bench(spec: DeviceSpec, context: BenchContext) -> tuple[Plant, VirtualClock]:
    if not isinstance(context.plant, Plant):
        raise BadInput(
            f"device {spec.role!r}: driver {spec.driver!r} needs the plant of a 'sim' rig",
            'use it in a rig of kind = "sim" with [sim] plant = "so101"',
        )
    if not isinstance(context.clock, VirtualClock):
        raise RigError(
            f"device {spec.role!r}: driver {spec.driver!r} needs a virtual clock",
            "open the rig with the clock of its kind",
        )
    return context.plant, context.clock
