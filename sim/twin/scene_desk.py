"""What the plant process does for the scene link: one function an operation, plain data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import hil
from hil.errors import BadInput, Blame, CapabilityMissing, HilError
from sim.twin import wire
from sim.twin.bench import Bench
from sim.twin.bus import ServoBus
from sim.twin.config import PlantConfig
from sim.twin.faults import parse_faults

Status = Callable[[], Mapping[str, int]]


class SceneDesk:
    """Carries out requests of the scene link on the bench.

    `status` gives the counters of the loop by name; `bus` is None on a twin with no servos.
    """

    def __init__(
        self, config: PlantConfig, bench: Bench, bus: ServoBus | None, status: Status
    ) -> None:
        self._config = config
        self._bench = bench
        self._bus = bus
        self._status = status
        self._operations: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
            "ping": lambda _: None,
            "identity": lambda _: self._identity(),
            "status": lambda _: dict(self._status()),
            "arrange": self._arrange,
            "track": lambda _: self._track(),
            "witness": lambda _: self._witness(),
            "picture": lambda _: wire.pack_array(self._bench.plant.picture()),
            "fault": self._fault,
            "power_cycle": self._power_cycle,
        }

    def answer(self, request: Mapping[str, Any]) -> dict[str, object]:
        """The answer to one request, errors of its own kind included.

        Errors: those of the physics and of this program are not answered but raised, since
        nothing the plant says afterwards could be believed.
        """
        number = request.get("id")
        operation = self._operations.get(str(request.get("op")))
        if operation is None:
            known = ", ".join(self._operations)
            error = BadInput(f"scene link: no operation {request.get('op')!r}", f"known: {known}")
            return {"id": number, "error": _describe(error)}
        try:
            return {"id": number, "value": operation(request.get("args") or {})}
        except HilError as error:
            if error.blame is Blame.HARNESS:
                raise
            return {"id": number, "error": _describe(error)}

    def _identity(self) -> dict[str, object]:
        return {
            "plant": self._config.plant,
            "step_hz": self._config.step_hz,
            "version": hil.__version__,
            "pid": os.getpid(),
        }

    def _arrange(self, args: Mapping[str, Any]) -> None:
        scene = args.get("scene")
        if not isinstance(scene, dict):
            raise BadInput("scene link: arrange needs a scene, a map of names to values")
        # the arm stays: an emulated arm moves by its servos, as a real one does
        self._bench.plant.arrange(scene, None)

    def _track(self) -> dict[str, list[float]]:
        return {name: pose.tolist() for name, pose in self._bench.plant.track().items()}

    def _witness(self) -> dict[str, float]:
        return {name: float(value) for name, value in self._bench.plant.witness().items()}

    def _fault(self, args: Mapping[str, Any]) -> None:
        self._servo_bus().plant_faults(parse_faults(dict(args)))

    def _power_cycle(self, args: Mapping[str, Any]) -> None:
        bus = self._servo_bus()
        ids = set(args.get("ids", ()))
        unknown = ids - {servo.id for servo in bus.servos}
        if unknown:
            raise BadInput(f"no servo has id {', '.join(map(str, sorted(unknown)))}")
        for servo in bus.servos:
            if servo.id in ids:
                servo.power_cycle()

    def _servo_bus(self) -> ServoBus:
        if self._bus is None:
            raise CapabilityMissing("this twin has no servo bus")
        return self._bus


def _describe(error: HilError) -> dict[str, str]:
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "remedy": error.remedy,
    }
