"""Inertia of a link made of several homogeneous primitives, exact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hil.kinematics import rotation
from sim.robots.urdf import Inertial, Part


def made_of(*pieces: tuple[Part, float]) -> Inertial:
    """Inertial of homogeneous parts, each with its mass in kg, that are rigid together.

    Masses add up; each part's moments are turned into the link's axes and moved to the common
    centre of mass by the parallel-axis theorem, J = R I R' + m (d'd E - d d'). Parts are
    counted as if none overlapped.
    """
    masses = np.array([mass for _, mass in pieces])
    places = np.array([part.at for part, _ in pieces])
    centre = masses @ places / masses.sum()
    tensor = np.zeros((3, 3))
    for (part, mass), away in zip(pieces, places - centre, strict=True):
        turn = rotation(part.rpy)
        tensor += turn @ np.diag(part.shape.inertia(mass)) @ turn.T
        tensor += mass * (away @ away * np.eye(3) - np.outer(away, away))
    x, y, z = centre.tolist()
    return Inertial(float(masses.sum()), (x, y, z), _six(tensor.tolist()))


def _six(tensor: Sequence[Sequence[float]]) -> tuple[float, float, float, float, float, float]:
    (xx, xy, xz), (_, yy, yz), (_, _, zz) = tensor
    return (xx, yy, zz, xy, xz, yz)
