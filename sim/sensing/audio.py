"""Sound of contacts by modal synthesis: impacts in, pressure at a microphone out.

A body struck with impulse J at time t0 rings in its modes,

    p(t) = J sum_n a_n exp(-(t - t0) / tau_n) sin(2 pi f_n (t - t0)),     t >= t0

(van den Doel, Kry and Pai, FoleyAutomatic, 2001), weighted with what a tap of the given duration
excites. Each body is a bank of resonators that go on from block to block: sound does not depend
on how it is cut into blocks, but for rounding, and an impact need not fall on a sample.

It is no acoustics: modes are those of a bar whatever the shape, all places of a body sound alike,
sliding and rolling are heard only as the impulses they are given as, and there is no room, no
distance, no direction, and no delay of sound in air (3 ms a metre). A small hard body has no mode
below 8 kHz and is silent (steel under 27 mm); what is heard then is the thing that it hits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.errors import HarnessError
from sim.sensing.materials import Material, Modes, material_of, modes_of, tap_spectrum

RATE_HZ = 16_000
"""Samples a second; mono."""

_HIGHEST_HZ = 0.5 * RATE_HZ

_SILENT_PA = 1e-7
"""Amplitude below which a mode has ended: 280 times under the threshold of hearing."""

_Complex = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Impact:
    """A tap on one body at `stamp_ns`, with an impulse in N·s.

    `size_m` is the body's largest dimension. `striker` is the material of what struck it, which
    makes the tap longer where it is the softer one; empty for a hard one. Where both bodies
    sound, there are two impacts.
    """

    stamp_ns: int
    impulse_n_s: float
    material: str
    size_m: float
    striker: str = ""


def impulse_of_step(before_n: float, now_n: float, step_s: float) -> float:
    """Impulse in N·s to sound for one step of a physics engine, from the contact's force.

    Only what the force has grown by counts: a body that rests is silent, though its weight acts
    in every step. What comes after the first step of a blow is heard as far as it is harder.
    """
    return max(0.0, now_n - before_n) * step_s


class ContactSound:
    """The sound of all impacts from `origin_ns` on, sample by sample.

    Sample n is the pressure at origin_ns + n / `RATE_HZ`.
    """

    def __init__(self, materials: Mapping[str, Material], origin_ns: int = 0) -> None:
        self._materials = materials
        self._origin_ns = origin_ns
        self._done = 0
        self._waiting: list[tuple[float, Impact]] = []
        self._bodies: dict[tuple[str, float], _Body] = {}

    @property
    def done(self) -> int:
        """Samples rendered so far."""
        return self._done

    def strike(self, impact: Impact) -> None:
        """Let an impact sound; it may lie in the future.

        Errors: BadInput for an unknown material; HarnessError for an instant that has been
        rendered already, a negative impulse, or a body without size.
        """
        place = (impact.stamp_ns - self._origin_ns) * RATE_HZ / NS_PER_S
        if place <= self._done - 1:
            late = (self._done - 1 - place) / RATE_HZ
            raise HarnessError(f"an impact came {late:.6f} s after its sound was rendered")
        if not (impact.impulse_n_s >= 0 and math.isfinite(impact.impulse_n_s)):
            raise HarnessError(f"an impact cannot have an impulse of {impact.impulse_n_s} N·s")
        if not (impact.size_m > 0 and math.isfinite(impact.size_m)):
            raise HarnessError(f"a body of {impact.size_m} m cannot sound")
        material_of(self._materials, impact.material)
        if impact.striker:
            material_of(self._materials, impact.striker)
        self._waiting.append((place, impact))

    def render(self, count: int) -> FloatArray:
        """The next `count` samples, (count,), Pa."""
        end = self._done + count
        sounding = [one for one in self._waiting if one[0] < end]
        self._waiting = [one for one in self._waiting if one[0] >= end]
        blows: dict[tuple[str, float], list[_Blow]] = {}
        for place, impact in sounding:
            key = (impact.material, impact.size_m)
            body = self._bodies.setdefault(key, _Body(self._modes(impact)))
            blow = _Blow(place - self._done, self._excitation(body.modes, impact))
            blows.setdefault(key, []).append(blow)
        pressure = np.zeros(count)
        for key, body in self._bodies.items():
            pressure += body.render(count, blows.get(key, ()))
        self._bodies = {key: body for key, body in self._bodies.items() if body.loud}
        self._done = end
        return pressure

    def _modes(self, impact: Impact) -> Modes:
        return modes_of(self._materials[impact.material], impact.size_m, _HIGHEST_HZ)

    def _excitation(self, modes: Modes, impact: Impact) -> FloatArray:
        touching = [impact.material, *([impact.striker] if impact.striker else [])]
        contact_s = max(self._materials[name].contact_s for name in touching)
        return impact.impulse_n_s * tap_spectrum(modes.frequency_hz, contact_s)


@dataclass(frozen=True, slots=True)
class _Blow:
    """A blow at sample `place` of the block, a fraction, and what it does to each mode, N·s."""

    place: float
    excitation: FloatArray


class _Body:
    """Resonators of one body: the state is the complex amplitude of each mode, whose imaginary
    part is the pressure, and which a sample multiplies with exp((-1/tau + i 2 pi f) / rate)."""

    def __init__(self, modes: Modes) -> None:
        self.modes = modes
        decay, angular = -1 / modes.decay_s, 2 * np.pi * modes.frequency_hz
        self._exponent: _Complex = np.array(decay + 1j * angular, dtype=np.complex128) / RATE_HZ
        self._state: _Complex = np.zeros(len(modes.decay_s), dtype=np.complex128)

    @property
    def loud(self) -> bool:
        return bool((np.abs(self._state) > _SILENT_PA).any())

    def render(self, count: int, blows: Sequence[_Blow]) -> FloatArray:
        """The next samples (count,), with blows that fall before the last of them."""
        powers: _Complex = np.exp(np.outer(np.arange(count), self._exponent))
        pressure: FloatArray = (powers * self._state).sum(axis=1).imag
        state = self._state * np.exp(count * self._exponent)
        for blow in blows:
            first = max(0, math.ceil(blow.place))
            amplitude = blow.excitation * self.modes.amplitude
            begun = amplitude * np.exp((first - blow.place) * self._exponent)
            pressure[first:] += (powers[: count - first] * begun).sum(axis=1).imag
            state = state + begun * np.exp((count - first) * self._exponent)
        self._state = state
        return pressure
