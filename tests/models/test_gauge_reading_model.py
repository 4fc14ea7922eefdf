"""The committed gauge reader: the file is the card's, and it reads gauges it never saw."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from models.runtime import Network
from models.zoo import find_model, load_card
from sim.tasks.gauge_read import TASK, Parameters

_FOLDER = find_model("gauge-reading")


@pytest.fixture(scope="module")
def network() -> Network:
    _, model = load_card(_FOLDER)
    return Network(model.content, model.preprocess)


def _readings(network: Network, draw: object) -> list[float]:
    return [
        float(TASK.reading(network.run(network.prepare(stimulus)))[0])
        for stimulus in TASK.stimuli(draw)  # type: ignore[arg-type]
    ]


def test_the_card_is_of_this_file_and_of_this_archetype() -> None:
    card, model = load_card(_FOLDER)
    content = (_FOLDER / card.file).read_bytes()
    assert card.sha256 == hashlib.sha256(content).hexdigest() == model.sha256
    assert card.archetype == "gauge-read"
    assert len(content) < 1_000_000
    assert (Path(__file__).parents[2] / card.provenance.script).is_file()
    assert card.scores["successes"] / card.scores["episodes"] >= 0.99


def test_it_reads_twenty_fresh_gauges_within_tolerance(network: Network) -> None:
    parameters = Parameters()
    for seed in range(20):
        draw = TASK.draw(parameters, np.random.default_rng([77, seed]))
        truth = draw["gauge"]["value_fraction"]  # type: ignore[index]
        error = abs(float(np.median(_readings(network, draw))) - truth)
        assert error <= parameters.tolerance_fraction, f"seed {seed}: {error:.4f}"


def test_it_looks_at_the_picture(network: Network) -> None:
    low = TASK.draw(Parameters(value_fraction=(0.1, 0.1)), np.random.default_rng(1))
    high = TASK.draw(Parameters(value_fraction=(0.9, 0.9)), np.random.default_rng(1))
    assert np.median(_readings(network, low)) + 0.7 < np.median(_readings(network, high))
