"""The fit of a script, what ends its moves, and the networks that came of it."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from hil.catalogue import load_scenario
from hil.contracts import FloatArray
from models.card import TensorInput
from models.runtime import Network
from models.train.imitation_events import ending
from models.train.imitation_fit import fit, hats
from models.train.imitation_moves import moves_of
from models.train.imitation_story import FIRST_S, Layout, remembered, story
from models.train.lessons import Course, Notebook, success
from models.zoo import find_model, load_card

RATE_HZ = 50.0
SEEN = ("block.x_m", "block.y_m", "wrist.0")
CHANNELS = [
    "grip.commanded.bz",
    *SEEN,
    "asked.way_m",
    "elapsed_s",
    *(f"memory.{k}" for k in range(11)),
]
LAYOUT = Layout.of(CHANNELS)
NAMES = LAYOUT.names(CHANNELS)
TAUGHT = {
    "pick-place": ("mfg-kit-pick-place", "sim-panda", 1_000_000),
    "drawer-pull": ("log-tote-drawer-pull", "sim-six-axis", 1_000_000),
    "rocker-switch": ("mfg-panel-rocker-switch", "sim-six-axis", 1_000_000),
    "button-press": ("mfg-panel-button-press", "sim-six-axis", 1_000_000),
    "block-stack": ("home-block-stack-tutor", "sim-panda", 1_000_002),
}
"""By network: scenario, rig, and a seed that it is known to do."""


def _book(seed: int, *, touches: bool = False) -> Notebook:
    """A script that goes to where a block is and then the asked way on. With `touches` the second
    move ends when the wrist feels something, whenever that is."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-0.3, 0.3, 2)
    way = float(rng.uniform(0.05, 0.2))
    second = int(rng.integers(20, 60)) if touches else 30
    book = Notebook(CHANNELS, ["grip.x_m", "grip.y_m"], success=True)
    for tick in range(25 + second + 20):
        move, since = (0, tick) if tick < 25 else (1, tick - 25)
        if tick >= 25 + second:
            move, since = 2, tick - 25 - second
        felt = 5.0 if move == 2 else 0.0
        spread = rng.normal(0.0, 1e-4, 2)
        seen = [0.0, x + spread[0], y + spread[1], felt, way, tick / RATE_HZ, *([0.0] * 11)]
        at = {
            0: (x * since / 25, y * since / 25),
            1: (x + way * min(1.0, since / 30), y),
            2: (x, y + 0.01 * since),
        }[move]
        book.observations.append(np.array(seen, dtype=np.float32))
        book.labels.append(np.array(at, dtype=np.float32))
        book.stages.append(move)
    return book


def test_hats_share_one_whole_among_neighbours() -> None:
    shares = hats(np.linspace(0.0, 1.0, 37), 5)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert ((shares > 0).sum(axis=1) <= 2).all()
    np.testing.assert_array_equal(hats(np.array([0.2, 0.9]), 1), np.ones((2, 1)))


def test_the_first_is_a_mean_that_stays_and_the_smoothed_follows() -> None:
    seen = np.where(np.arange(200)[:, None] < 100, 1.0, 3.0) + np.zeros((200, 2))
    smooth, first = remembered(seen, RATE_HZ)
    np.testing.assert_allclose(first, 1.0)
    np.testing.assert_allclose(smooth[99], 1.0)
    assert 2.9 < smooth[199, 0] < 3.0
    noise = np.random.default_rng(1).normal(size=(200, 1))
    assert remembered(noise, RATE_HZ)[1][-1] == pytest.approx(
        noise[: int(FIRST_S * RATE_HZ)].mean()
    )


def test_a_layout_knows_what_is_seen_asked_and_remembered() -> None:
    assert [CHANNELS[LAYOUT.filtered], CHANNELS[LAYOUT.asked]] == [list(SEEN), ["asked.way_m"]]
    assert CHANNELS[LAYOUT.memory] == "memory.0"


