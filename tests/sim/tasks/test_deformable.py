from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from hil.catalogue import load_scenario
from hil.contracts import FloatArray
from sim.tasks.deformable import JOB
from sim.tasks.deformable_lay import nearest, turned_round
from sim.tasks.deformable_route import CLIP_LENGTH_M, CLIP_WALL_M, Route
from sim.tasks.deformable_things import SEGMENTS, Parameters
from sim.tasks.kit.poses import matrix_of

SCENARIO, RIG = "mfg-harness-route-arm", "sim-panda-cable"
END = slice(-1, None)
HELD = "laid, at rest and released at the end"


@pytest.fixture(scope="module")
def done() -> Tried:
    return attempt(SCENARIO, RIG, "expert")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same scenario, over as soon as the hand is on its way to the cable."""
    _, path = load_scenario(SCENARIO)
    text = re.sub(r"duration_s = \S+", "duration_s = 1.5", path.read_text(encoding="utf-8"))
    found = tmp_path_factory.mktemp("short") / path.name
    found.write_text(text, encoding="utf-8")
    return found


def test_the_expert_does_it(done: Tried) -> None:
    assert done.score.success is True, done.score
    assert 1.0 < done.score.measures["peak tension, N"] < 15.0


def test_who_does_nothing_does_not(short: Path) -> None:
    tried = attempt(SCENARIO, RIG, "null", file=short)
    assert tried.score.success is False
    failed = {name for name, ok in tried.named().items() if ok is False}
    assert failed >= {"farthest from a clip's middle", HELD, "laid within"}


def test_two_processes_give_the_same_bits(short: Path) -> None:
    here = digest(attempt(SCENARIO, RIG, "expert", file=short).episode)
    assert digest_elsewhere(SCENARIO, RIG, "expert", file=short) == here


@pytest.mark.parametrize(
    ("rows", "values", "failed"),
    [
        (END, {"cable__robot_n": 0.5}, HELD),
        (slice(-3, None), {"cable__n24__x": 0.0}, HELD),
        (slice(-20, -19), {"cable__n24__x": 0.0}, "moved at the end"),
        (slice(900, 901), {"cable__tension_peak_n": 21.0}, "peak tension"),
        (slice(900, 901), {"peg__force_peak_n": 31.0}, "peak force on the peg"),
        (slice(900, 901), {"clips__force_peak_n": 31.0}, "peak force on the clips"),
        (slice(0, -5), {"cable__n8__z": 0.2, "cable__n7__z": 0.2}, HELD),
    ],
)
def test_what_is_not_done_at_the_end_is_no_success(
    done: Tried, rows: slice, values: dict[str, float], failed: str
) -> None:
    score = done.task.score(changed(done.episode, rows, **values), done.parameters)
    assert score.success is False
    assert failed in failures(score)


@pytest.mark.parametrize(
    "label",
    ["cable.n3.x", "cable.robot_n", "cable.tension_peak_n", "peg.force_peak_n"],
)
def test_what_was_not_observed_is_undecided(done: Tried, label: str) -> None:
    assert done.task.score(without(done.episode, label), done.parameters).success is None


def test_a_cable_out_of_one_clip_is_seen_whichever_it_is(done: Tried) -> None:
    for at, _ in _clips(done):
        nodes = _nodes(done)
        lifted = np.linalg.norm(nodes[-1, :, :2] - at, axis=1) < 0.05
        nodes[:, lifted, 2] += 0.008
        assert "farthest from a clip's middle" in _failed(done, nodes)


def test_a_cable_on_the_wrong_side_of_the_peg_is_seen(done: Tried) -> None:
    """Pulled through the peg's place to its other side, which shortens it, too."""
    route, frame = Route.of(done.episode.draw), _frame(done)
    nodes, peg = _nodes(done), frame @ [*route.peg, 0.0] + done.episode.draw["poses"]["clips"][:3]
    near = np.linalg.norm(nodes[-1, :, :2] - peg[:2], axis=1) < 0.05
    nodes[:, near, :2] = 2 * peg[:2] - nodes[:, near, :2]
    assert "turn round the peg off by" in _failed(done, nodes)


