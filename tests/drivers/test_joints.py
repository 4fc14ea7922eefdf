"""Ranges of joints whose motors run with them or against them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from drivers.joints import between, limits_of, refuse_silent
from hil.errors import DeviceFault


@dataclass(frozen=True)
class Joint:
    lower: float
    upper: float
    velocity: float


def test_limits_are_in_the_order_of_the_joints() -> None:
    limits = limits_of([Joint(-1.0, 2.0, 3.0), Joint(-0.5, 0.25, 6.0)])
    assert limits.lower.tolist() == [-1.0, -0.5]
    assert limits.upper.tolist() == [2.0, 0.25]
    assert limits.velocity.tolist() == [3.0, 6.0]


def test_each_joint_has_its_own_lower_end() -> None:
    limits = limits_of([Joint(-9.0, 9.0, 3.0), Joint(-9.0, 9.0, 6.0)])
    found = between(limits, np.array([-1.0, 2.0]), np.array([1.5, -2.5]))
    assert found.lower.tolist() == [-1.0, -2.5]
    assert found.upper.tolist() == [1.5, 2.0]
    assert found.velocity.tolist() == [3.0, 6.0]


def test_silent_joints_are_named() -> None:
    refuse_silent("arm", "identity", [])
    with pytest.raises(DeviceFault, match="arm: identity: no answer from elbow, wrist") as caught:
        refuse_silent("arm", "identity", ["elbow", "wrist"])
    assert caught.value.remedy == "check supply and cables"
