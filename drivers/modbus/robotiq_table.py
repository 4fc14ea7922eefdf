"""Robotiq grippers as data: `drivers/modbus/grippers/MODEL.toml`, and their counts in SI units.

All three mappings are linear approximations. Opening: between the two counts at which the
fingers are open and closed; the 2F's fingers move on an arc, so the middle of the stroke is off
by some millimetres. Speed and force: between the ends that the maker states for 0x00 and 0xFF;
what force an object really feels depends on speed, fingers and the object itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.modelfiles import ModelFolder
from hil.contracts import GripperCommand, GripperLimits

FULL = 255

_GRIPPERS = ModelFolder("drivers.modbus", "grippers", "Robotiq gripper")

Byte = Annotated[int, Field(ge=0, le=FULL)]
_Positive = Annotated[float, Field(gt=0)]


class Counts(BaseModel):
    """What the gripper reports when its fingers are open, and when they touch."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    open: Byte
    closed: Byte

    @model_validator(mode="after")
    def _in_order(self) -> Counts:
        if not self.open < self.closed:
            raise ValueError(f"open = {self.open} is not below closed = {self.closed}")
        return self


class GripperTable(BaseModel):
    """One model. `status_functions` are those by which its status may be read, in turns."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    title: str
    stroke_m: _Positive
    speed_m_s: tuple[_Positive, _Positive]
    force_n: tuple[_Positive, _Positive]
    counts: Counts
    status_functions: tuple[Literal[3, 4], ...] = Field(min_length=1)

    @property
    def limits(self) -> GripperLimits:
        return GripperLimits(self.stroke_m, self.speed_m_s, self.force_n)

    def with_counts(self, counts: Counts | None) -> GripperTable:
        """This model with the counts of one specimen."""
        return self if counts is None else self.model_copy(update={"counts": counts})

    def to_opening(self, count: float) -> float:
        """Opening in m of a position count, within the stroke."""
        span = self.counts.closed - self.counts.open
        closed = min(max((count - self.counts.open) / span, 0.0), 1.0)
        return self.stroke_m * (1.0 - closed)

    def to_count(self, opening_m: float) -> int:
        """Position count of an opening in m. At both ends of the stroke it is the end of the
        register, so that open and closed are reached whatever the specimen's own counts."""
        if opening_m <= 0:
            return FULL
        if opening_m >= self.stroke_m:
            return 0
        closed = 1.0 - opening_m / self.stroke_m
        return round(self.counts.open + closed * (self.counts.closed - self.counts.open))

    def to_registers(self, wanted: GripperCommand) -> tuple[int, int, int]:
        """Bytes for position, speed and force of a command, each within its range."""
        return (
            self.to_count(wanted.opening_m),
            _to_byte(wanted.speed_m_s, self.speed_m_s),
            _to_byte(wanted.force_n, self.force_n),
        )

    def to_command(self, position: int, speed: int, force: int) -> GripperCommand:
        """What the three bytes ask for, in SI units."""
        return GripperCommand(
            self.to_opening(position),
            _from_byte(speed, self.speed_m_s),
            _from_byte(force, self.force_n),
        )


def _to_byte(value: float, ends: tuple[float, float]) -> int:
    low, high = ends
    return round(FULL * min(max((value - low) / (high - low), 0.0), 1.0))


def _from_byte(count: int, ends: tuple[float, float]) -> float:
    low, high = ends
    return low + (high - low) * count / FULL


def load_gripper(model: str) -> GripperTable:
    """The gripper of one model, for example "2f-85". Errors: BadInput naming the known ones."""
    return _GRIPPERS.load(model, GripperTable)