def test_a_script_that_is_affine_is_found() -> None:
    books = [_book(seed) for seed in range(60)]
    moves = moves_of(books)
    stories = [story(book, moves, LAYOUT, RATE_HZ) for book in books]
    found = fit(stories, NAMES, RATE_HZ)
    assert moves == [0, 1, 2]
    assert found.events == (None, None, None)
    assert found.errors.max() < 0.004
    np.testing.assert_allclose(found.longest, [25, 30, 20])


def test_a_move_that_waits_ends_by_what_ends_it() -> None:
    books = [_book(seed, touches=True) for seed in range(60)]
    stories = [story(book, moves_of(books), LAYOUT, RATE_HZ) for book in books]
    found = fit(stories, NAMES, RATE_HZ)
    event = found.events[1]
    assert event is not None
    assert event.agreed == 1.0
    assert found.events[0] is found.events[2] is None


def test_what_explains_nothing_ends_nothing() -> None:
    rng = np.random.default_rng(3)
    moves: list[tuple[FloatArray, FloatArray]] = [
        (rng.normal(size=(30, 4)), rng.normal(size=4)) for _ in range(40)
    ]
    assert ending(moves) is None
    assert ending([(rng.normal(size=(30, 4)), np.full(4, np.nan))]) is None


def test_the_graph_remembers_and_answers_as_the_fit_says() -> None:
    torch = pytest.importorskip("torch", reason="package torch is in the extra 'train'")
    pytest.importorskip("onnx", reason="package onnx is in the extra 'train'")
    from models.train.imitation_learner import Learner, Shape, export

    books = [_book(seed, touches=True) for seed in range(60)]
    stories = [story(book, moves_of(books), LAYOUT, RATE_HZ) for book in books]
    learner = Learner(fit(stories, NAMES, RATE_HZ), Shape(LAYOUT, len(CHANNELS), RATE_HZ))
    network = Network(export(learner), {})
    book = _book(999, touches=True)
    smooth, first = remembered(
        np.array(book.observations, dtype=np.float64)[:, LAYOUT.filtered], RATE_HZ
    )
    memory = np.zeros(11, dtype=np.float32)
    for tick, row in enumerate(book.observations):
        seen = np.concatenate([row[: LAYOUT.memory], memory])[None]
        answer = network.run({"observation": seen})
        with torch.no_grad():
            reach, onward = learner(torch.from_numpy(seen))
        np.testing.assert_allclose(answer["reach"], reach.numpy(), atol=1e-5)
        np.testing.assert_allclose(answer["memory"], onward.numpy(), atol=1e-5)
        memory = answer["memory"][0]
        np.testing.assert_allclose(memory[2:5], smooth[tick], atol=1e-4)
        np.testing.assert_allclose(memory[5:8], first[tick], atol=1e-4)
        if tick not in (25, 26) and tick < len(book.labels) - 22:
            np.testing.assert_allclose(answer["reach"][0], book.labels[tick], atol=0.02)
    assert 2.0 < memory[0] < 3.0, "it is in the last move, and stays there"


@pytest.mark.parametrize("name", TAUGHT)
def test_a_card_describes_its_file_and_its_scenario(name: str) -> None:
    card, image = load_card(find_model(name))
    session = ort.InferenceSession(image.content, providers=["CPUExecutionProvider"])
    [observation] = session.get_inputs()
    source = card.inputs[0].source
    assert isinstance(source, TensorInput)
    assert observation.shape == [1, len(source.channels)]
    shapes = {one.name: one.shape for one in session.get_outputs()}
    assert shapes == {one.name: [1, len(one.channels)] for one in card.outputs}
    assert len(image.content) < 700_000
    scenario, _ = load_scenario(TAUGHT[name][0])
    assert card.archetype == scenario.archetype
    assert f"{TAUGHT[name][0]} --rig {TAUGHT[name][1]}" in card.provenance.script
    assert 0 < card.scores["successes"] <= card.scores["episodes"]


@pytest.mark.parametrize("name", TAUGHT)
def test_it_does_a_fresh_episode(name: str) -> None:
    scenario, rig, seed = TAUGHT[name]
    content = load_card(find_model(name))[1].content
    assert success(seed, Course(scenario, rig), content)
