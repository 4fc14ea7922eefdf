"""Archetype gauge-read: a terminal reads an analogue pressure gauge from pictures.

One gauge is one episode, seen in a few looks with the small shake of a hand or head. The
reading is the fraction of the full scale; the episode's reading is the median over the looks.
Success: at least half of the looks were answered, and the median is within
`tolerance_fraction` of the value that was drawn. EN 837-1 states the error of a gauge the same
way, as a fraction of full scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hil.contracts import FloatArray
from hil.record.format import Episode
from hil.task import Condition, Draw, Score
from sim.tasks.gauge import NEEDLES, SCALES, Gauge, Look, Scale

_UNITS = ("bar", "MPa", "psi")
_DIALS = ((235, 240, 240), (250, 250, 250), (205, 226, 235))
_WALLS = ((150, 160, 150), (175, 178, 180), (120, 130, 150), (90, 105, 100), (165, 150, 120))
_SHAKE_MOTION_PX = 40.0  # length of motion blur for a shake of one radius


def _span(lowest: float, highest: float) -> Any:
    """Annotation of a range [low, high] inside the limits of what can be drawn."""

    def check(span: tuple[float, float]) -> tuple[float, float]:
        if not lowest <= span[0] <= span[1] <= highest:
            raise ValueError(f"must be [low, high] with {lowest} <= low <= high <= {highest}")
        return span

    return AfterValidator(check)


Span = tuple[float, float]


class Parameters(BaseModel):
    """`[task]` of a scenario. Ranges are [low, high], drawn uniformly once an episode."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frames: int = Field(default=3, ge=1, le=60, description="looks at one gauge, one a tick")
    image_px: int = Field(default=192, ge=128, le=320, description="side of the square picture")
    jpeg_quality: int = Field(default=85, ge=40, le=100)
    tolerance_fraction: float = Field(default=0.02, gt=0, le=0.2)
    value_fraction: Annotated[Span, _span(0.0, 1.0)] = (0.0, 1.0)
    roll_deg: Annotated[Span, _span(-10.0, 10.0)] = (-5.0, 5.0)
    tilt_deg: Annotated[Span, _span(0.0, 25.0)] = (0.0, 15.0)
    zoom: Annotated[Span, _span(0.7, 0.95)] = (0.78, 0.9)
    offset: Annotated[Span, _span(-0.15, 0.15)] = (-0.06, 0.06)
    blur_px: Annotated[Span, _span(0.0, 2.0)] = (0.3, 1.2)
    glare: Annotated[Span, _span(0.0, 0.9)] = (0.0, 0.6)
    illumination: Annotated[Span, _span(0.3, 1.3)] = (0.55, 1.05)
    gradient: Annotated[Span, _span(0.0, 0.5)] = (0.0, 0.3)
    noise_levels: Annotated[Span, _span(0.0, 16.0)] = (1.0, 7.0)
    shake: float = Field(
        default=0.02, ge=0, le=0.06, description="standard deviation between looks, gauge radii"
    )
    shake_deg: float = Field(default=0.7, ge=0, le=3, description="the same for roll and tilt")


class GaugeRead:
    """Implements `hil.task.StimulusTask`."""

    Parameters: type[BaseModel] = Parameters
    kind = "stimulus"

    def draw(self, parameters: BaseModel, rng: np.random.Generator) -> Draw:
        """Keys: `gauge`, `looks` (plain forms of `Gauge` and `Look`), `image_px`,
        `jpeg_quality`."""
        ranges = _checked(parameters)
        base = _draw_look(ranges, rng)
        looks = [_shaken(base, ranges, rng) for _ in range(ranges.frames)]
        return {
            "gauge": _plain(asdict(_draw_gauge(ranges, rng))),
            "looks": [_plain(asdict(look)) for look in looks],
            "image_px": ranges.image_px,
            "jpeg_quality": ranges.jpeg_quality,
        }

    def stimuli(self, draw: Draw) -> Sequence[Mapping[str, NDArray[np.float32] | bytes]]:
        """One JPEG a look, input name `image`; a pure function of the draw."""
        # drawing needs OpenCV, scoring an old record does not
        from sim.tasks import gauge_render

        plain: Any = draw
        side_px = int(plain["image_px"])
        face = gauge_render.face_for(_gauge(plain["gauge"]), side_px)
        pictures = (gauge_render.photograph(face, Look(**look), side_px) for look in plain["looks"])
        return [
            {"image": gauge_render.jpeg(picture, int(plain["jpeg_quality"]))}
            for picture in pictures
        ]

    def reading(self, outputs: Mapping[str, NDArray[np.float32]]) -> FloatArray:
        """Fraction of full scale, shape (1,), from the output `reading` of shape (1, 1)."""
        return np.asarray(outputs["reading"], dtype=np.float64).reshape(-1)[:1]

    def expert(self, draw: Draw) -> FloatArray:
        """The value that was drawn."""
        plain: Any = draw
        return np.array([plain["gauge"]["value_fraction"]])

    def null(self) -> FloatArray:
        """Half scale, whatever is shown."""
        return np.array([0.5])

    def guess(self, rng: np.random.Generator) -> FloatArray:
        """Anywhere on the scale."""
        return rng.uniform(0.0, 1.0, 1)

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        """See the module; looks without an answer are absent, not wrong readings."""
        ranges = _checked(parameters)
        plain: Any = episode.draw
        truth = float(plain["gauge"]["value_fraction"])
        shown = len(plain["looks"])
        if "reading" not in episode.channels:
            return Score((Condition("looks answered", None, "", ">= half", None),))
        values = episode.channels["reading"].value[:, 0]
        present = values[np.isfinite(values)]
        error = float(abs(np.median(present) - truth)) if present.size else None
        conditions = (
            Condition(
                "looks answered",
                float(present.size),
                "looks",
                f">= {shown / 2:g} of {shown}",
                bool(2 * present.size >= shown),
            ),
            Condition(
                "reading error",
                error,
                "of full scale",
                f"<= {ranges.tolerance_fraction:g}",
                None if error is None else bool(error <= ranges.tolerance_fraction),
            ),
        )
        return Score(conditions, _measures(present, truth, shown))


