"""Pictures of an analogue gauge as glasses with a camera would take them. Pure functions.

An approximation: the face is a flat plane under a pin-hole camera (no parallax between needle
and dial), glare is a bright patch added in the image, the wall stands still while the gauge
shakes, and the sensor's noise is Gaussian.
"""

from __future__ import annotations

from math import cos, radians, sin
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.tasks.gauge import Gauge, Look
from sim.tasks.gauge_face import FACE_SPAN, Pixels, draw_face

_FINE = 2  # drawn this much larger, then averaged: edges fall between pixels as in a camera
_CAMERA_DISTANCE = 4.0  # in gauge radii

Face = tuple[Pixels, Pixels]
Floats = NDArray[np.float32]


def render(gauge: Gauge, look: Look, side_px: int) -> Pixels:
    """One picture, shape (side_px, side_px, 3), BGR; the same arguments give the same bytes."""
    return photograph(face_for(gauge, side_px), look, side_px)


def face_for(gauge: Gauge, side_px: int) -> Face:
    """The gauge drawn once, finely enough for pictures of `side_px`."""
    return draw_face(gauge, _FINE * side_px)


def photograph(face: Face, look: Look, side_px: int) -> Pixels:
    """Picture of a face already drawn, for several looks at one gauge."""
    picture, coverage = face
    view = _view(look, picture.shape[0], side_px)
    seen, alpha = _seen(picture, view, side_px), _seen(coverage, view, side_px)
    scene = _shaded(_wall(look, side_px), alpha, side_px)
    scene += (seen.astype(np.float32) - scene) * (alpha.astype(np.float32) / 255)[:, :, np.newaxis]
    scene *= _light(look, side_px)
    scene += (255 - scene) * _glare(look, view, picture.shape[0], side_px)
    scene = _blurred(scene, look)
    rng = np.random.default_rng(look.noise_seed)
    noise = rng.standard_normal(scene.shape, dtype=np.float32)
    scene += np.float32(look.noise_levels) * noise
    return np.clip(np.rint(scene), 0, 255).astype(np.uint8)


