"""The rig files of a terminal alone: emulated, and a board on USB."""

from __future__ import annotations

import numpy as np
import pytest
from terminal_fixtures import DOUBLE

from hil.catalogue import load_rig
from hil.errors import DeviceNotFound
from hil.rig import build_bench


def test_the_twin_s_terminal_infers_behind_the_bench() -> None:
    with build_bench(*load_rig("twin-terminal")) as bench:
        bench.open()
        terminal = bench.inference("terminal")
        terminal.load(DOUBLE, bench.deadline(20.0))
        ones = np.ones((1, 3), np.float32)
        result = terminal.infer({"x": ones}, bench.deadline(20.0))
        np.testing.assert_array_equal(result.outputs["y"], 2 * ones)
        assert all(finding.ok for finding in bench.health()["terminal"])
        assert [proof.state for proof in bench.make_safe()] == ["idle"]


def test_the_real_rig_names_the_ports_there_are() -> None:
    with pytest.raises(DeviceNotFound, match="SERIAL-OF-THE-BOARD"):
        build_bench(*load_rig("raspberry-pi-terminal"))
