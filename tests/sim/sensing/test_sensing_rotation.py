"""Quaternions, against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hil.errors import HarnessError
from sim.sensing.rotation import from_vector, inverse, matrix, product, to_vector, unit

vectors = st.lists(st.floats(-3, 3), min_size=3, max_size=3).map(np.array)


@given(vectors, vectors, st.floats(0.1, 10))
@settings(deadline=None)
def test_they_agree(first: np.ndarray, second: np.ndarray, length: float) -> None:
    a, b = Rotation.from_rotvec(first), Rotation.from_rotvec(second)
    p, q = from_vector(first), from_vector(second)
    np.testing.assert_allclose(matrix(p), a.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(matrix(product(p, q)), (a * b).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(matrix(inverse(p)), a.inv().as_matrix(), atol=1e-12)
    np.testing.assert_allclose(unit(p * length), p, atol=1e-12)
    vector = to_vector(product(p, q))
    np.testing.assert_allclose(
        Rotation.from_rotvec(vector).as_matrix(), (a * b).as_matrix(), atol=1e-9
    )
    assert np.linalg.norm(vector) <= np.pi + 1e-9


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-9, 1e-7, 1.0, 3.1])
def test_a_vector_survives(angle: float) -> None:
    vector = np.array([0.6, 0.0, -0.8]) * angle
    np.testing.assert_allclose(to_vector(from_vector(vector)), vector, rtol=1e-9, atol=1e-18)


def test_what_is_no_rotation_is_refused() -> None:
    with pytest.raises(HarnessError, match="length 0"):
        unit(np.zeros(4))
    with pytest.raises(HarnessError, match="4 numbers"):
        unit(np.ones(3))
