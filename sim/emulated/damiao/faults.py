"""Faults that a test can plant on emulated motors and their adapter, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hil.config import validate
from sim.emulated.motors import take_one

MotorId = Annotated[int, Field(ge=1, le=0xFF)]
Count = Annotated[int, Field(ge=0)]


class ChainFaults(BaseModel):
    """What is wrong from now on; the empty table is a chain in order."""

    model_config = ConfigDict(extra="forbid")

    silent: set[MotorId] = Field(default_factory=set, description="ids that obey and never answer")
    lose: dict[MotorId, Count] = Field(
        default_factory=dict, description="by id: how many of the next answers get lost"
    )
    delay_us: dict[MotorId, Annotated[int, Field(ge=0, le=10_000_000)]] = Field(
        default_factory=dict, description="by id: how much later than due every answer comes"
    )
    duplicate: set[MotorId] = Field(default_factory=set, description="ids whose answers come twice")
    renamed: dict[MotorId, MotorId] = Field(
        default_factory=dict, description="by id: another id that the motor's states bear"
    )
    status: dict[MotorId, Annotated[int, Field(ge=0, le=15)]] = Field(
        default_factory=dict, description="by id: status in every state, whatever the motor does"
    )
    corrupt: Count = Field(0, description="how many of the next lines get a broken character")
    naks: Count = Field(0, description="how many of the next frames the adapter refuses")
    lost_acks: Count = Field(0, description="how many of the next frames it does not acknowledge")
    refuse_open: bool = Field(False, description="the adapter refuses to open its channel")
    mute: bool = Field(False, description="the adapter neither obeys nor answers")
    bus_off: bool = Field(False, description="the controller is off the bus and refuses frames")
    flood_hz: int = Field(0, ge=0, le=20_000, description="frames a second of somebody else's")

    def take(self, name: str) -> bool:
        """Use up one of a counted fault of the adapter; False where none is left."""
        left = int(getattr(self, name))
        if left:
            setattr(self, name, left - 1)
        return left > 0

    def take_loss(self, motor: int) -> bool:
        """Whether this answer gets lost; uses up one."""
        return take_one(self.lose, motor)


class ChainControl(BaseModel):
    """What can be done to the chain: replace its faults, switch motors off and on, close the
    adapter's channel as if by itself, turn the supply."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faults: ChainFaults | None = None
    power_cycle: set[MotorId] = Field(default_factory=set)
    close_channel: bool = False
    supply_v: float | None = Field(None, ge=0, le=100)


def parse_control(args: Mapping[str, object]) -> ChainControl:
    """Control of the chain from plain data; ids as integers or strings. Errors: BadInput."""
    return validate(dict(args), ChainControl, "control of the damiao chain")
