"""Position-controlled joints on one bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.clock import Deadline
from hil.contracts.base import Device, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class JointSample:
    """State of n joints as received in one read.

    Arrays have shape (n,): position in rad, velocity in rad/s, effort as a fraction of the
    stall torque in [-1, 1] (what servo buses report), `age_ns` at `stamp_ns`. A joint that
    did not answer this read has NaN in every array, and the age of its last answer (or
    `NEVER`).
    """

    stamp_ns: int
    position: FloatArray
    velocity: FloatArray
    effort: FloatArray
    age_ns: IntArray

    @property
    def present(self) -> NDArray[np.bool_]:
        """Shape (n,): which joints answered this read."""
        return ~np.isnan(self.position)


@dataclass(frozen=True, slots=True)
class JointLimits:
    """Hard limits of n joints, arrays of shape (n,): rad and rad/s."""

    lower: FloatArray
    upper: FloatArray
    velocity: FloatArray


@runtime_checkable
class Joints(Device, Protocol):
    """Position-controlled joints on one bus, in a fixed order."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def limits(self) -> JointLimits: ...

    def enable(self, deadline: Deadline) -> None:
        """Energise the joints so that they hold where they are."""
        ...

    def read(self, deadline: Deadline) -> JointSample:
        """One read of all joints; a silent joint is absent in the sample, not an error.

        Errors: LinkLost when the transport is gone.
        """
        ...

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        """Send position targets, shape (n,), rad; returns the targets on the wire after
        limits and quantisation.

        After `open` and after `make_safe`, until `enable` has succeeded, it sends nothing and
        raises HarnessError with role and remedy: on some devices a target alone energises what
        was proved safe, so that to send one then is the caller's defect.
        """
        ...
