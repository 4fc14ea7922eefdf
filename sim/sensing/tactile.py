"""Tactile pad of a fingertip: a grid of taxels, each with the force that acts on its part.

The pad's frame: x along the columns, y along the rows, z out of the pad, the origin in its
middle. A contact spreads over the taxels as a Gaussian about its point, scaled so that the
taxels' sum is the contact's force:

    force of taxel i = F w_i / sum_j w_j,     w_i = exp(-|p - p_i|^2 / (2 spread^2))

It is no elastomer model: nothing is deformed, contacts add up without touching each other, the
spread does not grow with force or curvature, there is no hysteresis, no creep, no crosstalk of
the wiring, and shear does not move the pattern. Near an edge the whole force goes to the taxels
that are there, which draws the centre of pressure inwards. A contact outside of the pad's size
touches the housing and is not felt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from hil.contracts import Capability, FloatArray, SensorFacts
from hil.errors import HarnessError
from sim.sensing.channel import Channel, ChannelModel, Noise, Sampling
from sim.sensing.conversion import Conversion
from sim.sensing.tables import NotNegative, Positive


@dataclass(frozen=True, slots=True)
class Contacts:
    """m contacts on a pad, in the pad's frame.

    Attributes:
        position: (m, 2), m.
        normal: (m,), N, pressing into the pad, >= 0.
        shear: (m, 2), N, the two friction forces on the pad along x and y.

    Errors: HarnessError for arrays that do not fit each other, or a contact that pulls.
    """

    position: FloatArray
    normal: FloatArray
    shear: FloatArray

    def __post_init__(self) -> None:
        count = len(self.normal)
        if self.position.shape != (count, 2) or self.shear.shape != (count, 2):
            raise HarnessError(
                f"contacts do not fit: positions {self.position.shape}, normal forces"
                f" {self.normal.shape}, friction {self.shear.shape}"
            )
        if not np.all(self.normal >= 0):
            raise HarnessError(f"a contact on a pad pushes, never pulls: {self.normal} N")

    @classmethod
    def none(cls) -> Self:
        """A pad that nothing touches."""
        return cls(np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)))

    @classmethod
    def of_world(
        cls, points: FloatArray, forces: FloatArray, at: FloatArray, axes: FloatArray
    ) -> Self:
        """Contacts given in the world: points (m, 3) in m and the whole forces on the pad (m, 3)
        in N. The pad is at `at` (3,), the columns of `axes` (3, 3) are its x, y and z.

        A force with a part that pulls is felt as its friction alone.
        """
        position = (np.reshape(points, (-1, 3)) - at) @ axes
        force = np.reshape(forces, (-1, 3)) @ axes
        return cls(position[:, :2], np.maximum(0.0, -force[:, 2]), force[:, :2])


class PadModel(Sampling):
    """A pad as data.

    Attributes:
        rows, cols: of taxels.
        pitch_m: between neighbours, along both axes.
        size_m: of the pad along x and y.
        spread_m: standard deviation of the Gaussian.
        shear: whether the taxels feel friction as well, as three-axis taxels do.
        threshold_n: force of a taxel below which it reads 0, either way.
        saturation_n: most that a taxel reads; friction either way.
        resolution_n: step between readings, 0 for none.
        noise_n: standard deviation of a taxel's sample, before the threshold.
        walk_n: standard deviation of its drift after 1 s.
    """

    rows: int = Field(ge=1, le=64)
    cols: int = Field(ge=1, le=64)
    pitch_m: Positive
    size_m: tuple[Positive, Positive]
    spread_m: Positive
    shear: bool = False
    threshold_n: NotNegative = 0.0
    saturation_n: Positive
    resolution_n: NotNegative = 0.0
    noise_n: NotNegative = 0.0
    walk_n: NotNegative = 0.0

    @model_validator(mode="after")
    def _taxels_are_on_the_pad(self) -> Self:
        wide, high = (self.cols - 1) * self.pitch_m, (self.rows - 1) * self.pitch_m
        if wide > self.size_m[0] or high > self.size_m[1]:
            raise ValueError(
                f"{self.rows} x {self.cols} taxels take {wide:g} x {high:g} m, more than size_m"
            )
        return self

    @property
    def planes(self) -> int:
        """Numbers a taxel gives: normal force, or that and friction along x and y."""
        return 3 if self.shear else 1


class Pad:
    """The pad of one fingertip in one episode.

    Args:
        name: its own in the episode; seed: the episode's; origin_ns: its first sample instant.

    Attributes:
        facts, channel: what it measures; where its readings are had, as (planes, rows, cols)
            laid out flat; `sim.sensing.touch` makes sense of them.
    """

    def __init__(self, name: str, model: PadModel, seed: int, origin_ns: int = 0) -> None:
        names = labels(model)
        self.facts = SensorFacts(Capability.TACTILE, names, "N", model.rate_hz)
        self.channel = Channel(name, names, channel_model(model), seed, origin_ns)
        self._model = model

    def offer(self, stamp_ns: int, contacts: Contacts) -> bool:
        """What touches the pad at `stamp_ns`; as `Channel.offer`."""
        if not self.channel.due(stamp_ns):
            return False
        return self.channel.offer(stamp_ns, press(self._model, contacts).ravel())


def labels(model: PadModel) -> tuple[str, ...]:
    """Names of the readings: `z.r0.c1` is the normal force of the second taxel in row 0."""
    return tuple(
        f"{axis}.r{row}.c{col}"
        for axis in ("z", "x", "y")[: model.planes]
        for row in range(model.rows)
        for col in range(model.cols)
    )


def taxels(model: PadModel) -> tuple[FloatArray, FloatArray]:
    """Where the columns (cols,) and the rows (rows,) are, m in the pad's frame."""
    return _places(model.cols, model.pitch_m), _places(model.rows, model.pitch_m)


def press(model: PadModel, contacts: Contacts) -> FloatArray:
    """Forces on the taxels (planes, rows, cols) in N, before electronics.

    Their sum is that of the contacts on the pad, plane by plane, but for rounding.
    """
    half = np.array(model.size_m) / 2
    felt = np.all(np.abs(contacts.position) <= half, axis=1)
    cols, rows = taxels(model)
    along_x = _shares(contacts.position[felt, 0], cols, model.spread_m)
    along_y = _shares(contacts.position[felt, 1], rows, model.spread_m)
    forces = np.column_stack([contacts.normal[felt], contacts.shear[felt]])[:, : model.planes]
    pressed: FloatArray = np.einsum("mp,mr,mc->prc", forces, along_y, along_x)
    return pressed


def channel_model(model: PadModel) -> ChannelModel:
    """The channel behind the grid."""
    count = model.rows * model.cols
    friction = model.planes * count - count
    conversion = Conversion(
        deadband=model.threshold_n,
        lower=(0.0,) * count + (-model.saturation_n,) * friction,
        upper=model.saturation_n,
        resolution=model.resolution_n,
    )
    return ChannelModel.of(model, Noise(white=model.noise_n, walk=model.walk_n), conversion)


def _places(count: int, pitch_m: float) -> FloatArray:
    places: FloatArray = (np.arange(count, dtype=np.float64) - (count - 1) / 2) * pitch_m
    return places


def _shares(at: FloatArray, places: FloatArray, spread: float) -> FloatArray:
    """How each of m coordinates shares out over k places, (m, k), rows summing to 1."""
    exponent = -((at[:, None] - places) ** 2) / (2 * spread**2)
    # relative to the nearest place, so that a narrow spread cannot make them all nought
    weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    shares: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return shares
