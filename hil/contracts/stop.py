"""Inputs by which a person stops the rig."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from hil.clock import Deadline
from hil.contracts.base import Device


@runtime_checkable
class EmergencyStop(Device, Protocol):
    """A button, mat or light curtain that the loop looks at between ticks.

    It asks the run to end and the rig to be made safe. It is in addition to, and never in
    place of, a circuit that cuts the power by itself.
    """

    def pressed(self, deadline: Deadline) -> bool:
        """Whether somebody wants the rig to stop. Answers within the deadline, about 1 ms:
        it is asked in every tick. Errors: LinkLost, DeadlineMissed; both count as pressed."""
        ...


@runtime_checkable
class TellsCause(Protocol):
    """An emergency stop that says why it wants the rig to stop."""

    @property
    def cause(self) -> str:
        """Why the last `pressed` was true, in a few words: "pressed", "silent for 62 ms"; empty
        where it was not. No I/O."""
        ...
