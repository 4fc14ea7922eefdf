"""`parameters` of a camera in a rig file."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Parameters(BaseModel):
    """What is asked of the camera, and what its self-test calls good.

    Settings that are not stated are left as the camera has them. Those of the picture
    (`fourcc`, exposure, gain, white balance) exist for V4L2 cameras only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int | None = Field(None, ge=16, le=8192, description="pixels")
    height: int | None = Field(None, ge=16, le=8192, description="pixels")
    rate_hz: float = Field(30.0, gt=0, le=1000, description="frames a second")
    fourcc: str | None = Field(
        None, pattern="^[A-Z0-9 ]{4}$", description="pixel format, e.g. MJPG or YUYV"
    )
    exposure_us: float | None = Field(None, gt=0, description="switches automatic exposure off")
    gain: float | None = Field(None, ge=0, description="in the camera's own unit")
    white_balance_k: float | None = Field(
        None, gt=0, description="switches automatic white balance off"
    )
    rtsp_transport: Literal["tcp", "udp"] = "tcp"

    read_timeout_s: float = Field(
        2.0, ge=0.1, le=60, description="a stream silent for so long has ended"
    )
    rate_share: float = Field(0.9, gt=0, le=1, description="of rate_hz that must be obtained")
    missed_share: float = Field(0.05, ge=0, le=1, description="frames that may be missing")
    freeze_s: float = Field(0.5, gt=0, description="same picture for so long: frozen")
    brightness_min: float = Field(30.0, ge=0, le=255, description="mean of the picture, 0..255")
    overexposed_share: float = Field(0.2, ge=0, le=1, description="pixels that may be at the top")
    sharpness_reference: float | None = Field(
        None, gt=0, description="what the self-test said when the picture was known to be sharp"
    )
    sharpness_share: float = Field(0.5, gt=0, le=1, description="of the reference that is wanted")

    @model_validator(mode="after")
    def _whole_size(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together")
        return self
