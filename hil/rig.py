"""Builds the devices of a rig file by name and owns them until they are safe and closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, cast

from hil.clock import Clock, Deadline, VirtualClock, WallClock
from hil.contracts import (
    BenchContext,
    Camera,
    Capability,
    Device,
    DeviceSpec,
    DriverFactory,
    EmergencyStop,
    Finding,
    Force,
    Gripper,
    Identity,
    Inference,
    Joints,
    LinkControl,
    Meter,
    Plant,
    Power,
    SafeProof,
    Scene,
    Sensor,
    Switches,
    TwinProcesses,
)
from hil.errors import BadInput, CapabilityMissing, HarnessError, UnsafeExit
from hil.failure import on_failure
from hil.plugins import DRIVERS, PLANTS, SERVICES, TWINS, load
from hil.safety import make_safe
from rigs.schema import Device as RigDevice
from rigs.schema import Limits, Rig

TWIN_START_S = 20.0
OPEN_WITHIN_S = 10.0

_CONTRACTS: Mapping[Capability, type] = {
    Capability.JOINTS: Joints,
    Capability.INFERENCE: Inference,
    Capability.SCENE: Scene,
    Capability.EMERGENCY_STOP: EmergencyStop,
    Capability.GRIPPER: Gripper,
    Capability.CAMERA: Camera,
    Capability.POWER: Power,
    Capability.METER: Meter,
    Capability.SWITCHES: Switches,
    Capability.FORCE: Force,
    Capability.FORCE_TORQUE: Sensor,
    Capability.TACTILE: Sensor,
    Capability.MICROPHONE: Sensor,
    Capability.IMU: Sensor,
    Capability.TRACKER: Sensor,
}


def contract_of(capability: Capability) -> type:
    """The protocol of `hil.contracts` that a device with this capability keeps."""
    return _CONTRACTS[capability]


@dataclass
class Bench:
    """The running rig: devices by role on one clock.

    Use as a context manager. Leaving it, by whatever path, makes every opened device safe,
    closes it and ends the twin; `safe` then holds the proofs. Errors on leaving: UnsafeExit
    when a device could not be proved safe and nothing worse is under way.
    """

    rig: Rig
    path: Path
    clock: Clock
    devices: Mapping[str, Device]
    plant: Plant | None = None
    twin: TwinProcesses | None = None
    links: Mapping[str, LinkControl] = field(default_factory=dict)
    safe: list[SafeProof] = field(default_factory=list)
    _opened: list[Device] = field(default_factory=list)

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self.safe:
                self.make_safe()
        finally:
            self._release()
        unsafe = [proof for proof in self.safe if not proof.safe]
        if unsafe and error is None:
            raise UnsafeExit(unsafe_message(unsafe), "cut the power of the rig before touching it")

    def open(self) -> None:
        """Open every device in the order of the rig file. Errors: as the drivers say."""
        for device in self.devices.values():
            self._opened.append(device)
            device.open(self.deadline(OPEN_WITHIN_S))

    def deadline(self, seconds: float) -> Deadline:
        """Deadline `seconds` from now on the bench's clock."""
        return Deadline.after_s(self.clock, seconds)

    def joints(self, role: str) -> Joints:
        """The joints in a role. Errors: CapabilityMissing."""
        device = self.devices.get(role)
        return device if isinstance(device, Joints) else self._lacks(role, "joints")

    def inference(self, role: str) -> Inference:
        """The terminal in a role. Errors: CapabilityMissing."""
        device = self.devices.get(role)
        return device if isinstance(device, Inference) else self._lacks(role, "inference")

    def scene(self, role: str) -> Scene:
        """The scene's fixture in a role. Errors: CapabilityMissing."""
        device = self.devices.get(role)
        return device if isinstance(device, Scene) else self._lacks(role, "scene")

    def sensor(self, role: str) -> Sensor:
        """The sensor in a role. Errors: CapabilityMissing."""
        device = self.devices.get(role)
        return device if isinstance(device, Sensor) else self._lacks(role, "sensor")

    @property
    def emergency_stops(self) -> list[EmergencyStop]:
        """Every device of the rig that a person can stop it with."""
        return [found for found in self.devices.values() if isinstance(found, EmergencyStop)]

    def _lacks(self, role: str, capability: str) -> NoReturn:
        raise CapabilityMissing(
            f"rig {self.rig.name!r} has no {capability} in role {role!r}",
            f"roles there: {_roles(self.devices)}",
        )

    def missing(self, needs: Mapping[str, str]) -> list[str]:
        """What a scenario needs and this bench lacks, as "role: capability"."""
        return [
            f"{role}: {capability}"
            for role, capability in needs.items()
            if role not in self.devices
            or Capability(capability) not in self.devices[role].capabilities
        ]

    def require(self, needs: Mapping[str, str], scenario: str) -> None:
        """Errors: CapabilityMissing naming every gap."""
        gaps = self.missing(needs)
        if gaps:
            raise CapabilityMissing(
                f"scenario {scenario!r} needs {', '.join(gaps)}, which rig"
                f" {self.rig.name!r} does not have",
                f"roles there: {_roles(self.devices)}",
            )

    def require_limits(self) -> Limits:
        """The envelope's limits. Errors: BadInput when a rig with joints states none."""
        if self.rig.limits is None:
            raise BadInput(
                f"rig {self.rig.name!r} has joints but no [limits] table",
                "add limits.step_rad and limits.velocity_rad_s to the rig file",
            )
        return self.rig.limits

    def identities(self) -> dict[str, Identity]:
        """Ask every device who it is."""
        return {role: device.identity(self.deadline(2.0)) for role, device in self.devices.items()}

    def health(self) -> dict[str, Sequence[Finding]]:
        """Read every device's health."""
        return {role: device.health(self.deadline(2.0)) for role, device in self.devices.items()}

    def take_wire(self) -> dict[str, bytes]:
        """What was captured on the links since the last call, by role. Never in a tick.

        Errors: HostError.
        """
        open_links = {role: one.link for role, one in self.links.items() if one.link}
        taken = {role: link.take_wire() for role, link in open_links.items()}
        return {role: data for role, data in taken.items() if data}

    def begin_wire(self) -> None:
        """Forget what was captured so far: from now on it is another capture."""
        for control in self.links.values():
            if control.link is not None:
                control.link.begin_wire()

    def make_safe(self) -> list[SafeProof]:
        """Make every opened device safe and keep the proofs.

        Faults that were put into links go first: nothing artificial stands in the way.
        """
        for control in self.links.values():
            if control.link is not None:
                control.link.calm()
        self.safe = make_safe(self._opened, self.clock)
        return self.safe

    def _release(self) -> None:
        for device in reversed(self._opened):
            device.close()
        if self.twin is not None:
            self.twin.stop()
        if self.plant is not None:
            self.plant.close()


