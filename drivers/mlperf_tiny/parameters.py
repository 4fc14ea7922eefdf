"""What a rig file may say of a board (`parameters` of driver `mlperf-tiny`)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Parameters(BaseModel):
    """Schema of the table.

    `boot_wait_s` is how long a board may take to say that the opening of the port has reset it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    baud: int = Field(115_200, gt=0)
    io_manager: bool = Field(False, description="the port leads to an IO manager before the board")
    boot_wait_s: float = Field(1.0, ge=0, le=10)
    iterations: int = Field(1, ge=1, le=1_000_000, description="inferences for one answer")
    warmup: int = Field(0, ge=0, le=1_000_000, description="inferences before, not timed")
    read_back: bool = Field(False, description="compare each tensor with what the board holds")
    output: str = Field("results", min_length=1, description="name given to the results")
