"""The table of sounding materials, against the formulas that it is said to come from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from hil.config import validate
from hil.errors import BadInput
from sim.sensing.materials import Material, load_materials, material_of, modes_of, tap_spectrum

MATERIALS = load_materials()

# Young's modulus in Pa, density in kg/m³, loss factor: as in the table's header
STUFF = {
    "steel": (210e9, 7800, 0.002),
    "wood": (11e9, 700, 0.02),
    "glass": (65e9, 2500, 0.004),
    "plastic": (2.8e9, 1150, 0.06),
    "rubber": (5e6, 1100, 0.3),
}


def test_the_materials_are_those_that_are_promised() -> None:
    assert set(MATERIALS) == set(STUFF)


@pytest.mark.parametrize("name", STUFF)
def test_modes_are_those_of_a_free_bar(name: str) -> None:
    modulus, density, loss = STUFF[name]
    length, thickness = 0.15, 0.006
    table = MATERIALS[name]
    assert table.size_m == length
    for n, mode in enumerate(table.modes, start=1):
        near = (n + 0.5) * np.pi
        root = brentq(lambda b: np.cos(b) - 1 / np.cosh(b), near - 0.3, near + 0.3)
        speed = np.sqrt(modulus / density) * thickness / np.sqrt(12)
        frequency = root**2 / (2 * np.pi * length**2) * speed
        assert mode.frequency_hz == pytest.approx(frequency, rel=3e-3)
        assert mode.decay_s == pytest.approx(1 / (np.pi * frequency * loss), rel=1e-2)


def test_harder_materials_ring_longer_at_a_frequency_and_are_tapped_more_shortly() -> None:
    quality = {n: m.modes[0].frequency_hz * m.modes[0].decay_s for n, m in MATERIALS.items()}
    assert sorted(quality, key=lambda n: -quality[n]) == [
        "steel", "glass", "wood", "plastic", "rubber",
    ]  # fmt: skip
    contact = {name: m.contact_s for name, m in MATERIALS.items()}
    assert contact["steel"] < contact["wood"] < contact["plastic"] < contact["rubber"]


def test_a_larger_body_sounds_lower_and_longer() -> None:
    steel = MATERIALS["steel"]
    small, large = (modes_of(steel, size, 1e6) for size in (0.15, 0.3))
    np.testing.assert_allclose(large.frequency_hz, small.frequency_hz / 2)
    np.testing.assert_allclose(large.decay_s, small.decay_s * 2)
    np.testing.assert_allclose(large.amplitude, small.amplitude)
    assert len(modes_of(steel, 0.15, 8000).frequency_hz) == 3
    assert len(modes_of(steel, 0.02, 8000).frequency_hz) == 0


@pytest.mark.parametrize("contact_s", [2e-4, 6e-3])
def test_a_tap_excites_what_the_spectrum_of_a_half_sine_has(contact_s: float) -> None:
    frequencies = np.array([1.0, 80.0, 1 / (2 * contact_s), 1422.3, 3 / (2 * contact_s), 7900.0])
    found = tap_spectrum(frequencies, contact_s)
    for frequency, share in zip(frequencies, found, strict=True):
        angle = 2 * np.pi * frequency

        def pulse(t: float) -> float:
            return float(np.pi / (2 * contact_s) * np.sin(np.pi * t / contact_s))

        parts = [
            quad(pulse, 0, contact_s, weight=weight, wvar=angle)[0] for weight in ("cos", "sin")
        ]
        assert share == pytest.approx(np.hypot(*parts), abs=1e-9)


def test_an_unknown_material_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="cheese") as refused:
        material_of(MATERIALS, "cheese")
    assert "glass, plastic, rubber, steel, wood" in str(refused.value)


@pytest.mark.parametrize(
    "change", [{"modes": []}, {"size_m": 0}, {"modes": [{"frequency_hz": 9, "decay_s": -1}]}]
)
def test_a_table_that_cannot_sound_is_refused(change: dict[str, object]) -> None:
    plain = {**MATERIALS["wood"].model_dump(), **change}
    with pytest.raises(BadInput, match=r"own.toml"):
        validate(plain, Material, "own.toml")
