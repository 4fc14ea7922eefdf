"""What can be wrong with the emulated camera; set by control, one table for all."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sim.emulated.mjpeg.mark import BLOCK


class Faults(BaseModel):
    """`freeze` repeats the last frame, number and stamp included, and goes on sending it.

    `drop_share` of the frames are made and never sent. `stall` keeps the connection and sends
    nothing; `refuse` answers new requests for the stream with 503. `delay_ms` is how long after
    its stamp a frame is sent, `rate_hz` another rate than the one announced. `broken` spoils
    the JPEG: cut in half ("truncated"), noise ("garbage"), no bytes at all ("empty"); of
    `broken_share` of the frames. `width` and `height` are another size of the pictures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    freeze: bool = False
    drop_share: float = Field(default=0.0, ge=0, le=1)
    dark: bool = False
    overexposed: bool = False
    blur: bool = False
    stall: bool = False
    refuse: bool = False
    delay_ms: float = Field(default=0.0, ge=0, le=2000)
    rate_hz: float | None = Field(default=None, gt=0, le=120)
    broken: Literal["none", "truncated", "garbage", "empty"] = "none"
    broken_share: float = Field(default=1.0, ge=0, le=1)
    width: int | None = Field(default=None, ge=96, le=1920, multiple_of=BLOCK)
    height: int | None = Field(default=None, ge=96, le=1080, multiple_of=BLOCK)
