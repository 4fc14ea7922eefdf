"""RGB-D camera: what it makes of a true picture.

Colour has noise and 256 steps; depth has a range, noise that grows with the square of the distance
as that of stereo does, steps, and holes where nothing is within range.

It is no lens and no sensor: a pinhole without distortion or motion blur, PyBullet's flat light and
sharp shadows, every pixel exposed in one instant, no depth shadow of a second camera or projector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hil.contracts import FloatArray
from sim.sensing.channel import Sampling
from sim.sensing.tables import NotNegative, Positive


class CameraModel(Sampling):
    """A camera as data.

    Attributes:
        width, height: pixels.
        fov_deg: vertical field of view.
        noise: standard deviation of a colour's 0..255.
        depth_range_m: nearest and farthest that has a depth.
        depth_noise_m: standard deviation of the depth at 1 m; at z it is z² times that.
        depth_step_m: step between depths, 0 for none.
    """

    width: int = Field(64, ge=8, le=1280)
    height: int = Field(48, ge=8, le=1024)
    fov_deg: float = Field(45.0, gt=1, lt=150)
    noise: NotNegative = 0.0
    depth_range_m: tuple[Positive, Positive] = (0.1, 3.0)
    depth_noise_m: NotNegative = 0.0
    depth_step_m: NotNegative = 0.0


def labels(model: CameraModel) -> tuple[str, ...]:
    """Of the numbers of a frame, row by row: `r`, `g`, `b` and `d` of each pixel, as
    `r.ROW.COLUMN`."""
    return tuple(
        f"{kind}.{row}.{column}"
        for row in range(model.height)
        for column in range(model.width)
        for kind in "rgbd"
    )


def numbers(image: NDArray[np.uint8], depth: FloatArray) -> FloatArray:
    """Colours 0..1 and depths in m of (h, w, 3) and (h, w), in the order of `labels`."""
    found: FloatArray = np.concatenate([image / 255.0, depth[:, :, None]], axis=2).ravel()
    return found


def spoilt(
    model: CameraModel, image: NDArray[np.uint8], depth: FloatArray, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], FloatArray]:
    """A true picture (h, w, 3) and distances (h, w) in m, as the camera has them."""
    # both are drawn every time: one figure of the table leaves the other's noise alone
    grain = rng.normal(0.0, 1.0, image.shape) * model.noise
    far = rng.normal(0.0, 1.0, depth.shape) * model.depth_noise_m * depth**2
    near_m, far_m = model.depth_range_m
    told = depth + far
    if model.depth_step_m:
        told = np.rint(told / model.depth_step_m) * model.depth_step_m
    told = np.where((depth >= near_m) & (depth <= far_m), told, np.nan)
    seen: NDArray[np.uint8] = np.clip(np.rint(image + grain), 0, 255).astype(np.uint8)
    return seen, told
