"""The fixture of a twin: what sets the scene and bears witness, over the scene link."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.clock import Clock, Deadline
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    FloatArray,
    Identity,
    SafeProof,
    Scalar,
)
from hil.errors import BadInput, DeadlineMissed, LinkLost, ProtocolError
from sim.twin import wire
from sim.twin.scene_client import SceneClient

LOST_SHARE = 0.01
"""Share of plant steps that a host may fail to take before the twin's time is in doubt."""


class PlantScene:
    """`hil.contracts.Scene` of a twin's host process, and the way to its emulated devices.

    The fixture itself cannot hurt anybody: it is safe when the host process answers. On a twin
    whose plant has no scene, or that has no plant, what is a scene's is CapabilityMissing.
    """

    capabilities = frozenset({Capability.SCENE})

    def __init__(self, role: str, address: str, clock: Clock) -> None:
        self.role = role
        self._clock = clock
        self._client = SceneClient(address)

    def open(self, deadline: Deadline) -> None:
        self._client.connect(deadline)
        self.ping(deadline)

    def identity(self, deadline: Deadline) -> Identity:
        about = _map(self._client.ask("identity", deadline))
        return Identity(
            model=f"plant {about['plant']}" if about["plant"] else "no plant",
            firmware=str(about["version"]),
            detail={"step_hz": about["step_hz"], "pid": about["pid"]},
        )

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        try:
            status = self.status(deadline)
        except (LinkLost, DeadlineMissed) as error:
            return (Finding("link", ok=False, detail=error.message, remedy=error.remedy),)
        link = Finding("link", ok=True, detail="the host process answers")
        if "steps" not in status:
            return (link,)
        lost, steps = int(status["skipped_steps"]), int(status["steps"])
        return (
            link,
            Finding(
                "pace",
                ok=lost <= LOST_SHARE * max(steps, 1),
                detail=f"{lost} of {steps + lost} plant steps could not be taken in time",
                remedy="close other programs: plant time runs slower than the host's clock",
            ),
        )

    def ping(self, deadline: Deadline) -> None:
        self._client.ask("ping", deadline)

    def counters(self) -> Mapping[str, int]:
        return {"late_answers": self._client.late_answers}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        started_ns = self._clock.now_ns()
        readings: dict[str, Scalar] = {"answers": True}
        try:
            self.ping(deadline)
        except (LinkLost, DeadlineMissed) as error:
            readings = {"answers": False, "error": error.message}
        safe = readings["answers"] is True
        state = "passive" if safe else "unknown"
        return SafeProof(self.role, safe, state, readings, started_ns, self._clock.now_ns())

    def close(self) -> None:
        self._client.close()

    def arrange(self, scene: Mapping[str, object], deadline: Deadline) -> None:
        """As the contract says; the arm stays where it is and keeps its torque."""
        self._client.ask("arrange", deadline, {"scene": dict(scene)})

    def track(self, deadline: Deadline) -> Mapping[str, FloatArray]:
        poses = _map(self._client.ask("track", deadline))
        return {name: np.asarray(pose, dtype=np.float64) for name, pose in poses.items()}

    def witness(self, deadline: Deadline) -> Mapping[str, float]:
        seen = _map(self._client.ask("witness", deadline, {"until_ns": deadline.at_ns}))
        return {name: float(value) for name, value in seen.items()}

    def picture(self, deadline: Deadline) -> NDArray[np.uint8] | None:
        """RGB picture; the plant stands still while it is drawn, which `status` counts."""
        return wire.unpack_array(self._client.ask("picture", deadline)).astype(np.uint8, copy=False)

    def self_check(self, deadline: Deadline) -> Sequence[Mapping[str, Any]]:
        """What the plant's physics gives against closed formulas, as `sim.plant.Plant` says;
        nothing where there is no physics. The twin stands still for as long as it takes, up to
        some seconds where it holds a gripper. Errors: LinkLost, DeadlineMissed."""
        found = self._client.ask("self_check", deadline)
        if not isinstance(found, list):
            raise ProtocolError(f"scene link: a list was expected, not {type(found).__name__}")
        return [_map(check) for check in found]

    def status(self, deadline: Deadline) -> Mapping[str, int]:
        """The twin as a whole: how many motors are energised (`torque_on`), when the last of
        them went off (`torque_off_ns`, host's clock), and with a plant its steps, taken and
        lost. Errors: LinkLost, DeadlineMissed."""
        counts = _map(self._client.ask("status", deadline))
        return {name: int(value) for name, value in counts.items()}

    def port_status(self, port: str, deadline: Deadline) -> Mapping[str, Scalar]:
        """What the emulator at `port` says of itself, and what crossed its line.

        Errors: BadInput for a port that the host process does not serve, LinkLost,
        DeadlineMissed.
        """
        return _map(self._client.ask("status", deadline, {"port": port}))

    def control(self, port: str, deadline: Deadline, /, **what: object) -> None:
        """Do to the device at `port` what a person or a fault would; its emulator says what
        there is to do. Errors: BadInput, LinkLost, DeadlineMissed."""
        self._client.ask("control", deadline, {"port": port, "what": what})

    def fault(
        self,
        deadline: Deadline,
        *,
        silent: Collection[int] = (),
        corrupt: Mapping[int, int] | None = None,
        delay_us: Mapping[int, int] | None = None,
        errors: Mapping[int, int] | None = None,
    ) -> None:
        """Plant faults on the servo bus in place of those before; none given: bus in order.

        Args:
            silent: ids that hear but do not answer.
            corrupt: by id, how many of the next answers get a wrong checksum.
            delay_us: by id, how much later than due every answer comes.
            errors: by id, error bits on top of the servo's own.

        Errors: BadInput, LinkLost, DeadlineMissed.
        """
        tables = {"corrupt": corrupt, "delay_us": delay_us, "errors": errors}
        args: dict[str, object] = {
            # a MessagePack map has string keys here; the plant reads them as ids
            name: {str(servo): value for servo, value in (table or {}).items()}
            for name, table in tables.items()
        }
        self._client.ask("fault", deadline, {**args, "silent": sorted(silent)})

    def power_cycle(self, ids: Collection[int], deadline: Deadline) -> None:
        """Switch servos off and on: what was not kept in their EEPROM is gone.

        Errors: BadInput for an id that is not on the bus, LinkLost, DeadlineMissed.
        """
        self._client.ask("power_cycle", deadline, {"ids": sorted(ids)})


def build(spec: DeviceSpec, context: BenchContext) -> PlantScene:
    """Driver `plant-scene`; its port is a twin's scene link, and it has no parameters.

    Errors: BadInput.
    """
    if spec.parameters:
        unknown = ", ".join(sorted(spec.parameters))
        raise BadInput(
            f"device {spec.role!r}: driver 'plant-scene' has no parameter {unknown}",
            "it has none",
        )
    if not spec.address:
        raise BadInput(
            f"device {spec.role!r}: driver 'plant-scene' needs a port",
            'name the scene link of the twin, for example port = { twin = "scene" }',
        )
    if context.clock.virtual:
        raise BadInput(
            f"device {spec.role!r}: a host process runs on the wall clock",
            "use driver 'sim-scene' on a sim rig",
        )
    return PlantScene(spec.role, spec.address, context.clock)


def _map(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolError(f"scene link: a map was expected, not {type(value).__name__}")
    return value
