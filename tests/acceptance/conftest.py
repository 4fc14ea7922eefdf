"""The main job as a person runs it: the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Hil = Callable[..., "subprocess.CompletedProcess[str]"]

PATIENCE_S = 240


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """As this process's, with a signing key that no other run shares."""
    config = tmp_path_factory.mktemp("config")
    config.chmod(0o700)
    return {**os.environ, "XDG_CONFIG_HOME": str(config), "COLUMNS": "120"}


@pytest.fixture(scope="session")
def hil(environment: dict[str, str]) -> Hil:
    """Call `hil` with arguments; returns code and output."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "hil.cli.main", *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def simulated(hil: Hil, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of the demonstration on the simulated rig. Tests must not change it."""
    folder = tmp_path_factory.mktemp("simulated") / "run"
    done = hil("certify", "--rig", "sim-so101", "--out", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
