"""How a cable lies on its route, from the witness of its nodes; pure functions of the record."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hil.contracts import FloatArray
from hil.task import Draw
from sim.tasks.deformable_route import CLIP_LENGTH_M, Route
from sim.tasks.kit.draws import number, pose_of
from sim.tasks.kit.poses import matrix_of
from sim.tasks.kit.seen import Seen

OVER_S = 0.1
"""A bent cable creaks in its clips: now and then it slips by a tenth of a millimetre within a
row, which is no motion."""


@dataclass(frozen=True, slots=True)
class Lay:
    """`nodes` (ticks, n, 3) in the board's frame, m; the rest (ticks,).

    Attributes:
        away: distance in m from the middle line of that clip, at that place of it, from which
            the cable is farthest.
        slack: what the cable between anchor and last clip is longer than a taut one, m.
        astray: how much more or less than the route it goes round the peg, rad; a whole turn or
            more where it passes on the wrong side.
    """

    nodes: FloatArray
    away: FloatArray
    slack: FloatArray
    astray: FloatArray

    @classmethod
    def of(cls, seen: Seen, draw: Draw) -> Lay | None:
        """None where a node was not observed."""
        nodes = _nodes(seen, int(number(draw, "segments")))
        if nodes is None:
            return None
        route, board = Route.of(draw), pose_of(draw, "clips")
        local = (nodes - board[:3]) @ matrix_of(board[3:])
        found = [nearest(local, np.array([*place, route.cable_radius])) for place in _places(route)]
        until = found[-1][1]
        taut = route.length(route.behind[-1] + CLIP_LENGTH_M / 2)
        return cls(
            local,
            np.max([away for away, _ in found], axis=0),
            until * number(draw, "segment_m") - taut,
            np.abs(turned_round(local, route.peg, until) - _turned_taut(route)),
        )

    def speed(self, elapsed_s: FloatArray) -> FloatArray:
        """Of the fastest node on the average of the `OVER_S` before each row, m/s, (ticks,);
        infinite before so much has passed."""
        before = np.searchsorted(elapsed_s, elapsed_s - OVER_S, side="right") - 1
        passed_s = elapsed_s - elapsed_s[np.maximum(before, 0)]
        way = np.linalg.norm(self.nodes - self.nodes[np.maximum(before, 0)], axis=2).max(axis=1)
        return np.where(before >= 0, way / np.where(before >= 0, passed_s, 1.0), np.inf)

    def moved(self, elapsed_s: FloatArray, seconds: float) -> float:
        """How far any node has been in the last `seconds` from where it is at the end, m."""
        late = self.nodes[elapsed_s >= elapsed_s[-1] - seconds]
        return float(np.linalg.norm(late - self.nodes[-1], axis=2).max())


def nearest(nodes: FloatArray, place: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance in m, (ticks,), of the line through nodes (ticks, n, 3) from a place (3,), and
    how far along the cable its nearest point is, in segments, (ticks,)."""
    start, way = nodes[:, :-1], np.diff(nodes, axis=1)
    square = np.maximum(np.sum(way**2, axis=2), 1e-12)
    part = np.clip(np.sum((place - start) * way, axis=2) / square, 0.0, 1.0)
    away = np.linalg.norm(start + part[..., None] * way - place, axis=2)
    best, rows = np.argmin(away, axis=1), np.arange(len(nodes))
    return away[rows, best], best + part[rows, best]


def turned_round(nodes: FloatArray, axis: FloatArray, until: FloatArray) -> FloatArray:
    """Angle in rad, (ticks,), by which the line from the first node to `until` segments,
    (ticks,), goes round an upright axis at (2,), positive to the left."""
    flat = nodes[..., :2] - axis
    steps = np.diff(np.arctan2(flat[..., 1], flat[..., 0]), axis=1)
    steps -= 2 * np.pi * np.round(steps / (2 * np.pi))
    share = np.clip(until[:, None] - np.arange(steps.shape[1]), 0.0, 1.0)
    return np.asarray(np.sum(steps * share, axis=1))


def _nodes(seen: Seen, segments: int) -> FloatArray | None:
    """(ticks, nodes, 3)."""
    found = [seen.columns(f"cable.n{node}") for node in range(segments + 1)]
    present = [one for one in found if one is not None]
    return np.stack(present, axis=1) if len(present) == len(found) else None


def _places(route: Route) -> list[FloatArray]:
    """Both ends and the middle of every clip, (2,) each, in the order of the cable."""
    found = []
    for at, heading in route.clips():
        half = CLIP_LENGTH_M / 2 * np.array([math.cos(heading), math.sin(heading)])
        found += [at - half, at, at + half]
    return found


def _turned_taut(route: Route) -> float:
    """By how much the route itself goes round its peg, to the end of the last clip, rad."""
    course = [np.zeros(2), route.leaves(0.0), route.leaves(route.corner), _places(route)[-1]]
    return float(turned_round(np.array([course]), route.peg, np.array([3.0]))[0])
