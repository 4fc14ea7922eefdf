"""The rig files as an engineer uses them: a twin that starts, a bench that opens, a board that
infers."""

from __future__ import annotations

import numpy as np
import pytest

from hil.catalogue import load_rig
from hil.contracts import ModelImage
from hil.errors import DeviceNotFound
from hil.rig import build_bench


def test_the_twin_s_board_infers_behind_the_bench() -> None:
    with build_bench(*load_rig("twin-mlperf-tiny")) as bench:
        bench.open()
        assert bench.identities()["terminal"].detail["network"] == "ic01"
        terminal = bench.inference("terminal")
        terminal.load(ModelImage("ic01", b"", ""), bench.deadline(5.0))
        picture = np.full((32, 32, 3), 9.0, np.float32)
        result = terminal.infer({"picture": picture}, bench.deadline(30.0))
        assert result.outputs["results"].shape == (1, 10)
        assert result.stamps.end_ns - result.stamps.start_ns >= 2_000_000
        assert all(finding.ok for finding in bench.health()["terminal"])
        assert [proof.state for proof in bench.make_safe()] == ["idle"]


def test_the_real_rig_names_the_ports_there_are() -> None:
    with pytest.raises(DeviceNotFound, match="SERIAL-OF-THE-BOARD"):
        build_bench(*load_rig("mlperf-tiny-board"))
