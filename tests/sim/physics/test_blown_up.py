"""Physics that blows up in an episode, as a person meets it who runs a scenario."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.cli.main import main
from hil.errors import HarnessError
from hil.record.reader import open_run
from sim.plants import panda
from sim.robots.model import Robot
from sim.tasks.pick_place import JOB, Parameters

Fault = Callable[[list[dict[str, Any]]], None]

HURLED_S = 0.5
STONE: dict[str, Any] = {
    "kind": "body",
    "name": "stone",
    "mass": 0.1,
    "parts": [{"shape": "box", "size": [0.03, 0.03, 0.03]}],
    "at": [0.0, 0.4, 0.3],
}


def hurl(newtons: float) -> Fault:
    """A stone is hurled at the block with this force, for 20 ms."""

    def plant(elements: list[dict[str, Any]]) -> None:
        way = np.subtract(block(elements)["at"], STONE["at"])
        force = (newtons * way / np.linalg.norm(way)).tolist()
        shove = {"start_s": HURLED_S, "lasts_s": 0.02, "force": force}
        elements.append(STONE)
        elements.append({"kind": "shoves", "name": "arm", "on": "stone", "shoves": [shove]})

    return plant


def wall_in(elements: list[dict[str, Any]]) -> None:
    """The block is in another body from the start."""
    part = {"shape": "box", "size": [0.08, 0.08, 0.08]}
    wall = {"kind": "body", "name": "wall", "fixed": True, "parts": [part]}
    elements.append({**wall, "at": block(elements)["at"]})


def block(elements: list[dict[str, Any]]) -> dict[str, Any]:
    return next(element for element in elements if element["name"] == "block")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (hurl(2000.0), "stone is at"),
        (hurl(1e300), "stone is at"),
        (wall_in, "block and wall are"),
    ],
)
def test_an_episode_whose_physics_blows_up_is_an_error_and_nothing_else(
    fault: Fault, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
        drawn: dict[str, Any] = JOB.scene(asked, rng, robot)
        fault(drawn["elements"])
        return drawn

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("sim.tasks.pick_place.JOB", replace(JOB, scene=scene))
    folder = tmp_path / "run"
    words = ["run", "mfg-kit-pick-place", "--rig", "sim-panda", "--policy", "expert", "-n", "2"]
    monkeypatch.setattr("sys.argv", ["hil", *words, "--seed", "99", "--out", str(folder)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 4

    (row,) = open_run(folder).rows("attempt")
    assert row["end"] == "error"
    assert "the simulated physics has blown up" in row["reason"]
    assert said in row["reason"]

    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["outcome"] == "ERROR"
    assert said in json.dumps(verdict)
    (job,) = verdict["scenarios"]
    assert (job["successes"], job["failures"], job["undecided"]) == (0, 0, 2)


def test_a_surface_that_gives_may_be_deep_and_a_rigid_one_may_not() -> None:
    part = {"shape": "box", "size": [0.06, 0.06, 0.06]}
    block = {"kind": "body", "name": "block", "parts": [part], "at": [0.4, 0.0, 0.05]}
    wall = {"name": "wall", "parts": [part], "at": [0.4, 0.0, 0.08]}
    yielding = {**wall, "kind": "fixture", "stiffness": 1000.0, "damping": 20.0}
    plant = panda(1000)
    try:
        plant.arrange({"elements": [yielding, block]}, None)
        plant.step()
        assert plant.witness()["block.z"] < 0.06
        plant.arrange({"elements": [{**wall, "kind": "body", "fixed": True}, block]}, None)
        plant.step()
        with pytest.raises(HarnessError, match=r"wall and block are 30 mm in each other"):
            plant.witness()
    finally:
        plant.close()
