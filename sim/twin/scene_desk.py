"""What the host process does for the scene link: one function an operation, plain data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hil
from hil.clock import WallClock
from hil.errors import BadInput, Blame, CapabilityMissing, DeadlineMissed, HilError
from sim.twin import wire
from sim.twin.bench import Plant, Scenery, SelfChecking
from sim.twin.config import HostConfig
from sim.twin.emulator import Scalar
from sim.twin.station import Station

SERVO_BUSES = ("feetech-bus", "sts3215-bus")
"""The emulators that `fault` and `power_cycle` are for; any other is reached by `control`."""

Status = Callable[[], Mapping[str, Scalar]]


class SceneDesk:
    """Carries out requests of the scene link on the plant, where there is one, and on the
    emulators. `status` tells of the twin as a whole."""

    def __init__(
        self,
        config: HostConfig,
        plant: Plant | None,
        stations: Sequence[Station],
        status: Status,
    ) -> None:
        self._config = config
        self._plant = plant
        self._clock = WallClock()
        self._stations = {station.name: station for station in stations}
        self._status = status
        self._operations: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
            "ping": lambda _: None,
            "identity": lambda _: self._identity(),
            "status": self._tell_status,
            "control": self._control,
            "arrange": self._arrange,
            "track": lambda _: self._track(),
            "witness": self._witness,
            "picture": lambda _: wire.pack_array(self._scenery().picture()),
            "self_check": lambda _: self._self_check(),
            "fault": lambda args: self._servo_bus().emulator.control({"faults": args}),
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
            "plant": self._config.plant or "",
            "step_hz": self._config.step_hz,
            "version": hil.__version__,
            "pid": os.getpid(),
        }

    def _tell_status(self, args: Mapping[str, Any]) -> dict[str, Scalar]:
        port = args.get("port")
        return dict(self._status() if port is None else self._station(port).status())

    def _control(self, args: Mapping[str, Any]) -> None:
        what = args.get("what")
        if not isinstance(what, dict):
            raise BadInput("scene link: control needs what to do, a map of names to values")
        self._station(args.get("port")).emulator.control(what)

    def _arrange(self, args: Mapping[str, Any]) -> None:
        scene = args.get("scene")
        if not isinstance(scene, dict):
            raise BadInput("scene link: arrange needs a scene, a map of names to values")
        # the arm stays: an emulated arm moves by its servos, as a real one does
        self._scenery().arrange(scene, None)

    def _track(self) -> dict[str, list[float]]:
        return {name: pose.tolist() for name, pose in self._scenery().track().items()}

    def _witness(self, args: Mapping[str, Any]) -> dict[str, float]:
        """What happened since the last call; it stays for the next one where this one comes
        after `until_ns` (of the machine's monotonic clock), when nobody waits for it any more.

        Errors: DeadlineMissed.
        """
        until_ns = args.get("until_ns")
        if isinstance(until_ns, int) and self._clock.now_ns() > until_ns:
            raise DeadlineMissed("scene link: witness was asked too late to be heard")
        return {name: float(value) for name, value in self._scenery().witness().items()}

    def _self_check(self) -> list[dict[str, Any]]:
        plant = self._plant
        return plant.self_check() if isinstance(plant, SelfChecking) else []

    def _power_cycle(self, args: Mapping[str, Any]) -> None:
        self._servo_bus().emulator.control({"power_cycle": args.get("ids", ())})

    def _scenery(self) -> Scenery:
        if isinstance(self._plant, Scenery):
            return self._plant
        name = self._config.plant
        lacks = f"plant {name!r} of this twin has no scene" if name else "this twin has no plant"
        raise CapabilityMissing(lacks, 'a twin with plant = "so101" has a scene')

    def _station(self, port: object) -> Station:
        station = self._stations.get(str(port))
        if station is None:
            known = ", ".join(self._stations) or "none"
            raise BadInput(
                f"scene link: the host process serves no port {port!r}",
                f"it serves: {known}; an emulator that is a program of its own takes no control",
            )
        return station

    def _servo_bus(self) -> Station:
        buses = [station for station in self._stations.values() if station.kind in SERVO_BUSES]
        if not buses:
            raise CapabilityMissing("this twin has no servo bus")
        if len(buses) > 1:
            names = ", ".join(bus.name for bus in buses)
            raise BadInput(f"this twin has several servo buses: {names}", "use control, by port")
        return buses[0]


def _describe(error: HilError) -> dict[str, str]:
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "remedy": error.remedy,
    }