def build_bench(rig: Rig, path: Path, stopping: Callable[[], bool] = lambda: False) -> Bench:
    """Start the twin if the rig has one, resolve every port and build the devices.

    `stopping` says whether somebody asked the run to end. Nothing is opened yet and nothing
    moves. Errors: BadInput (unknown driver, missing or ambiguous port, bad parameter), RigError
    (the twin does not start).
    """
    twin = start_twin(rig, path) if rig.twin else None
    with nullcontext() if twin is None else on_failure(twin.stop):
        addresses = resolve_ports(rig, twin.ports if twin else {})
        return assemble(rig, path, addresses, stopping, twin)


def start_twin(rig: Rig, path: Path) -> TwinProcesses:
    """Start the emulated devices of a rig. Errors: BadInput, RigError."""
    if rig.twin is None:
        raise HarnessError(f"rig {rig.name!r} has no twin to start")
    start = load(TWINS, rig.twin.launcher)
    deadline = Deadline.after_s(WallClock(), TWIN_START_S)
    return cast(TwinProcesses, start(rig.twin, path.resolve().parent, deadline))


def resolve_ports(rig: Rig, twin_ports: Mapping[str, str]) -> dict[str, str]:
    """Today's address of every device by role; empty for a device with no port.

    Errors: DeviceNotFound for a port that is missing or ambiguous.
    """
    resolve = load(SERVICES, "ports")
    return {
        device.role: resolve(device.port, twin_ports) if device.port else ""
        for device in rig.devices
    }


def assemble(
    rig: Rig,
    path: Path,
    addresses: Mapping[str, str],
    stopping: Callable[[], bool] = lambda: False,
    twin: TwinProcesses | None = None,
) -> Bench:
    """The bench of a rig whose ports are known; `twin` is ended with it where one is given.

    Errors: BadInput (unknown driver, bad parameter); the twin is then the caller's to end.
    """
    clock: Clock = VirtualClock() if rig.kind == "sim" else WallClock()
    plant: Plant | None = load(PLANTS, rig.sim.plant)(rig.sim.step_hz) if rig.sim else None
    with nullcontext() if plant is None else on_failure(plant.close):
        context = BenchContext(clock, plant, stopping)
        specs = {
            one.role: _spec(one, addresses[one.role], path.resolve().parent) for one in rig.devices
        }
        devices = {role: _build_device(spec, context) for role, spec in specs.items()}
    links = {role: spec.control for role, spec in specs.items()}
    return Bench(rig, path, clock, devices, plant, twin, links)


def _spec(device: RigDevice, address: str, base: Path) -> DeviceSpec:
    link = {} if device.link is None else device.link.model_dump(mode="json", exclude_none=True)
    return DeviceSpec(device.role, device.driver, address, device.parameters, base, link)


def _build_device(spec: DeviceSpec, context: BenchContext) -> Device:
    factory: DriverFactory = load(DRIVERS, spec.driver)
    device: Any = factory(spec, context)
    for capability in device.capabilities:
        if not isinstance(device, _CONTRACTS[capability]):
            raise BadInput(
                f"driver {spec.driver!r} says it offers {capability.value!r} but does not keep"
                f" the contract hil.contracts.{_CONTRACTS[capability].__name__}"
            )
    return cast(Device, device)


def _roles(devices: Mapping[str, Device]) -> str:
    offers = (
        f"{role} ({', '.join(sorted(device.capabilities)) or 'nothing'})"
        for role, device in devices.items()
    )
    return "; ".join(offers)


def unsafe_message(proofs: Sequence[SafeProof]) -> str:
    """What to say of devices that could not be proved safe."""
    stated = "; ".join(f"{p.role}: {p.state} {dict(p.readings)}" for p in proofs)
    return f"could not prove the safe state of {stated}"
