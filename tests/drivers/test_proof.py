"""A proof for a device that is not open, or whose link goes while it is made safe."""

from __future__ import annotations

import pytest

from drivers.proof import reached
from hil.errors import DeadlineMissed, LinkLost


def test_what_was_done_on_an_open_line_is_handed_back() -> None:
    assert reached("line", len) == (4, "")


def test_a_device_that_is_not_open_is_not_touched() -> None:
    assert reached(None, pytest.fail) == (None, "port not open, nothing could be read")


def test_a_link_that_goes_is_a_state_and_keeps_what_was_noted() -> None:
    noted: list[str] = []

    def act(line: str) -> None:
        noted.append(line)
        raise LinkLost("unplugged")

    assert reached("line", act) == (None, "link lost: unplugged")
    assert noted == ["line"]


def test_anything_else_is_the_caller_s() -> None:
    def late(_line: str) -> None:
        raise DeadlineMissed("no answer")

    with pytest.raises(DeadlineMissed):
        reached("line", late)
