"""Faults that a test can plant on the emulated bus, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hil.config import validate
from sim.emulated.motors import take_one

ServoId = Annotated[int, Field(ge=0, le=253)]


class BusFaults(BaseModel):
    """What is wrong with the bus from now on; the empty table is a bus in order."""

    model_config = ConfigDict(extra="forbid")

    silent: set[ServoId] = Field(default_factory=set, description="ids that hear but never answer")
    corrupt: dict[ServoId, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="by id: how many of the next answers get a wrong checksum"
    )
    delay_us: dict[ServoId, Annotated[int, Field(ge=0, le=10_000_000)]] = Field(
        default_factory=dict, description="by id: how much later than due every answer comes"
    )
    errors: dict[ServoId, Annotated[int, Field(ge=0, le=63)]] = Field(
        default_factory=dict, description="by id: error bits on top of the servo's own"
    )

    def take_corruption(self, servo_id: int) -> bool:
        """Whether this answer is to be spoiled; uses up one."""
        return take_one(self.corrupt, servo_id)


class BusControl(BaseModel):
    """What can be done to the bus: replace its faults, switch servos off and on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faults: BusFaults | None = None
    power_cycle: set[ServoId] = Field(default_factory=set)


def parse_control(args: Mapping[str, object]) -> BusControl:
    """Control of the bus from plain data; ids as integers or strings. Errors: BadInput."""
    return validate(dict(args), BusControl, "control of the servo bus")
