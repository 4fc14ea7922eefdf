"""A panel with three controls in a row, as a mechanism, with everything random about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from sim.tasks.kit.ranges import Range, uniform
from sim.tasks.kit.things import Table, box_part
from sim.tasks.operate_controls import CONTROLS, DETENT, GIVE, PANEL, THROW

GOAL = "control"
OTHERS = ("other1", "other2")
"""Movers of the panel: that which is wanted and those beside it."""

_WANTED = (0.20, 0.55, 0.90, 1.0)
_OTHER = (0.80, 0.80, 0.76, 1.0)
_PLATE = (0.55, 0.60, 0.66, 1.0)
_THICK = 0.012


@dataclass(frozen=True, slots=True)
class Panel:
    """What is drawn of a panel.

    Attributes:
        element: the mechanism; its frame is on the panel's face, in the middle of the control
            that is wanted.
        goal: travel wanted of it.
        size_m: its size, see `Control.size`.
        down: whether it goes from 0 to its throw downwards.
        starts: travel of every mover at the beginning.
    """

    element: Table
    goal: float
    size_m: float
    down: bool
    starts: dict[str, float]


def drawn(
    rng: np.random.Generator,
    control: str,
    pose: Sequence[float],
    effort: Range | None,
    turn: Range | None,
) -> Panel:
    """A panel at `pose` (7,) with a `control` to be moved from where it is to a goal."""
    kind = CONTROLS[control]
    size, strength = uniform(rng, kind.size), uniform(rng, effort or kind.effort)
    start, goal = _way(rng, control, turn)
    down = bool(rng.integers(2)) and control in THROW
    movers = [_hung(GOAL, kind.build(strength, size, _WANTED), 0.0, start, down)]
    place = int(rng.integers(3))
    offsets = [kind.pitch * (place - other) for other in range(3) if other != place]
    for name, offset in zip(OTHERS, offsets, strict=True):
        other = str(rng.choice(PANEL)) if control in PANEL else control
        beside = CONTROLS[other]
        built = beside.build(uniform(rng, beside.effort), uniform(rng, beside.size), _OTHER)
        idle, _ = _way(rng, other, None)
        movers.append(_hung(name, built, offset, idle, bool(rng.integers(2)) and other in THROW))
    element: dict[str, object] = {
        "kind": "mechanism",
        "name": "panel",
        "at": list(pose[:3]),
        "turn": list(pose[3:]),
        "frame": _plate(kind.pitch, kind.pitch * (place - 1), pose[2]),
        "give": GIVE,
        "movers": movers,
    }
    starts = {str(mover["name"]): cast(float, mover["start"]) for mover in movers}
    return Panel(element, goal, size, down, starts)


def _way(rng: np.random.Generator, control: str, turn: Range | None) -> tuple[float, float]:
    """Where a control is at the beginning, and where it is wanted."""
    kind = CONTROLS[control]
    if kind.turn is None:
        return 0.0, THROW.get(control, 0.0)
    angle = uniform(rng, turn or kind.turn) * (1.0 if rng.integers(2) else -1.0)
    if control == "knob":
        start = DETENT * int(rng.integers(-2, 3))
        steps = math.copysign(max(1, round(abs(angle) / DETENT)), angle)
        return start, start + DETENT * steps
    start = uniform(rng, (-2.5, 2.5))
    return start, start + angle


def _hung(name: str, built: Table, offset: float, start: float, down: bool) -> Table:
    """A control beside the one that is wanted, by `offset` m to the left; turned over by half
    a turn about the panel's x where it goes `down`."""
    x, *_ = cast(list[float], built.get("at", [0.0]))
    _, pitch, _ = cast(list[float], built.get("rpy", [0.0, 0.0, 0.0]))
    # Rx(pi) Ry(a) = Ry(-a) Rx(pi)
    turned = [math.pi, -pitch, 0.0] if down else [0.0, pitch, 0.0]
    return {
        **built,
        "name": name,
        "at": [x, offset, 0.0],
        "rpy": turned,
        "start": start,
        "give": GIVE,
    }


def _plate(pitch: float, middle: float, height: float) -> list[Table]:
    """The panel and the two posts that it stands on, which reach down to the table."""
    wide, high = 3 * pitch, min(max(0.16, 0.9 * pitch), 2 * height)
    plate = box_part((_THICK, wide, high), (_THICK / 2, middle, 0.0), _PLATE)
    long = height - high / 2
    posts = [
        box_part(
            (0.03, 0.03, long), (_THICK + 0.015, middle + side * wide / 3, -high / 2 - long / 2)
        )
        for side in (-1.0, 1.0)
        if long > 0.01
    ]
    return [plate, *posts]