def jpeg(picture: Pixels, quality: int) -> bytes:
    """The picture compressed; `quality` 1..100 as in libjpeg."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)


def _seen(plane: Pixels, view: NDArray[np.float64], side_px: int) -> Pixels:
    """A plane of the face as the camera sees it: warped finely, then averaged."""
    middle = (_FINE - 1) / 2
    finer = np.array([[_FINE, 0, middle], [0, _FINE, middle], [0, 0, 1]])
    fine_px = (_FINE * side_px, _FINE * side_px)
    warped = cv2.warpPerspective(plane, finer @ view, fine_px, flags=cv2.INTER_LINEAR)
    return np.asarray(
        cv2.resize(warped, (side_px, side_px), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def _view(look: Look, face_px: int, out_px: int) -> NDArray[np.float64]:
    """Homography from face pixels to picture pixels, shape (3, 3)."""
    axis, tilt, roll = radians(look.tilt_axis_deg), radians(look.tilt_deg), radians(look.roll_deg)
    ux, uy, c, s = cos(axis), sin(axis), cos(tilt), sin(tilt)
    # Rodrigues' rotation about (ux, uy, 0), columns for x and y of the plane
    turn = np.array(
        [
            [c + ux * ux * (1 - c), ux * uy * (1 - c)],
            [ux * uy * (1 - c), c + uy * uy * (1 - c)],
            [-uy * s, ux * s],
        ]
    )
    camera = np.zeros((3, 3))
    camera[:2, :2] = [[cos(roll), -sin(roll)], [sin(roll), cos(roll)]] @ turn[:2]
    camera[2, :2] = turn[2] / _CAMERA_DISTANCE
    camera[2, 2] = 1
    per_radius = face_px / (2 * FACE_SPAN)
    middle = (face_px - 1) / 2
    to_radii = np.array([[1, 0, -middle], [0, 1, -middle], [0, 0, per_radius]]) / per_radius
    half = out_px / 2
    shift = (out_px - 1) / 2
    to_pixels = np.array(
        [
            [half * look.zoom, 0, shift + half * look.offset_x],
            [0, half * look.zoom, shift + half * look.offset_y],
            [0, 0, 1],
        ]
    )
    return to_pixels @ camera @ to_radii


def _wall(look: Look, side: int) -> Floats:
    """Painted wall with large soft stains and a pipe, float32 (side, side, 3)."""
    rng = np.random.default_rng(look.wall_seed)
    coarse = rng.standard_normal((6, 6), dtype=np.float32)
    fine = rng.standard_normal((side // 2, side // 2), dtype=np.float32)
    stains = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    grain = cv2.resize(fine, (side, side), interpolation=cv2.INTER_LINEAR)
    wall = np.empty((side, side, 3), np.float32)
    wall[:] = look.wall_colour
    wall += (8 * stains + 3 * grain)[:, :, np.newaxis]
    centre, width = rng.uniform(0.05, 0.95) * side, rng.uniform(0.08, 0.2) * side
    across = (np.arange(side, dtype=np.float32) - centre) / (width / 2)
    pipe = np.abs(across) < 1
    wall[:, pipe] = (105 * np.sqrt(1 - across[pipe] ** 2) + 45)[np.newaxis, :, np.newaxis]
    return np.clip(wall, 0, 255)


def _shaded(scene: Floats, alpha: Pixels, side: int) -> Floats:
    """The case's own soft shadow on the wall."""
    shift = np.array([[1, 0, 0.02 * side], [0, 1, 0.03 * side]], np.float32)
    moved = cv2.warpAffine(alpha, shift, (side, side))
    soft = cv2.blur(moved, (side // 12, side // 12)).astype(np.float32)[:, :, np.newaxis]
    return np.asarray(scene * (1 - 0.45 * soft / 255), dtype=np.float32)


def _light(look: Look, side: int) -> Floats:
    """Gain of each pixel, (side, side, 1)."""
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    angle = radians(look.gradient_deg)
    slope = axis[np.newaxis, :] * cos(angle) + axis[:, np.newaxis] * sin(angle)
    return (look.illumination * (1 + look.gradient * slope)).astype(np.float32)[:, :, np.newaxis]


def _glare(look: Look, view: NDArray[np.float64], face_px: int, side: int) -> Floats:
    """Share of white added at each pixel by a reflection on the glass, (side, side, 1)."""
    per_radius = face_px / (2 * FACE_SPAN)
    middle = (face_px - 1) / 2
    at = view @ [middle + look.glare_x * per_radius, middle + look.glare_y * per_radius, 1]
    centre = (at[0] / at[2], at[1] / at[2])
    radius = look.zoom * side / 2
    patch = np.zeros((side, side), np.uint8)
    cv2.ellipse(
        patch, (centre, (0.9 * radius, 0.28 * radius), look.glare_deg), 255, -1, cv2.LINE_AA
    )
    soft = cv2.GaussianBlur(patch, (0, 0), 0.05 * radius).astype(np.float32) / 255
    return np.asarray(look.glare * soft, dtype=np.float32)[:, :, np.newaxis]


def _blurred(scene: Floats, look: Look) -> Floats:
    blurred: Any = scene
    if look.motion_px > 0:
        blurred = cv2.filter2D(blurred, -1, _motion_kernel(look))
    if look.blur_px > 0:
        blurred = cv2.GaussianBlur(blurred, (0, 0), look.blur_px)
    return np.asarray(blurred, dtype=np.float32)


def _motion_kernel(look: Look) -> Floats:
    """Straight line of unit sum; length in picture pixels."""
    reach = max(1, round(look.motion_px / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    angle = radians(look.motion_deg)
    end = (round(reach + reach * cos(angle)), round(reach + reach * sin(angle)))
    start = (2 * reach - end[0], 2 * reach - end[1])
    cv2.line(kernel, start, end, 255, 1, cv2.LINE_AA)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)