def test_a_loose_cable_is_seen(done: Tried) -> None:
    """The same places, with two segments more between them than the cable has."""
    nodes = _nodes(done)
    more = np.insert(nodes, [12, 12], nodes[:, 12:13], axis=1)[:, : SEGMENTS + 1]
    assert "slack of the cable" in _failed(done, more)


def _frame(done: Tried) -> FloatArray:
    return matrix_of(np.array(done.episode.draw["poses"]["clips"][3:]))


def _clips(done: Tried) -> list[tuple[FloatArray, float]]:
    """Middles (2,) in the base frame, and headings."""
    at = np.array(done.episode.draw["poses"]["clips"][:2])
    clips = Route.of(done.episode.draw).clips()
    return [((_frame(done) @ [*middle, 0.0])[:2] + at, heading) for middle, heading in clips]


def _nodes(done: Tried) -> FloatArray:
    witness = done.episode.channels["witness"]
    rows = [
        [witness.labels.index(f"cable.n{node}.{axis}") for axis in "xyz"]
        for node in range(SEGMENTS + 1)
    ]
    return witness.value[:, np.array(rows)].copy()


def _failed(done: Tried, nodes: FloatArray) -> set[str]:
    """Conditions that fail if the nodes were there."""
    episode = done.episode
    for node in range(nodes.shape[1]):
        for place, axis in enumerate("xyz"):
            values = {f"cable__n{node}__{axis}": nodes[:, node, place]}
            episode = changed(episode, slice(None), **values)  # type: ignore[arg-type]
    score = done.task.score(episode, done.parameters)
    return failures(score)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"leg_m": [0.1, 0.2]}, r"within \[0.22, 0.27\] m"),
        ({"corner_rad": [1.3, 2.5]}, r"within \[1.2, 1.7\] rad"),
        ({"stiffness_n_m2": [0.001, 0.01]}, r"within \[0.0001, 0.0006\] N·m²"),
        ({"clearance_m": 0.0}, "greater than or equal to 0.002"),
        ({"pegs": 2}, "Extra inputs"),
    ],
)
def test_what_it_cannot_do_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Parameters.model_validate(table)


def test_the_cable_lies_clear_of_board_and_base_at_first() -> None:
    for seed in range(200):
        draw: Any = JOB.draw(Parameters(), np.random.default_rng(seed))
        board, cable = draw["poses"]["clips"], draw["elements"][-1]
        steps = cable["segment"] * np.array([[math.cos(h), math.sin(h)] for h in cable["headings"]])
        nodes = np.array(cable["at"][:2]) + np.vstack([[0.0, 0.0], np.cumsum(steps, axis=0)])
        local = np.hstack([nodes - board[:2], np.zeros((len(nodes), 1))]) @ matrix_of(
            np.array(board[3:])
        )
        route = Route.of(draw)
        reach = math.hypot(CLIP_LENGTH_M / 2, route.cable_radius * 2 + CLIP_WALL_M)
        for place in [*(at for at, _ in route.clips()), route.peg]:
            away, _ = nearest(local[None], np.array([*place, 0.0]))
            assert away[0] > reach
        assert np.linalg.norm(nodes, axis=1).min() > 0.15
        assert draw["grip_node"] + 2 <= SEGMENTS


def test_turning_is_signed() -> None:
    half = np.linspace(0.0, math.pi, 7)
    arc = np.stack([np.cos(half), np.sin(half), 0 * half], axis=1)
    origin = np.zeros(2)
    whole = np.array([6.0])
    assert turned_round(arc[None], origin, whole)[0] == pytest.approx(math.pi)
    assert turned_round(arc[None, ::-1], origin, whole)[0] == pytest.approx(-math.pi)
    back = np.vstack([arc, arc[::-1]])
    assert turned_round(back[None], origin, np.array([13.0]))[0] == pytest.approx(0.0)