def _measures(present: FloatArray, truth: float, shown: int) -> dict[str, float]:
    measures = {"value_fraction": truth, "absent_looks": float(shown - present.size)}
    if present.size:
        measures["reading_fraction"] = float(np.median(present))
        measures["worst_look_error_fraction"] = float(np.max(np.abs(present - truth)))
        measures["spread_fraction"] = float(np.ptp(present))
    return measures


def _checked(parameters: BaseModel) -> Parameters:
    if not isinstance(parameters, Parameters):
        raise TypeError(f"gauge-read takes {Parameters.__qualname__}, not {type(parameters)}")
    return parameters


def _draw_gauge(ranges: Parameters, rng: np.random.Generator) -> Gauge:
    return Gauge(
        value_fraction=rng.uniform(*ranges.value_fraction),
        scale=SCALES[rng.integers(len(SCALES))],
        unit=_UNITS[rng.integers(len(_UNITS))],
        needle=NEEDLES[rng.integers(len(NEEDLES))],
        dial_colour=_DIALS[rng.integers(len(_DIALS))],
        bezel_level=int(rng.integers(45, 200)),
        red_from_fraction=rng.uniform(0.6, 0.9) if rng.random() < 0.4 else 1.0,
    )


def _draw_look(ranges: Parameters, rng: np.random.Generator) -> Look:
    return Look(
        roll_deg=rng.uniform(*ranges.roll_deg),
        tilt_deg=rng.uniform(*ranges.tilt_deg),
        tilt_axis_deg=rng.uniform(0, 360),
        zoom=rng.uniform(*ranges.zoom),
        offset_x=rng.uniform(*ranges.offset),
        offset_y=rng.uniform(*ranges.offset),
        blur_px=rng.uniform(*ranges.blur_px),
        motion_px=0.0,
        motion_deg=0.0,
        glare=rng.uniform(*ranges.glare),
        glare_x=rng.uniform(-0.5, 0.5),
        glare_y=rng.uniform(-0.5, 0.5),
        glare_deg=rng.uniform(0, 180),
        illumination=rng.uniform(*ranges.illumination),
        gradient=rng.uniform(*ranges.gradient),
        gradient_deg=rng.uniform(0, 360),
        noise_levels=rng.uniform(*ranges.noise_levels),
        wall_colour=_WALLS[rng.integers(len(_WALLS))],
        wall_seed=int(rng.integers(2**32)),
        noise_seed=0,
    )


def _shaken(base: Look, ranges: Parameters, rng: np.random.Generator) -> Look:
    """The next look: a little aside, a little turned, blurred along the way it moved."""
    dx, dy, glare_dx, glare_dy = rng.normal(0, ranges.shake, 4)
    droll, dtilt = rng.normal(0, ranges.shake_deg, 2)
    return replace(
        base,
        roll_deg=base.roll_deg + droll,
        tilt_deg=abs(base.tilt_deg + dtilt),
        offset_x=base.offset_x + dx,
        offset_y=base.offset_y + dy,
        motion_px=float(np.hypot(dx, dy) * _SHAKE_MOTION_PX),
        motion_deg=float(np.degrees(np.arctan2(dy, dx))),
        glare_x=base.glare_x + 3 * glare_dx,
        glare_y=base.glare_y + 3 * glare_dy,
        noise_seed=int(rng.integers(2**32)),
    )


def _gauge(plain: Mapping[str, Any]) -> Gauge:
    return Gauge(**{**plain, "scale": Scale(**plain["scale"])})


def _plain(value: Any) -> Any:
    """JSON's own types: tuples become lists, numpy numbers Python's."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


TASK = GaugeRead()
