"""The pseudo-terminal of an emulated device, where it cannot be set up."""

from __future__ import annotations

import struct

import pytest
from descriptors import none_left

from sim.twin.pty import PtyPort


def test_a_rate_that_no_line_has_leaves_nothing_open() -> None:
    with none_left(), pytest.raises(struct.error):
        PtyPort(2**40)
    with none_left():
        port = PtyPort(115_200)
        assert port.line_baud() == 115_200
        port.close()
        port.close()
