"""Inertia of primitives and of what is made of them, against sums over small pieces."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from hil.contracts import FloatArray
from hil.kinematics import rotation
from sim.robots.mass import made_of
from sim.robots.urdf import Box, Capsule, Cylinder, Inertial, Part, Sphere, principal

angles = st.floats(-3.1, 3.1)
places = st.tuples(*[st.floats(-0.5, 0.5)] * 3)
sizes = st.tuples(*[st.floats(0.01, 0.3)] * 3)
masses = st.floats(0.01, 5.0)


def tensor(inertial: Inertial) -> FloatArray:
    xx, yy, zz, xy, xz, yz = inertial.tensor
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


@pytest.mark.parametrize(("radius", "length"), [(0.01, 0.05), (0.05, 0.01), (0.2, 1.0)])
def test_a_capsule_is_the_sum_of_its_slices(radius: float, length: float) -> None:
    """Discs along the axis: dm r²/4 + dm z² about an axis across, dm r²/2 about the axis."""
    edges = np.linspace(-length / 2 - radius, length / 2 + radius, 20_001)
    z = (edges[1:] + edges[:-1]) / 2
    beyond = np.maximum(np.abs(z) - length / 2, 0.0)
    square = radius**2 - beyond**2
    weights = square / square.sum()  # mass 1
    across = float(weights @ (square / 4 + z**2))
    along = float(weights @ square / 2)
    assert_allclose(Capsule(radius, length).inertia(1.0), (across, across, along), rtol=1e-6)


def test_a_capsule_without_length_is_a_ball_and_a_thin_one_a_rod() -> None:
    assert_allclose(Capsule(0.1, 0.0).inertia(2.0), Sphere(0.1).inertia(2.0))
    assert_allclose(Capsule(1e-6, 0.5).inertia(2.0)[0], 2.0 * 0.5**2 / 12, rtol=1e-5)


@given(st.floats(0.001, 0.5), st.floats(0.0, 1.0), masses)
def test_a_capsule_lies_between_the_cylinders_inside_and_around_it(
    radius: float, length: float, mass: float
) -> None:
    across, _, along = Capsule(radius, length).inertia(mass)
    assert along <= 2 * across * (1 + 1e-12)  # the triangle inequality
    assert Cylinder(radius, length).inertia(mass)[0] <= across * (1 + 1e-9)
    assert across <= Cylinder(radius, length + 2 * radius).inertia(mass)[0] * (1 + 1e-9)
    assert along <= Cylinder(radius, length).inertia(mass)[2] * (1 + 1e-9)


@given(sizes, masses, st.floats(0.1, 0.9), st.tuples(angles, angles, angles), places)
def test_a_box_cut_in_two_is_the_box(
    size: tuple[float, float, float],
    mass: float,
    cut: float,
    rpy: tuple[float, float, float],
    at: tuple[float, float, float],
) -> None:
    x, y, z = size
    turn = rotation(rpy)

    def piece(share: float, middle: float) -> tuple[Part, float]:
        px, py, pz = (np.array(at) + turn @ np.array([middle, 0.0, 0.0])).tolist()
        return Part(Box((x * share, y, z)), (px, py, pz), rpy), mass * share

    whole = made_of((Part(Box(size), at, rpy), mass))
    halves = made_of(piece(cut, (cut - 1) * x / 2), piece(1 - cut, cut * x / 2))
    assert halves.mass == pytest.approx(whole.mass)
    assert_allclose(halves.centre, whole.centre, atol=1e-12)
    assert_allclose(halves.tensor, whole.tensor, atol=1e-10)


@given(sizes, masses, st.tuples(angles, angles, angles))
def test_a_turned_part_keeps_its_moments(
    size: tuple[float, float, float], mass: float, rpy: tuple[float, float, float]
) -> None:
    turned = made_of((Part(Box(size), (0.1, 0.2, 0.3), rpy), mass))
    assert_allclose(turned.centre, (0.1, 0.2, 0.3))
    moments = np.linalg.eigvalsh(tensor(turned))
    assert_allclose(moments, sorted(Box(size).inertia(mass)), rtol=1e-9)
    again, axes = principal(turned)
    assert_allclose(rotation(axes) @ np.diag(again) @ rotation(axes).T, tensor(turned), atol=1e-12)


def test_two_balls_apart_turn_about_their_middle() -> None:
    ball = Sphere(0.1)
    pair = made_of((Part(ball, (1.0, 0.0, 0.0)), 3.0), (Part(ball, (-2.0, 0.0, 0.0)), 1.0))
    assert (pair.mass, pair.centre) == (4.0, (0.25, 0.0, 0.0))
    own = 2 * 4.0 * 0.01 / 5
    reduced = 3.0 * 1.0 / 4.0 * 3.0**2
    assert_allclose(pair.tensor, (own, own + reduced, own + reduced, 0.0, 0.0, 0.0), atol=1e-12)
    assert math.isclose(made_of((Part(ball), 2.0)).tensor[0], ball.inertia(2.0)[0])
