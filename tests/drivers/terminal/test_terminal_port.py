"""Lines of the agent that cannot be set up are closed again."""

from __future__ import annotations

import os
import termios
from pathlib import Path

import pytest
from descriptors import none_left

from drivers.terminal.port import open_device, open_pty
from hil.errors import BadInput


def refused(*_: object) -> None:
    raise termios.error(25, "Inappropriate ioctl for device")


def test_no_pseudo_terminal_that_stays_cooked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.terminal.port.tty.setraw", refused)
    with none_left(), pytest.raises(termios.error):
        open_pty()


def test_what_is_no_terminal_is_told_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with none_left(), pytest.raises(BadInput, match="not a serial device"):
        open_device(str(tmp_path / "pipe"))


def test_both_ends_are_closed_together() -> None:
    with none_left():
        line = open_pty()
        other = open_device(line.path)
        assert other.write(b"ask", 1.0)
        assert line.read() == b"ask"
        other.close()
        line.close()
        line.close()
