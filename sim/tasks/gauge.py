"""A pressure gauge and a look at it, as plain data; drawn by `gauge_render`.

The dial follows the usual bourdon-tube instrument (EN 837-1): the scale turns 270 degrees
clockwise from lower left to lower right, zero at -135 degrees from upright.
"""

from __future__ import annotations

from dataclasses import dataclass

SWEEP_DEG = 270.0
ZERO_DEG = -135.0

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""

NEEDLES = ("taper", "blade", "spear")
"""Names of the needle shapes."""


@dataclass(frozen=True, slots=True)
class Scale:
    """One printed scale: `majors` numbered divisions with `minors` ticks each."""

    full_scale: float
    majors: int
    minors: int

    def number(self, index: int) -> str:
        """Text at a numbered division."""
        return f"{self.full_scale * index / self.majors:.4g}"


SCALES = (
    Scale(1.0, 5, 10),
    Scale(1.6, 8, 5),
    Scale(2.5, 5, 5),
    Scale(4.0, 8, 5),
    Scale(6.0, 6, 5),
    Scale(10.0, 5, 10),
    Scale(16.0, 8, 2),
    Scale(25.0, 5, 5),
)
"""Ranges of the preferred series of EN 837-1."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One instrument and what it shows.

    `value_fraction` is the reading over the full scale, 0..1. `red_from_fraction` >= 1 means
    no red zone. `bezel_level` is the mean brightness of the case's ring, 0..255.
    """

    value_fraction: float
    scale: Scale
    unit: str
    needle: str
    dial_colour: Colour
    bezel_level: int
    red_from_fraction: float


@dataclass(frozen=True, slots=True)
class Look:
    """One view of the gauge and its light.

    Angles in degrees: `roll_deg` about the line of sight, clockwise; the face is tilted by
    `tilt_deg` about an axis in the image at `tilt_axis_deg`. `zoom` is the gauge's radius over
    half the picture's side, offsets are in the same unit. `blur_px` and `motion_px` are the
    standard deviation of defocus and the length of motion blur in picture pixels. `glare`
    0..1 is the strength of the reflection at `glare_x`, `glare_y` (gauge radii), turned by
    `glare_deg`. `illumination` is the gain of light, `gradient` its relative change from the
    middle of the picture to its edge towards `gradient_deg`. `noise_levels` is the standard
    deviation of the sensor's noise, of 255. The seeds fix noise and the wall behind.
    """

    roll_deg: float
    tilt_deg: float
    tilt_axis_deg: float
    zoom: float
    offset_x: float
    offset_y: float
    blur_px: float
    motion_px: float
    motion_deg: float
    glare: float
    glare_x: float
    glare_y: float
    glare_deg: float
    illumination: float
    gradient: float
    gradient_deg: float
    noise_levels: float
    wall_colour: Colour
    wall_seed: int
    noise_seed: int


def needle_angle_deg(value_fraction: float) -> float:
    """Angle of the needle, degrees clockwise from upright."""
    return ZERO_DEG + SWEEP_DEG * value_fraction
