"""The emulated camera's pictures: a pattern that moves under a mark. No clock, no socket."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hil.errors import BadInput
from sim.emulated.mjpeg.faults import Faults
from sim.emulated.mjpeg.mark import Mark, paint

_CELL = 16
_STEP = 3
"""Pixels that the pattern moves from frame to frame."""

_BLUR_PX = 21
_DARK = 0.03
_LEVELS = (40, 210)


class Pattern:
    """Frames of one size, as JPEG.

    Args:
        size: width and height, pixels.
        picture: a file to show in place of the checkered pattern.
        quality: of the JPEG, 10..100.
        seed: of the pattern and of the noise of broken frames.

    Errors: BadInput where `picture` cannot be read.
    """

    def __init__(
        self, size: tuple[int, int], picture: Path | None, quality: int, seed: int
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._ground = _load(picture, size) if picture else self._cells(size)
        self._quality = quality

    def render(self, mark: Mark, faults: Faults) -> NDArray[np.uint8]:
        """BGR picture of frame `mark`, shape (h, w, 3); dark or blurred, nobody can read it."""
        image = np.roll(self._ground, mark.number * _STEP, axis=1)
        if faults.overexposed:
            image[:] = 255
        paint(image, mark)
        if faults.dark:
            image = np.asarray(image * _DARK, np.uint8)
        if faults.blur:
            image = np.asarray(cv2.GaussianBlur(image, (_BLUR_PX, _BLUR_PX), 0), np.uint8)
        return image

    def encode(self, image: NDArray[np.uint8], faults: Faults) -> bytes:
        """The JPEG, spoilt where the faults say so."""
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._quality]
        jpeg = bytes(cv2.imencode(".jpg", image, quality)[1])
        if faults.broken == "none" or self._random.random() >= faults.broken_share:
            return jpeg
        if faults.broken == "truncated":
            return jpeg[: len(jpeg) // 2]
        return self._random.bytes(len(jpeg)) if faults.broken == "garbage" else b""

    def _cells(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        shape = (-(-size[1] // _CELL), -(-size[0] // _CELL), 3)
        cells = self._random.integers(*_LEVELS, shape, dtype=np.uint8)
        return cells.repeat(_CELL, axis=0).repeat(_CELL, axis=1)[: size[1], : size[0]].copy()


def _load(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise BadInput(
            f"{path}: no picture that can be read", "name a picture file, relative to the rig file"
        )
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
