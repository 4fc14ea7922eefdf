"""The plant with the emulated devices that move its joints: what one step of the twin is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil import plugins
from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.twin.emulator import Body, JointEmulator


class Plant(Protocol):
    """What the twin needs of a plant of group `hil.plants`; arrays are (n,), SI units."""

    @property
    def joint_names(self) -> tuple[str, ...]: ...

    @property
    def step_s(self) -> float: ...

    def joints(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Position, velocity and motor torque of every joint."""
        ...

    def drive(
        self, target: FloatArray, torque_limit: FloatArray, enabled: NDArray[np.bool_]
    ) -> None:
        """Set-points for the steps to come."""
        ...

    def step(self) -> None:
        """Advance by `step_s`."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


@runtime_checkable
class Scenery(Plant, Protocol):
    """A plant that has a scene around its joints."""

    def arrange(self, scene: Mapping[str, object], joint_position: FloatArray | None) -> None:
        """Build the scene; None leaves the joints where they are."""
        ...

    def track(self) -> Mapping[str, FloatArray]:
        """Measured object poses."""
        ...

    def witness(self) -> Mapping[str, float]:
        """What happened since the last call."""
        ...

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture of the bench."""
        ...


@runtime_checkable
class SelfChecking(Protocol):
    """A plant whose physics can be held against closed formulas."""

    def self_check(self) -> list[dict[str, Any]]:
        """Plain data, one table a check."""
        ...


def build_plant(name: str, step_hz: int, joints: Sequence[str]) -> Plant:
    """The plant called `name`.

    One whose factory has a parameter `joints` is made of these, which are what the twin's
    emulators drive; any other has joints of its own. Errors: BadInput.
    """
    factory = plugins.load(plugins.PLANTS, name)
    if "joints" in inspect.signature(factory).parameters:
        return cast(Plant, factory(step_hz, joints=tuple(joints)))
    return cast(Plant, factory(step_hz))


@dataclass(frozen=True, slots=True)
class Mount:
    """An emulator and the places of its joints among the plant's."""

    emulator: JointEmulator
    places: tuple[int, ...]


def joint_owners(emulators: Mapping[str, JointEmulator]) -> dict[str, str]:
    """The port by whose emulator each joint is driven.

    Errors: BadInput naming both ports where two drive the same joint.
    """
    owners: dict[str, str] = {}
    for port, emulator in emulators.items():
        for joint in emulator.joints:
            if joint in owners:
                raise BadInput(
                    f"twin.ports.{owners[joint]} and twin.ports.{port} both drive joint {joint!r}",
                    "a joint has one motor: take it off one of them",
                )
            owners[joint] = port
    return owners


def mount(plant: Plant, emulators: Mapping[str, JointEmulator]) -> list[Mount]:
    """Every emulator with the places of its joints; joints that nobody drives stay unpowered.

    Errors: BadInput for a joint that two drive, or that the plant does not have.
    """
    for joint, port in joint_owners(emulators).items():
        if joint not in plant.joint_names:
            raise BadInput(
                f"twin.ports.{port} drives joint {joint!r},"
                f" the plant has {', '.join(plant.joint_names) or 'no joints'}",
                "name another arm, or a plant that has its joints",
            )
    return [
        Mount(emulator, tuple(plant.joint_names.index(joint) for joint in emulator.joints))
        for emulator in emulators.values()
    ]


class Bench:
    """Emulated motors and plant in lockstep."""

    def __init__(self, plant: Plant, mounts: Sequence[Mount]) -> None:
        self.plant = plant
        self._mounts = tuple(mounts)
        self._step_s = plant.step_s
        count = len(plant.joint_names)
        self._target = [0.0] * count
        self._limit = [0.0] * count
        self._enabled = [False] * count
        self._sense()  # so that a servo asked before the first step knows its joint

    def step(self) -> None:
        """Every motor sees its joint and gives its orders, then the plant moves."""
        if self._mounts:
            self._sense()
            self.plant.drive(np.array(self._target), np.array(self._limit), np.array(self._enabled))
        self.plant.step()

    def _sense(self) -> None:
        columns = (column.tolist() for column in self.plant.joints())
        bodies = [Body(*row) for row in zip(*columns, strict=True)]
        for one in self._mounts:
            drives = one.emulator.step(self._step_s, [bodies[place] for place in one.places])
            for place, drive in zip(one.places, drives, strict=True):
                self._target[place] = drive.target
                self._limit[place] = drive.torque_limit
                self._enabled[place] = drive.enabled
