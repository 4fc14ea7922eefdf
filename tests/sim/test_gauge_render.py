"""The renderer: the same bytes for the same draw, and a needle that shows the value."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from sim.tasks.gauge import NEEDLES, SCALES, Gauge, Look, needle_angle_deg
from sim.tasks.gauge_face import draw_face
from sim.tasks.gauge_read import TASK, Parameters
from sim.tasks.gauge_render import face_for, jpeg, photograph, render

_GAUGE = Gauge(0.4, SCALES[3], "bar", "taper", (240, 240, 240), 120, 1.0)
_STRAIGHT = Look(
    roll_deg=0.0, tilt_deg=0.0, tilt_axis_deg=0.0, zoom=0.85, offset_x=0.0, offset_y=0.0,
    blur_px=0.0, motion_px=0.0, motion_deg=0.0, glare=0.0, glare_x=0.0, glare_y=0.0,
    glare_deg=0.0, illumination=1.0, gradient=0.0, gradient_deg=0.0, noise_levels=0.0,
    wall_colour=(150, 150, 150), wall_seed=1, noise_seed=1,
)  # fmt: skip

_DIGEST = """
import hashlib, numpy as np
from sim.tasks.gauge_read import TASK
draw = TASK.draw(TASK.Parameters(), np.random.default_rng(5))
print(hashlib.sha256(b"".join(s["image"] for s in TASK.stimuli(draw))).hexdigest())
"""


def test_two_processes_give_the_same_bytes() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _DIGEST], capture_output=True, text=True, check=True
    )
    draw = TASK.draw(Parameters(), np.random.default_rng(5))
    here = hashlib.sha256(b"".join(bytes(s["image"]) for s in TASK.stimuli(draw))).hexdigest()
    assert run.stdout.strip() == here


def test_a_draw_survives_json() -> None:
    draw = TASK.draw(Parameters(), np.random.default_rng(6))
    again = json.loads(json.dumps(draw))
    assert again == draw
    assert TASK.stimuli(again) == TASK.stimuli(draw)


def _needle_direction_deg(gauge: Gauge) -> float:
    """Direction of what the needle adds to the bare dial, degrees clockwise from upright."""
    picture, _ = draw_face(gauge, 300)
    mirrored, _ = draw_face(replace(gauge, value_fraction=1 - gauge.value_fraction), 300)
    dark = np.clip(mirrored.astype(int) - picture, 0, None).sum(axis=2).astype(float)
    y, x = np.mgrid[:300, :300] - 149.5
    ring = (np.hypot(x, y) > 0.45 * 120) & (np.hypot(x, y) < 0.70 * 120)
    weight = dark * ring
    return float(np.degrees(np.arctan2((weight * x).sum(), -(weight * y).sum())))


@pytest.mark.parametrize("needle", NEEDLES)
def test_the_needle_turns_with_the_value(needle: str) -> None:
    for value in (0.02, 0.2, 0.35, 0.65, 0.8, 0.98):
        gauge = replace(_GAUGE, needle=needle, value_fraction=value)
        assert _needle_direction_deg(gauge) == pytest.approx(needle_angle_deg(value), abs=4)


def test_zero_and_full_scale_are_where_the_standard_has_them() -> None:
    assert [needle_angle_deg(value) for value in (0.0, 0.5, 1.0)] == [-135.0, 0.0, 135.0]


def test_roll_turns_the_picture_clockwise() -> None:
    # upright needle, rolled by a quarter turn, is the needle of a dial lying on its side
    bare = replace(_STRAIGHT, roll_deg=90.0)
    upright = photograph(face_for(_GAUGE, 160), _STRAIGHT, 160)
    rolled = photograph(face_for(_GAUGE, 160), bare, 160)
    turned = cv2.rotate(upright, cv2.ROTATE_90_CLOCKWISE)
    inside = np.hypot(*(np.mgrid[:160, :160] - 79.5)) < 0.8 * 0.85 * 80
    difference = np.abs(turned.astype(int) - rolled).mean(axis=2)[inside]
    assert difference.mean() < 2


@pytest.mark.parametrize(
    ("change", "measure"),
    [
        ({"blur_px": 1.5}, lambda p: -cv2.Laplacian(p, cv2.CV_64F).std()),
        ({"motion_px": 6.0}, lambda p: -cv2.Laplacian(p, cv2.CV_64F).std()),
        ({"noise_levels": 8.0}, lambda p: cv2.Laplacian(p, cv2.CV_64F).std()),
        ({"illumination": 0.6}, lambda p: -p.mean()),
        ({"glare": 0.6}, lambda p: p.mean()),
        ({"zoom": 0.7}, lambda p: -float((p > 220).mean())),
        ({"offset_x": 0.1}, lambda p: (p * np.arange(160.0)[:, None]).mean()),
    ],
)
def test_every_trouble_shows_in_the_picture(change: dict[str, float], measure: object) -> None:
    plain = render(_GAUGE, _STRAIGHT, 160)
    troubled = render(_GAUGE, replace(_STRAIGHT, **change), 160)  # type: ignore[arg-type]
    assert plain.shape == troubled.shape == (160, 160, 3)
    assert measure(troubled) > measure(plain)  # type: ignore[operator]


def test_jpeg_quality_trades_bytes() -> None:
    picture = render(_GAUGE, _STRAIGHT, 160)
    assert len(jpeg(picture, 40)) < len(jpeg(picture, 95))


def test_numbers_on_the_dial() -> None:
    assert [SCALES[1].number(i) for i in (0, 1, 8)] == ["0", "0.2", "1.6"]
