"""A route for a cable: an anchor, a peg to go round, and clips before and behind it.

The board's frame has its origin at the anchor, x along the first leg and z up. `side` is 1 where
the route turns to the left at the peg and -1 where it turns to the right; the peg stands on that
side of the cable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.tasks.kit.things import Table, box_part, cylinder_part

CLIP_LENGTH_M, CLIP_HEIGHT_M, CLIP_WALL_M = 0.014, 0.013, 0.004
PEG_HEIGHT_M = 0.06
LEAD_IN_M, LEAD_IN_RAD = 0.008, 0.7
"""Of the plates that lead into a clip from above, and their lean from upright."""

_CLIP, _PEG = (0.35, 0.45, 0.6, 1.0), (0.55, 0.57, 0.6, 1.0)


@dataclass(frozen=True, slots=True)
class Route:
    """What is known of it, as from its drawing, m and rad.

    Attributes:
        leg: from the anchor to where the cable meets the peg.
        corner: by which it turns there.
        peg_radius, cable_radius: of what their names say.
        before, behind: distances of the clips' middles from the anchor, and from where the cable
            leaves the peg.
    """

    side: float
    leg: float
    corner: float
    peg_radius: float
    cable_radius: float
    before: tuple[float, ...]
    behind: tuple[float, ...]

    @classmethod
    def of(cls, draw: Draw) -> Route:
        table = dict(cast(Mapping[str, object], draw["route"]))
        before, behind = (tuple(cast(list[float], table.pop(key))) for key in ("before", "behind"))
        return cls(before=before, behind=behind, **cast(dict[str, float], table))

    def as_data(self) -> Table:
        """Plain data, of which `of` makes it again."""
        return {**asdict(self), "before": list(self.before), "behind": list(self.behind)}

    @property
    def bend(self) -> float:
        """Radius of the cable's middle line round the peg."""
        return self.peg_radius + self.cable_radius

    @property
    def peg(self) -> FloatArray:
        """The peg's axis (2,)."""
        return np.array([self.leg, self.side * self.bend])

    def way(self, turned: float) -> FloatArray:
        """Unit vector (2,) along the cable that has turned by `turned` at the peg."""
        return np.array([math.cos(turned), self.side * math.sin(turned)])

    def leaves(self, turned: float) -> FloatArray:
        """Where (2,) a cable that has turned so far leaves the peg, drawn taut."""
        return self.peg + self.bend * np.array([math.sin(turned), -self.side * math.cos(turned)])

    def clips(self) -> list[tuple[FloatArray, float]]:
        """Middle (2,) and heading of every clip, in the order of the cable."""
        first, last = self.way(0.0), self.way(self.corner)
        return [(at * first, 0.0) for at in self.before] + [
            (self.leaves(self.corner) + at * last, self.side * self.corner) for at in self.behind
        ]

    def length(self, behind: float) -> float:
        """Of the taut cable from the anchor to `behind` m behind the peg."""
        return self.leg + self.bend * self.corner + behind

    def clip_parts(self, gap: float) -> list[Table]:
        """Walls and lead-ins of all clips, `gap` wide."""
        return [part for at, heading in self.clips() for part in _clip(at, heading, gap)]

    def peg_part(self) -> Table:
        """The peg, whose frame is in its middle."""
        return cylinder_part(self.peg_radius, PEG_HEIGHT_M, colour=_PEG)


def _clip(at: FloatArray, heading: float, gap: float) -> list[Table]:
    along = np.array([math.cos(heading), math.sin(heading)])
    left = np.array([-along[1], along[0]])
    parts = []
    for side in (1.0, -1.0):
        wall = at + side * (gap + CLIP_WALL_M) / 2 * left
        size = [CLIP_LENGTH_M, CLIP_WALL_M, CLIP_HEIGHT_M]
        parts.append(box_part(size, [*wall.tolist(), CLIP_HEIGHT_M / 2], _CLIP))
        # its inner face begins where that of the wall ends
        lean, half = LEAD_IN_RAD, LEAD_IN_M / 2
        out = gap / 2 + half * math.sin(lean) + CLIP_WALL_M / 4 * math.cos(lean)
        up = CLIP_HEIGHT_M + half * math.cos(lean) - CLIP_WALL_M / 4 * math.sin(lean)
        plate = box_part(
            [CLIP_LENGTH_M, CLIP_WALL_M / 2, LEAD_IN_M],
            [*(at + side * out * left).tolist(), up],
            _CLIP,
        )
        plate["rpy"] = [-side * lean, 0.0, heading]
        parts[-1]["rpy"] = [0.0, 0.0, heading]
        parts.append(plate)
    return parts
