"""Faults that can be planted on the emulated bus, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hil.config import validate
from sim.emulated.motors import take_one

MotorId = Annotated[int, Field(ge=0, le=253)]


class BusFaults(BaseModel):
    """What is wrong with the bus from now on; the empty table is a bus in order."""

    model_config = ConfigDict(extra="forbid")

    silent: set[MotorId] = Field(default_factory=set, description="ids that hear but never answer")
    corrupt: dict[MotorId, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="by id: how many of the next answers get a wrong CRC"
    )
    delay_us: dict[MotorId, Annotated[int, Field(ge=0, le=10_000_000)]] = Field(
        default_factory=dict, description="by id: how much later than due every answer comes"
    )
    impostor: dict[MotorId, MotorId] = Field(
        default_factory=dict, description="by id: the other id under which it answers"
    )
    model_number: dict[MotorId, Annotated[int, Field(ge=0, le=65535)]] = Field(
        default_factory=dict, description="by id: another model number than its own"
    )
    hardware_error: dict[MotorId, Annotated[int, Field(ge=0, le=127)]] = Field(
        default_factory=dict, description="by id: error bits on top of the motor's own"
    )
    voltage: dict[MotorId, Annotated[float, Field(ge=0, le=60)]] = Field(
        default_factory=dict, description="by id: supply in V"
    )
    flood: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="bytes of noise a second that somebody sends all the time",
    )

    def take_corruption(self, motor: int) -> bool:
        """Whether this answer is to be spoiled; uses up one."""
        return take_one(self.corrupt, motor)

    def name(self, motor: int) -> int:
        """The id that a motor's answer bears."""
        return self.impostor.get(motor, motor)


class BusControl(BaseModel):
    """What can be done to the bus: replace its faults, switch motors off and on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faults: BusFaults | None = None
    power_cycle: set[MotorId] = Field(default_factory=set)


def parse_control(args: Mapping[str, object]) -> BusControl:
    """Control of the bus from plain data; ids as integers or strings. Errors: BadInput."""
    return validate(dict(args), BusControl, "control of the Dynamixel bus")
