"""Sound of two bodies that rub on each other: a row of small taps, one a bump that is passed.

A body of mass m slides at speed v while friction T acts on it. It passes bumps `spacing_m` apart,
v / spacing of them a second on the average, at random (Poisson), and each lets go as sound-making
vibration a `share` of the work that friction does from one bump to the next, E = share T spacing.
A tap of that energy on the body has the impulse

    J = sqrt(2 m E)

so that the sound's power goes as friction times speed, as van den Doel, Kry and Pai have it
(FoleyAutomatic, 2001), and vanishes where nothing moves.

It is no tribology: both constants are estimates, the same for all materials; there is no squeal
and no stick-slip, and taps are as short as the body's own material makes them, whatever rubs it.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from hil.contracts import FloatArray
from sim.sensing.tables import NotNegative, Positive, Table


class Scrape(Table):
    """How a surface sounds that slides.

    Attributes:
        spacing_m: between bumps, on the average.
        share: of the work of friction that is let go as taps.
        least_m_s: speed below which nothing is heard: contacts of a simulation creep.
    """

    spacing_m: Positive
    share: float = Field(ge=0, le=1)
    least_m_s: NotNegative = 0.002


def tap_impulse(scrape: Scrape, friction_n: float, mass_kg: float) -> float:
    """Impulse of one bump, N·s."""
    return math.sqrt(2 * mass_kg * scrape.share * friction_n * scrape.spacing_m)


def tap_times(
    scrape: Scrape, speed_m_s: float, seconds: float, rng: np.random.Generator
) -> FloatArray:
    """When bumps are passed within `seconds` of sliding, s from their beginning, in order."""
    if speed_m_s < scrape.least_m_s:
        return np.zeros(0)
    count = int(rng.poisson(speed_m_s * seconds / scrape.spacing_m))
    times: FloatArray = np.sort(rng.random(count)) * seconds
    return times
