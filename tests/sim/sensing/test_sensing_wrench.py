"""Wrist force and torque."""

from __future__ import annotations

import numpy as np
import pytest

from hil.contracts import Capability
from sim.sensing.wrench import LABELS, Wrench, WrenchModel

NS = 1_000_000_000
IDEAL = WrenchModel(rate_hz=100, range_n=300, range_nm=30)
TRUTH = np.array([10.0, -20.0, 30.0, 1.0, -2.0, 3.0])


def read(model: WrenchModel, truth: np.ndarray, seed: int = 1) -> np.ndarray:
    sensor = Wrench("wrist", model, seed)
    assert sensor.offer(0, truth)
    return sensor.channel.newest(NS).value


def test_an_ideal_one_tells_the_truth() -> None:
    np.testing.assert_array_equal(read(IDEAL, TRUTH), TRUTH)
    facts = Wrench("wrist", IDEAL, 1).facts
    assert facts.kind is Capability.FORCE_TORQUE
    assert dict(zip(facts.labels, facts.units, strict=True)) == {
        "fx": "N", "fy": "N", "fz": "N", "tx": "N·m", "ty": "N·m", "tz": "N·m",
    }  # fmt: skip


def test_a_measured_matrix_is_taken_as_it_is() -> None:
    rng = np.random.default_rng(2)
    matrix = np.eye(6) + rng.normal(0, 0.05, (6, 6))
    model = WrenchModel.model_validate({**IDEAL.model_dump(), "matrix": matrix.tolist()})
    np.testing.assert_allclose(read(model, TRUTH), matrix @ TRUTH, rtol=1e-12)


def test_crosstalk_is_a_fraction_of_full_scale_and_gain_of_the_reading() -> None:
    """Full scale on one axis shows on another by the fraction of that one's full scale."""
    scale = np.array([300.0] * 3 + [30.0] * 3)
    errors = []
    model = IDEAL.model_copy(update={"gain_error": 0.02, "crosstalk": 0.005})
    for seed in range(800):
        a = Wrench("wrist", model, seed).calibration
        errors.append((a * scale / scale[:, None]) - np.eye(6))
    spread = np.std(errors, axis=0)
    wanted = np.where(np.eye(6) == 1, 0.02, 0.005)
    # 4 standard errors of a deviation from 800 draws, and 36 of them at once
    np.testing.assert_allclose(spread / wanted, 1, atol=5 / np.sqrt(2 * 800))
    assert np.abs(np.mean(errors, axis=0) / wanted).max() < 5 / np.sqrt(800)


def test_noise_bias_and_resolution_are_those_of_force_and_torque() -> None:
    model = IDEAL.model_copy(
        update={
            "noise_n": 0.1, "noise_nm": 0.005, "bias_n": 1.0, "bias_nm": 0.05,
            "resolution_n": 0.01, "resolution_nm": 0.001,
        }
    )  # fmt: skip
    biases, spreads = [], []
    for seed in range(200):
        sensor = Wrench("wrist", model, seed)
        rows = []
        for k in range(100):
            sensor.offer(k * NS // 100, np.zeros(6))
            rows.append(sensor.channel.newest(k * NS // 100).value)
        steps = np.array(rows) / ([0.01] * 3 + [0.001] * 3)
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
        biases.append(np.mean(rows, axis=0))
        spreads.append(np.var(rows, axis=0, ddof=1))
    wanted = np.array([0.1] * 3 + [0.005] * 3)
    np.testing.assert_allclose(np.sqrt(np.mean(spreads, axis=0)) / wanted, 1, atol=0.03)
    np.testing.assert_allclose(np.std(biases, axis=0) / (10 * wanted), 1, atol=4 / np.sqrt(400))


def test_it_saturates_at_full_scale() -> None:
    assert read(IDEAL, TRUTH * 100).tolist() == [300, -300, 300, 30, -30, 30]


def test_an_absent_truth_is_absent() -> None:
    truth = TRUTH.copy()
    truth[2] = np.nan
    assert np.isnan(read(IDEAL, truth)[2])


def test_the_calibration_is_the_episodes() -> None:
    model = IDEAL.model_copy(update={"gain_error": 0.02})
    same = [Wrench("wrist", model, seed).calibration for seed in (5, 5, 6)]
    np.testing.assert_array_equal(same[0], same[1])
    assert (same[0] != same[2]).any()


def test_a_matrix_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="validation error"):
        WrenchModel.model_validate({**IDEAL.model_dump(), "matrix": [[1.0] * 6] * 5})
    assert len(LABELS) == 6
