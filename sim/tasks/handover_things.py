"""What is handed over, where it stands, and who takes it: the scene of the archetype handover."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from sim.tasks.kit.ranges import Range
from sim.tasks.kit.things import Table, body, box_part, cylinder_part

HANDLE_M, HANDLE_LONG_M = 0.030, 0.100
"""Of a tool: its square handle, which the receiver takes."""
PALM_GAP_M = 0.022
"""Between the thing and the palm behind it, when the thing is brought just where it belongs."""

_STEEL, _HANDLE, _CUP = (0.80, 0.82, 0.85, 1.0), (0.85, 0.30, 0.12, 1.0), (0.25, 0.50, 0.80, 1.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing, standing upright with its origin in its middle. m.

    Attributes:
        width, length: standard ranges, of what the gripper holds and of the whole height.
        width_most, length_most: the widest that a scenario may ask for.
        grip_below: how far below its top the gripper holds it.
        taken_at: height over its foot at which the receiver takes it.
        spread: of the receiver's fingers on it, across and along.
        quarter: rad, after which it looks the same when turned about its axis.
    """

    width: Range
    width_most: Range
    length: Range
    length_most: Range
    grip_below: float
    taken_at: float
    spread: tuple[float, float]
    quarter: float


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "tool": Kind(
            width=(0.014, 0.020),
            width_most=(0.012, 0.028),
            length=(0.160, 0.175),
            length_most=(0.155, 0.190),
            grip_below=0.022,
            taken_at=0.060,
            spread=(0.014, 0.030),
            quarter=math.pi / 2,
        ),
        "cup": Kind(
            width=(0.058, 0.066),
            width_most=(0.050, 0.068),
            length=(0.105, 0.120),
            length_most=(0.100, 0.130),
            grip_below=0.020,
            taken_at=0.034,
            spread=(0.028, 0.020),
            quarter=2 * math.pi,
        ),
    }
)


def parts_of(kind: str, width: float, length: float) -> list[Table]:
    """A tool stands on its handle, its shaft up; a cup is a closed can as heavy as a full cup."""
    if kind == "cup":
        return [cylinder_part(width / 2, length, colour=_CUP)]
    low, shaft = HANDLE_LONG_M / 2 - length / 2, length - HANDLE_LONG_M
    return [
        box_part([HANDLE_M, HANDLE_M, HANDLE_LONG_M], [0, 0, low], _HANDLE),
        box_part([width, width, shaft], [0, 0, length / 2 - shaft / 2], _STEEL),
    ]


def thing(
    kind: str,
    size: tuple[float, float],
    at: tuple[float, float],
    turn: list[float],
    **more: object,
) -> Table:
    """The thing of `size` (width, length) on the table."""
    width, length = size
    return body(
        "thing",
        parts_of(kind, width, length),
        [*at, length / 2],
        turn,
        peaks=True,
        anchored=True,
        **more,
    )


def grip_height(kind: str, length: float) -> float:
    """Of the gripper over the thing's origin, m."""
    return length / 2 - KINDS[kind].grip_below


def taken_height(kind: str, length: float) -> float:
    """Of the receiver's grip over the thing's origin, m; negative, as it is below."""
    return KINDS[kind].taken_at - length / 2


def pads(kind: str, length: float) -> list[list[float]]:
    """Where the receiver's four fingertips are on the thing, in its frame: two high on one
    side, two low across it."""
    across, along = KINDS[kind].spread
    middle = taken_height(kind, length)
    return [
        [across, 0.0, middle + along / 2],
        [-across, 0.0, middle + along / 2],
        [0.0, across, middle - along / 2],
        [0.0, -across, middle - along / 2],
    ]


def behind(kind: str, width: float) -> float:
    """m, from where the receiver grips to the palm."""
    half = width / 2 if kind == "cup" else HANDLE_M / math.sqrt(2)
    return half + PALM_GAP_M


def direction(yaw: float, down: float) -> list[float]:
    """Unit vector of a pull to `yaw` (rad) about the vertical and `down` (rad) below level."""
    level = np.array([math.cos(yaw), math.sin(yaw), 0.0]) * math.cos(down)
    return (level - np.array([0.0, 0.0, math.sin(down)])).tolist()  # type: ignore[no-any-return]
