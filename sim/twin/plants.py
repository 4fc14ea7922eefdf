"""Plants for twins alone: what a scene of many loose parts costs has to fit into real time.

Entry points of group `hil.plants`, as those of `sim.plants`.
"""

from __future__ import annotations

from dataclasses import replace

from sim.plant import Plant
from sim.plants import panda

ITERATIONS = 60
"""Of the contact solver, in place of 150: eighty balls in a jug then take 1.3 ms a step of 2 ms on
one core of 2.5 GHz, and not 2.3 ms. What is squeezed creeps more for it."""


def panda_brisk(step_hz: int) -> Plant:
    """The arm of plant `panda` with fewer iterations of the solver."""
    usual = panda(step_hz)
    layout = replace(usual.layout, name="panda-brisk", iterations=ITERATIONS)
    usual.close()
    return Plant(layout, step_hz)
