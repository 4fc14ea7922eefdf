"""What is opened, and with what hook: the kinds of the archetype open-articulated as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sim.tasks.kit.ranges import Range

OPEN_SHARE = 0.9
"""Of the full travel; what is open further is open."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing. Ranges are the standard ones; `..._most` is the widest that a scenario
    may ask for.

    Attributes:
        unit, load_unit: of the travel, and of the friction against it.
        x: m, of the closed bar's distance from the robot.
        travel: the full one.
        reach: m, from the bar to the hinge; 0 where there is none.
        mass: kg.
        lean: rad, of the hook from straight into the thing, at the beginning and at full
            travel, in the frame of the part that moves.
        let_go: whether it has to stay open by itself, and not in the robot's hand.
        opened: travel from which on it counts as open, m or rad; None: by its share of the full
            travel.
    """

    unit: str
    load_unit: str
    x: Range
    x_most: Range
    travel: Range
    travel_most: Range
    mass: Range
    friction: Range
    friction_most: Range
    lean: Range
    reach: Range = (0.0, 0.0)
    let_go: bool = True
    opened: float | None = None


def opened(kind: str, full: float) -> float:
    """Travel from which on a thing of `full` travel counts as open, m or rad."""
    limit = KINDS[kind].opened
    return OPEN_SHARE * full if limit is None else limit


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "drawer": Kind(
            unit="m",
            load_unit="N",
            x=(0.59, 0.65),
            x_most=(0.56, 0.66),
            travel=(0.20, 0.30),
            travel_most=(0.10, 0.32),
            mass=(2.0, 6.0),
            friction=(4.0, 15.0),
            friction_most=(0.5, 30.0),
            lean=(math.radians(60), math.radians(60)),
        ),
        "sliding-door": Kind(
            unit="m",
            load_unit="N",
            x=(0.59, 0.65),
            x_most=(0.56, 0.66),
            travel=(0.24, 0.36),
            travel_most=(0.10, 0.40),
            mass=(4.0, 10.0),
            friction=(6.0, 20.0),
            friction_most=(0.5, 40.0),
            lean=(0.0, 0.0),
        ),
        # the further it is open, the more the hook comes from the free edge; nearer to the
        # robot the arm would fold up before a door is open
        "hinged-door": Kind(
            unit="rad",
            load_unit="N·m",
            x=(0.64, 0.68),
            x_most=(0.63, 0.70),
            travel=(1.40, 1.65),
            travel_most=(0.60, 1.65),
            reach=(0.24, 0.32),
            mass=(2.0, 5.0),
            friction=(0.4, 1.5),
            friction_most=(0.05, 3.0),
            lean=(math.radians(50), math.radians(95)),
        ),
        "lid": Kind(
            unit="rad",
            load_unit="N·m",
            x=(0.59, 0.65),
            x_most=(0.56, 0.66),
            travel=(1.50, 1.75),
            travel_most=(1.30, 1.80),
            reach=(0.26, 0.32),
            mass=(0.8, 2.5),
            friction=(0.2, 0.6),
            friction_most=(0.0, 1.5),
            lean=(0.0, math.radians(45)),
            let_go=False,
            opened=math.radians(60),
        ),
    }
)
