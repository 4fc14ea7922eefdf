"""What a body sounds like, by its material: a table of modes, scaled to the body's size."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from pydantic import Field

from hil.config import validate
from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.sensing.tables import NotNegative, Positive, Table

_TABLE = "materials.toml"


class Mode(Table):
    """One vibration: frequency, time in which its amplitude falls to 1/e, and relative gain."""

    frequency_hz: Positive
    decay_s: Positive
    gain: NotNegative


class Material(Table):
    """The reference body of one material.

    Attributes:
        size_m: its largest dimension.
        contact_s: how long a light tap on it lasts.
        loudness_pa_per_n_s: pressure amplitude at the microphone of a mode of gain 1, for an
            impulse of 1 N·s.
        modes: of the reference body, by rising frequency.
    """

    size_m: Positive
    contact_s: Positive
    loudness_pa_per_n_s: Positive
    modes: tuple[Mode, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Modes:
    """Modes of one body that can be heard; arrays (m,).

    `amplitude` is that of the pressure for an impulse of 1 N·s without duration, Pa/(N·s).
    """

    frequency_hz: FloatArray
    decay_s: FloatArray
    amplitude: FloatArray


def load_materials() -> dict[str, Material]:
    """Every material of the package's table by name. Errors: BadInput naming what is wrong."""
    text = files("sim.sensing").joinpath(_TABLE).read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return {name: validate(plain, Material, _TABLE, name) for name, plain in table.items()}


def material_of(materials: Mapping[str, Material], name: str) -> Material:
    """The material called `name`. Errors: BadInput naming those there are."""
    if name not in materials:
        raise BadInput(
            f"nobody knows how {name!r} sounds",
            f"materials are {', '.join(sorted(materials))}; {_TABLE} holds their modes",
        )
    return materials[name]


def modes_of(material: Material, size_m: float, highest_hz: float) -> Modes:
    """Modes up to `highest_hz` of a body of this size, similar in shape to the reference body.

    All dimensions alike, frequencies go as 1/size; with the loss factor of the material the
    same, decay times go as size. Gains are taken not to change.
    """
    scale = size_m / material.size_m
    table = np.array([(one.frequency_hz, one.decay_s, one.gain) for one in material.modes])
    frequency_hz, decay_s, gain = table[:, 0] / scale, table[:, 1] * scale, table[:, 2]
    heard = frequency_hz < highest_hz
    loudness = material.loudness_pa_per_n_s
    return Modes(frequency_hz[heard], decay_s[heard], gain[heard] * loudness)


def tap_spectrum(frequency_hz: FloatArray, contact_s: float) -> FloatArray:
    """How much of each frequency a tap excites, 0..1, relative to one without duration.

    Magnitude of the Fourier transform of a half-sine pulse of unit impulse and duration T:
    |cos(pi f T) / (1 - (2 f T)^2)|.
    """
    x = 2 * frequency_hz * contact_s
    off = np.abs(1 - x**2)
    near = off < 1e-6  # at f = 1/(2T) both parts vanish, the quotient is pi/4
    found: FloatArray = np.where(
        near, np.pi / 4, np.abs(np.cos(np.pi * x / 2)) / np.where(near, 1, off)
    )
    return found
