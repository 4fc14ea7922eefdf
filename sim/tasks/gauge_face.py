"""Drawing of a pressure gauge's face, seen straight on. Pure functions, no randomness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import cos, radians, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.tasks.gauge import Colour, Gauge, needle_angle_deg

FACE_SPAN = 1.25
"""Half the side of the drawing in gauge radii: room for the stem below the case."""

Pixels = NDArray[np.uint8]
Paint = Sequence[float] | float

_SHIFT = 4  # sub-pixel bits of OpenCV's drawing functions
_GLASS = 0.87  # radii of the parts, in gauge radii
_TICKS = 0.80
_NUMBERS = 0.56
_INK: Colour = (38, 34, 32)
_RED: Colour = (45, 38, 190)
_BRASS: Colour = (92, 150, 182)


def draw_face(gauge: Gauge, side_px: int) -> tuple[Pixels, Pixels]:
    """Picture (side, side, 3) BGR and coverage (side, side) 0..255 of the instrument."""
    canvas = _Canvas(side_px)
    _draw_case(canvas, gauge)
    _draw_scale(canvas, gauge)
    _draw_lettering(canvas, gauge)
    _draw_needle(canvas, gauge)
    return canvas.picture, canvas.coverage


class _Canvas:
    """Pixels with drawing in gauge radii, origin in the middle, y down."""

    def __init__(self, side_px: int) -> None:
        self.picture: Pixels = np.zeros((side_px, side_px, 3), np.uint8)
        self.coverage: Pixels = np.zeros((side_px, side_px), np.uint8)
        self.middle = (side_px - 1) / 2
        self.radius = side_px / (2 * FACE_SPAN)

    def fixed(self, x: float, y: float) -> tuple[int, int]:
        """Pixel position with sub-pixel bits."""
        scale = 1 << _SHIFT
        return (
            round((self.middle + x * self.radius) * scale),
            round((self.middle + y * self.radius) * scale),
        )

    def polygon(self, target: Pixels, points: list[tuple[float, float]], colour: Paint) -> None:
        corners = np.array([self.fixed(*point) for point in points], np.int32)
        cv2.fillConvexPoly(target, corners, colour, cv2.LINE_AA, _SHIFT)

    def disc(self, target: Pixels, radius: float, colour: Paint) -> None:
        length = round(radius * self.radius * (1 << _SHIFT))
        cv2.circle(target, self.fixed(0, 0), length, colour, -1, cv2.LINE_AA, _SHIFT)

    def ray(self, angle_deg: float, inner: float, outer: float, width: float, c: Colour) -> None:
        """Straight mark along the radius at `angle_deg`, as a thin rectangle."""
        along, across = _axes(angle_deg)
        corners = [(inner, -width / 2), (outer, -width / 2), (outer, width / 2), (inner, width / 2)]
        self.polygon(self.picture, [_at(along, across, *corner) for corner in corners], c)

    def text(self, words: str, x: float, y: float, height: float, colour: Colour) -> None:
        """Centred text; `height` of capitals in gauge radii."""
        font = cv2.FONT_HERSHEY_SIMPLEX
        scale = height * self.radius / 21  # a capital is 21 units high at scale 1
        thickness = max(1, round(scale * 2.2))
        (width_px, height_px), _ = cv2.getTextSize(words, font, scale, thickness)
        left = round(self.middle + x * self.radius - width_px / 2)
        base = round(self.middle + y * self.radius + height_px / 2)
        cv2.putText(self.picture, words, (left, base), font, scale, colour, thickness, cv2.LINE_AA)


def _draw_case(canvas: _Canvas, gauge: Gauge) -> None:
    for target, colour in ((canvas.picture, _BRASS), (canvas.coverage, 255)):
        canvas.polygon(target, [(-0.13, 0.9), (0.13, 0.9), (0.13, 1.25), (-0.13, 1.25)], colour)
    canvas.polygon(
        canvas.picture,
        [(-0.13, 0.9), (-0.05, 0.9), (-0.05, 1.25), (-0.13, 1.25)],
        tuple(level - 45 for level in _BRASS),
    )
    canvas.disc(canvas.coverage, 1.0, 255)
    canvas.disc(canvas.picture, 1.0, (20, 20, 20))
    _draw_bezel(canvas, gauge.bezel_level)
    canvas.disc(canvas.picture, _GLASS + 0.015, (30, 30, 30))
    canvas.disc(canvas.picture, _GLASS, gauge.dial_colour)


def _draw_bezel(canvas: _Canvas, level: int) -> None:
    """Turned metal: brightness changes with the angle, as on a lathe-cut ring."""
    ring = np.zeros_like(canvas.coverage)
    canvas.disc(ring, 0.985, 255)
    canvas.disc(ring, _GLASS, 0)
    rows, columns = np.nonzero(ring > 127)
    y, x = (rows - canvas.middle) / canvas.radius, (columns - canvas.middle) / canvas.radius
    angle, distance = np.arctan2(y, x), np.hypot(x, y)
    shine = level * (1 + 0.35 * np.cos(2 * angle + 1.1) * np.cos(angle - 0.4))
    rounded = 1 - 0.5 * ((distance - 0.935) / 0.065) ** 2
    metal = np.clip(shine * rounded, 0, 255).astype(np.uint8)
    canvas.picture[rows, columns] = metal[:, np.newaxis]


def _draw_scale(canvas: _Canvas, gauge: Gauge) -> None:
    scale = gauge.scale
    steps = scale.majors * scale.minors
    if gauge.red_from_fraction < 1:
        _draw_red_zone(canvas, gauge.red_from_fraction)
    for step in range(steps + 1):
        angle = needle_angle_deg(step / steps)
        major = step % scale.minors == 0
        canvas.ray(
            angle, _TICKS - (0.13 if major else 0.07), _TICKS, 0.024 if major else 0.012, _INK
        )
    for index in range(scale.majors + 1):
        along, _ = _axes(needle_angle_deg(index / scale.majors))
        x, y = along[0] * _NUMBERS, along[1] * _NUMBERS
        canvas.text(scale.number(index), x, y, 0.105, _INK)


def _draw_red_zone(canvas: _Canvas, start_fraction: float) -> None:
    start, end = needle_angle_deg(start_fraction), needle_angle_deg(1.0)
    angles = np.linspace(start, end, 40)
    for first, second in pairwise(angles):
        corners = [(first, 0.81), (second, 0.81), (second, 0.85), (first, 0.85)]
        points = [_at(_axes(angle)[0], (0.0, 0.0), radius, 0.0) for angle, radius in corners]
        canvas.polygon(canvas.picture, points, _RED)


def _draw_lettering(canvas: _Canvas, gauge: Gauge) -> None:
    canvas.text(gauge.unit, 0, 0.33, 0.13, _INK)
    canvas.text("cl. 1.6", 0, 0.70, 0.055, (90, 86, 84))


def _draw_needle(canvas: _Canvas, gauge: Gauge) -> None:
    angle = needle_angle_deg(gauge.value_fraction)
    shape, colour = _NEEDLES[gauge.needle]
    _cast_shadow(canvas, angle, shape)
    along, across = _axes(angle)
    for part in shape():
        canvas.polygon(canvas.picture, [_at(along, across, *corner) for corner in part], colour)
    canvas.disc(canvas.picture, 0.085, (48, 46, 46))
    canvas.disc(canvas.picture, 0.045, (120, 122, 126))


def _cast_shadow(canvas: _Canvas, angle_deg: float, shape: _Shape) -> None:
    """Soft shadow of the needle on the dial, light from upper left."""
    dark = np.zeros_like(canvas.coverage)
    along, across = _axes(angle_deg)
    for part in shape():
        corners = [_at(along, across, *corner) for corner in part]
        canvas.polygon(dark, [(x + 0.02, y + 0.03) for x, y in corners], 90)
    soft = cv2.GaussianBlur(dark, (0, 0), 0.015 * canvas.radius)
    keep = cv2.cvtColor(255 - soft, cv2.COLOR_GRAY2BGR)
    cv2.multiply(canvas.picture, keep, dst=canvas.picture, scale=1 / 255)


_Part = list[tuple[float, float]]
_Shape = Callable[[], list[_Part]]


def _taper() -> list[_Part]:
    return [
        [
            (-0.24, -0.045),
            (0.0, -0.032),
            (0.74, -0.006),
            (0.74, 0.006),
            (0.0, 0.032),
            (-0.24, 0.045),
        ]
    ]


def _blade() -> list[_Part]:
    return [
        [(-0.20, -0.022), (0.76, -0.014), (0.76, 0.014), (-0.20, 0.022)],
        [(-0.26, -0.06), (-0.12, -0.06), (-0.12, 0.06), (-0.26, 0.06)],
    ]


def _spear() -> list[_Part]:
    return [
        [(-0.22, -0.018), (0.48, -0.014), (0.48, 0.014), (-0.22, 0.018)],
        [(0.44, -0.045), (0.77, 0.0), (0.44, 0.045)],
    ]


_NEEDLES: dict[str, tuple[_Shape, Colour]] = {
    "taper": (_taper, _INK),
    "blade": (_blade, (30, 30, 34)),
    "spear": (_spear, (40, 36, 170)),
}


def _axes(angle_deg: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Unit vectors along and across a direction, y down."""
    angle = radians(angle_deg)
    return (sin(angle), -cos(angle)), (cos(angle), sin(angle))


def _at(
    along: tuple[float, float], across: tuple[float, float], far: float, aside: float
) -> tuple[float, float]:
    return (along[0] * far + across[0] * aside, along[1] * far + across[1] * aside)
