"""The rig file of the twin, from end to end: plant process, pseudo-terminal, driver."""

from __future__ import annotations

import numpy as np
import pytest

from hil.catalogue import load_rig
from hil.rig import build_bench

TARGET = np.array([0.3, 0.3, -0.3, 0.6, 0.3, -0.3, 0.3, -0.5])


def test_twin_of_the_rig_file_is_healthy_moves_and_is_made_safe() -> None:
    spec, path = load_rig("twin-damiao-arm")
    with build_bench(spec, path) as bench:
        bench.open()
        assert all(finding.ok for found in bench.health().values() for finding in found)
        arm = bench.joints("arm")
        arm.enable(bench.deadline(5))
        limit = bench.deadline(20)
        reached = False
        while not reached and not limit.expired:
            arm.command(TARGET, bench.deadline(1))
            sample = arm.read(bench.deadline(1))
            reached = bool(np.nanmax(np.abs(sample.position - TARGET)) < 0.02)
        assert reached
    assert [proof.safe for proof in bench.safe] == [True]


@pytest.mark.parametrize("name", ["damiao-arm", "twin-damiao-arm"])
def test_rig_file_names_a_known_robot(name: str) -> None:
    spec, _ = load_rig(name)
    assert [device.driver for device in spec.devices] == ["damiao-chain"]
    assert spec.devices[0].parameters["robot"] == "openarm-right"
