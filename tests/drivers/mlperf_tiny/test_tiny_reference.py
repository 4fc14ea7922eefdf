"""The parser that all boards share, compiled for this host: driven by the driver, and compared
with the emulated board.

It is not part of this project. `HIL_MLPERF_TINY` names the folder `benchmark` of a checkout of
mlcommons/tiny; without it, or without a C++ compiler, these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tiny_emulator import Board, masked
from test_tiny_pty import device, soon

from hil.contracts import ModelImage
from hil.errors import DeadlineMissed, LinkLost

_API = os.environ.get("HIL_MLPERF_TINY", "")
_COMPILER = shutil.which("g++") or shutil.which("c++")

pytestmark = [
    pytest.mark.skipif(not _API, reason="HIL_MLPERF_TINY names no checkout of mlcommons/tiny"),
    pytest.mark.skipif(not _COMPILER, reason="there is no C++ compiler"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny") / "board"
    sources = [
        f"{_API}/api/internally_implemented.cpp",
        f"{Path(__file__).parent}/reference_port.cpp",
    ]
    define = '-DTH_MODEL_VERSION="kws01"'
    command = [str(_COMPILER), "-w", f"-I{_API}", define, *sources, "-o", str(out)]
    subprocess.run(command, check=True, timeout=120)
    return out


@contextmanager
def board_on_pty(program: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The parser with the master's side for its UART; a driver opens the path."""
    master, slave = os.openpty()
    tty.setraw(slave)
    with subprocess.Popen([str(program)], stdin=master, stdout=master) as process:
        os.close(master)
        try:
            yield os.ttyname(slave), process
        finally:
            process.kill()
            os.close(slave)


def test_the_driver_runs_the_reference(program: Path) -> None:
    features = np.arange(490, dtype=np.float32).reshape(49, 10) % 100
    with board_on_pty(program) as (path, _):
        board = device(path, baud=115_200, read_back=True)
        board.open(soon())
        identity = board.identity(soon())
        assert (identity.model, identity.detail["network"]) == ("unspecified", "kws01")
        board.load(ModelImage("kws01", b"", ""), soon())
        board.load_tensor({"features": features}, soon())
        opened = board._open_board().board
        inferred = opened.infer(3, 0, soon())
        # the port's results are the count and the sum of the bytes it was given
        assert inferred.results == (490.0, float(features.sum()))
        assert inferred.laps_us is not None
        assert inferred.laps_us[1] - inferred.laps_us[0] >= 3 * 2000
        assert board.make_safe(soon()).safe
        board.close()


@pytest.mark.parametrize("fatal", [b"%", b"  %"])
def test_a_bare_terminator_really_kills_it(program: Path, fatal: bytes) -> None:
    with board_on_pty(program) as (path, process):
        board = device(path, baud=115_200)
        board.open(soon())
        board._open_board().board.session._transport.write(fatal, soon())
        with pytest.raises((LinkLost, DeadlineMissed)):
            board.ping(soon(2))
        assert process.wait(10) < 0  # by a signal
        board.close()


_WORDS = st.sampled_from(
    ["name", "profile", "timestamp", "db", "load", "print", "infer", "results", "0", "1", "3", "8",
     "5", "-1", "+2", "2x", "00", "0A1b", "ffee0", "zz", "0z", "000102030405060708", "bogus"]
)  # fmt: skip
_COMMANDS = st.lists(
    st.lists(_WORDS, min_size=1, max_size=4).map(" ".join)
    | st.text("abdb 019-\r\n\t", min_size=1, max_size=90).filter(lambda text: text.strip(" ")),
    min_size=1,
    max_size=12,
)


def _differs(command: str) -> bool:
    """Where a board and this host part: a size or count that 32 bits of long do not hold, and
    the negative sizes with which the parser reads memory that is not its own."""
    return "-1" in command or any(word.isdecimal() and len(word) > 9 for word in command.split())


@settings(max_examples=200, deadline=None)
@given(_COMMANDS)
def test_the_emulated_board_says_what_the_reference_says(
    program: Path, commands: list[str]
) -> None:
    sent = [f"db load {len(commands)}", *(one for one in commands if not _differs(one))]
    stream = "".join(f"{one}%" for one in sent).encode()
    said = subprocess.run([str(program)], input=stream, capture_output=True, timeout=60, check=True)
    board = Board(model="kws01")
    emulated = board.collect() + board.send(stream)
    assert masked(emulated) == masked(said.stdout.decode("ascii", "replace"))
