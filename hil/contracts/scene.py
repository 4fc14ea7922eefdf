"""The fixture around the device under test, and what it has to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.clock import Deadline
from hil.contracts.base import Device, FloatArray


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
