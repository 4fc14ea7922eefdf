"""Simulated scene: the plant's fixture behind the contract of a scene, on a virtual clock."""

# A simulated device keeps the contracts' signatures but often needs no deadline.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hil.clock import Deadline, VirtualClock
from hil.contracts import Capability, Finding, FloatArray, Identity, SafeProof
from sim.plant import Plant


class SceneParameters(BaseModel):
    """`parameters` of a `sim-scene`: it has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SimScene:
    """The plant's fixture: arranges itself, tracks its objects and bears witness, in no time."""

    def __init__(self, role: str, plant: Plant, clock: VirtualClock) -> None:
        self._role = role
        self._plant = plant
        self._clock = clock

    @property
    def role(self) -> str:
        return self._role

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.SCENE})

    def open(self, deadline: Deadline) -> None:
        """Nothing to open: the plant belongs to the rig."""

    def identity(self, deadline: Deadline) -> Identity:
        return Identity("PyBullet scene", detail={"step_s": self._plant.step_s})

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        return [Finding("lockstep", True, "the plant follows the virtual clock")]

    def ping(self, deadline: Deadline) -> None:
        """Nothing to reach: the plant is in this process."""

    def counters(self) -> Mapping[str, int]:
        return {}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """A fixture moves nothing by itself."""
        now_ns = self._clock.now_ns()
        return SafeProof(self._role, True, "passive", {}, now_ns, now_ns)

    def close(self) -> None:
        """Nothing to release."""

    def arrange(self, scene: Mapping[str, object], deadline: Deadline) -> None:
        """Build the scene of a draw afresh, the arm standing at its `start` or at home.

        Errors: BadInput, RigError as `sim.plant.Plant.arrange`.
        """
        start = scene.get("start")
        position = (
            self._plant.home
            if start is None
            else np.array(cast(list[float], start), dtype=np.float64)
        )
        self._plant.arrange(scene, position)
        self._plant.start_at(self._clock.now_ns())

    def track(self, deadline: Deadline) -> Mapping[str, FloatArray]:
        return self._plant.track()

    def witness(self, deadline: Deadline) -> Mapping[str, float]:
        self._plant.advance_to(self._clock.now_ns())
        return self._plant.witness()

    def self_check(self, deadline: Deadline) -> Sequence[Mapping[str, Any]]:
        """What the plant's physics gives against closed formulas; see `sim.plant.Plant`."""
        return self._plant.self_check()

    def picture(self, deadline: Deadline) -> NDArray[np.uint8] | None:
        return self._plant.picture()
