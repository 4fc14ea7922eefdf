"""Parallel grippers: slip resistance, after the NIST hand metrics.

On the stand of `sim.tasks.metrology.grip` a tester pulls the block, whose friction is known, until
it slips. The block is grasped anew for every pull.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field, model_validator

from hil.metrology.hand import Pull, coulomb_ratio, slip_resistance
from hil.metrology.series import Series
from hil.metrology.summary import Measure
from hil.task import Draw
from sim.robots import panda
from sim.robots.model import Robot
from sim.tasks.kit.script import Script
from sim.tasks.metrology.grip import GRIP, LEAD_S, TOUCH_N, Stand, repeated, stand_scene
from sim.tasks.metrology.procedure import Declared, Found, Procedure, Record


class SlipParameters(Stand):
    """Closed on a block of known friction and pulled at `rate_n_s` until it slips, `cycles`
    times; `longest_s` is the time for a pull."""

    cycles: int = Field(default=5, ge=3, le=50)
    friction: float = Field(default=0.5, ge=0.1, le=1.5, description="of block on finger, known")
    rate_n_s: float = Field(default=2.0, ge=0.5, le=20)
    longest_s: float = Field(default=20.0, ge=2, le=120)
    slip_m: float = Field(default=0.001, ge=2e-4, le=0.002)
    declared_slip_n: float = Field(default=28.0, gt=0, le=1000)
    declared_ratio: float = Field(default=0.9, gt=0, le=2)

    @model_validator(mode="after")
    def _pulls_hard_enough(self) -> SlipParameters:
        needed = self.declared_slip_n / self.rate_n_s
        if self.longest_s < needed:
            raise ValueError(
                f"longest_s = {self.longest_s:g}: at {self.rate_n_s:g} N/s a pull comes to"
                f" declared_slip_n = {self.declared_slip_n:g} N only within [{needed:g}, 120] s"
            )
        return self

    @property
    def cycle_s(self) -> float:
        return self.longest_s + 3.0

    def pull_s(self, cycle: int) -> float:
        """When a pull starts; the fingers have closed by then."""
        return LEAD_S + cycle * self.cycle_s + 1.2

    @property
    def ends_s(self) -> float:
        return LEAD_S + self.cycles * self.cycle_s


def _slip_scene(asked: SlipParameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    return stand_scene(
        asked,
        rng,
        robot,
        asked.ends_s,
        friction=asked.friction,
        rate_n_s=asked.rate_n_s,
        most_n=asked.rate_n_s * asked.longest_s,
        pulls=[asked.pull_s(cycle) for cycle in range(asked.cycles)],
    )


def _slip_figures(record: Record, _draw: Draw, asked: SlipParameters) -> Found:
    labels = ("block.pull_n", "block.travel_m", "tool.z")
    if not record.has(*GRIP, *labels):
        return Found(None, asked.cycles, list)
    windows = [
        (asked.pull_s(cycle), asked.pull_s(cycle) + asked.longest_s)
        for cycle in range(asked.cycles)
    ]
    # a pull on a block that nobody holds is none
    out = sum(_held(record, start) for start, _ in windows)
    return Found(out, asked.cycles, lambda: _slips(record, windows, asked))


def _held(record: Record, start_s: float) -> bool:
    grip = record.rows(GRIP, start_s - 0.2, start_s)
    return bool(len(grip) and (grip > TOUCH_N).all())


def _slips(
    record: Record, windows: Sequence[tuple[float, float]], asked: SlipParameters
) -> Sequence[Measure]:
    pulls = []
    for number, (start_s, end_s) in enumerate(windows):
        force = record.series(["block.pull_n"], start_s, end_s, f"pull {number}")
        down = record.series(["block.travel_m", "tool.z"], start_s, end_s, f"slide {number}")
        # the block is pulled down, and the hand may give way
        slide = down.map(lambda value: value[:, 0] + value[:, 1])
        pulls.append(
            Pull(
                *_until_released(force, slide),
                record.series(GRIP, start_s, end_s, f"grip {number}"),
            )
        )
    return [
        slip_resistance(pulls, asked.slip_m),
        coulomb_ratio(pulls, asked.friction, asked.slip_m),
    ]


def _until_released(force: Series, slide: Series) -> tuple[Series, Series]:
    """Both up to the last row of the pull: afterwards the tester holds the block."""
    pulling = np.flatnonzero(force.value > 0)
    last_ns = int(force.stamp_ns[pulling[-1]]) if len(pulling) else int(force.stamp_ns[-1])
    first_ns = int(force.stamp_ns[0])
    return force.between(first_ns, last_ns), slide.between(first_ns, last_ns)


def _slip_script(draw: Draw, robot: Robot) -> Script:
    asked = SlipParameters.model_validate(draw["asked"])
    return repeated(asked, robot, asked.cycle_s - 1.0)


SLIP = Procedure(
    name="slip-resistance",
    Parameters=SlipParameters,
    make_robot=panda.robot,
    scene=_slip_scene,
    script=_slip_script,
    figures=_slip_figures,
    declared=lambda asked: (
        Declared("slip resistance", asked.declared_slip_n, "N", at_most=False),
        Declared("slip resistance over Coulomb friction", asked.declared_ratio, "1", at_most=False),
    ),
)
