"""Cameras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.clock import Deadline
from hil.contracts.base import Device


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: RGB, uint8, shape (h, w, 3).

    `stamp_ns` is when the host had the frame (its exposure was earlier, by a time that a camera
    rarely tells); `device_stamp_ns` the camera's own stamp, on the camera's clock, or `NEVER`.
    `index` counts frames received since `open`; `missed` those that should have come between
    this and the one before, by the stamps. `repeated` is true where the picture is the same,
    bit for bit, as the one before: a camera that has frozen.
    """

    image: NDArray[np.uint8]
    stamp_ns: int
    index: int
    missed: int
    repeated: bool
    device_stamp_ns: int


@runtime_checkable
class Camera(Device, Protocol):
    """A stream of pictures."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as obtained."""
        ...

    @property
    def rate_hz(self) -> float:
        """Frames a second, as asked for."""
        ...

    def newest(self, deadline: Deadline) -> Frame:
        """The newest frame, which no call has returned before; waits for it.

        Errors: DeadlineMissed where none came, LinkLost where the stream ended.
        """
        ...
