"""Figures of one picture for a camera's self-test. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_TOP = 250
"""From this level of 255 on a pixel counts as overexposed."""


@dataclass(frozen=True, slots=True)
class Look:
    """`brightness` is the mean of the grey picture, 0..255; `overexposed` the share of its
    pixels at the top.

    `sharpness` is the variance of its Laplacian. It depends on the scene, the light and the
    size, so it is relative: to be compared with the same camera's view of the same scene.
    """

    brightness: float
    overexposed: float
    sharpness: float


def look_at(image: NDArray[np.uint8]) -> Look:
    """Figures of an RGB picture of shape (h, w, 3)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_64F)
    return Look(float(grey.mean()), float((grey >= _TOP).mean()), float(edges.var()))
