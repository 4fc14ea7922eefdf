"""Encodes pictures for the record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.errors import HarnessError


def encode_png(rgb: NDArray[np.uint8]) -> bytes:
    """PNG of an RGB image, shape (h, w, 3). Equal images give equal bytes."""
    import cv2  # heavy: only runs that take pictures pay for it

    done, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not done:
        raise HarnessError(f"an image of shape {rgb.shape} could not be encoded as PNG")
    return data.tobytes()
