"""Hands whose fingers are registers, as data: `drivers/modbus/hands/MODEL.toml`.

A hand of another maker whose registers mean the same (a target, an actual position and a force
of 16 bits a finger, side by side; an error, a state and a temperature of 8 bits) is another
file: counts, addresses, fingers, names of errors and states are all in it. The mapping of counts
to angles is linear, which linkages are only roughly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from drivers.modelfiles import ModelFolder, refuse_unknown
from hil.contracts import FloatArray, IntArray, JointLimits

_HANDS = ModelFolder("drivers.modbus", "hands", "hand")

Address = Annotated[int, Field(ge=0, le=0xFFFF)]
_Positive = Annotated[float, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FingerRow(_Table):
    """One degree of freedom: its angle in rad at count 0 and at the highest count."""

    name: str
    rad_at_0: FiniteFloat
    rad_at_full: FiniteFloat

    @model_validator(mode="after")
    def _has_room(self) -> FingerRow:
        if self.rad_at_0 == self.rad_at_full:
            raise ValueError(f"{self.name}: the same angle at both ends")
        return self


class FingerCalibration(_Table):
    """What a rig file may say of one degree of freedom of its own hand."""

    rad_at_0: FiniteFloat | None = None
    rad_at_full: FiniteFloat | None = None


class HandAddresses(_Table):
    """First register of each group, one value a finger in the order of the fingers."""

    clear_error: Address
    angle_set: Address
    force_set: Address
    speed_set: Address
    angle_act: Address
    force_act: Address
    current: Address
    error: Address
    status: Address
    temperature: Address


class HandTable(_Table):
    """One model. `errors` names the bits of the error register, `blocking_errors` those that
    keep a finger from moving; `hot_c` is when it is time to let it rest."""

    model: str
    title: str
    unit: int = Field(ge=1, le=247)
    baud: int = Field(gt=0)
    full: int = Field(gt=0, le=0x7FFF)
    newtons_per_count: _Positive
    force_full: int = Field(gt=0, le=0x7FFF)
    full_travel_s: _Positive
    refresh_ms: _Positive
    hot_c: int
    errors: tuple[str, ...]
    blocking_errors: tuple[int, ...]
    registers: HandAddresses
    states: dict[int, str]
    fingers: tuple[FingerRow, ...] = Field(min_length=1)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(finger.name for finger in self.fingers)

    @property
    def limits(self) -> JointLimits:
        """Range of every finger in rad, and rad/s at its highest speed without load."""
        ends = np.array([[finger.rad_at_0, finger.rad_at_full] for finger in self.fingers])
        low, high = ends.min(axis=1), ends.max(axis=1)
        return JointLimits(low, high, (high - low) / self.full_travel_s)

    def to_radians(self, counts: Sequence[int] | IntArray) -> FloatArray:
        """Angles (n,) in rad of counts (n,)."""
        start, span = self._ends()
        return np.asarray(start + span * np.asarray(counts) / self.full, dtype=np.float64)

    def to_counts(self, radians: FloatArray) -> IntArray:
        """Nearest counts (n,) of angles (n,) in rad, within the range of the fingers."""
        start, span = self._ends()
        counts = np.rint((radians - start) / span * self.full).astype(np.int64)
        return np.asarray(np.clip(counts, 0, self.full), dtype=np.int64)

    def force_counts(self, newtons: float) -> int:
        """Threshold in counts of a force in N."""
        return min(max(round(newtons / self.newtons_per_count), 0), self.force_full)

    def error_names(self, bits: int) -> list[str]:
        """Names of the error bits that are set."""
        known = [name for place, name in enumerate(self.errors) if bits >> place & 1]
        return known if not bits >> len(self.errors) else [*known, f"unknown error 0x{bits:02X}"]

    def blocked(self, bits: int) -> bool:
        """Whether error bits keep a finger from moving."""
        return any(bits >> place & 1 for place in self.blocking_errors)

    def calibrated(self, calibration: Mapping[str, FingerCalibration]) -> HandTable:
        """This hand with the angles of one specimen. Errors: BadInput for unknown fingers."""
        refuse_unknown("calibration", calibration, f"the {self.model}", "fingers", self.names)
        fingers = tuple(
            finger.model_copy(update=calibration[finger.name].model_dump(exclude_none=True))
            if finger.name in calibration
            else finger
            for finger in self.fingers
        )
        return self.model_copy(update={"fingers": fingers})

    def _ends(self) -> tuple[FloatArray, FloatArray]:
        start = np.array([finger.rad_at_0 for finger in self.fingers])
        return start, np.array([finger.rad_at_full for finger in self.fingers]) - start


def load_hand(model: str) -> HandTable:
    """The hand of one model, for example "rh56dfx". Errors: BadInput naming the known ones."""
    return _HANDS.load(model, HandTable)
