"""Teach a network the script of an arm's job, and score it.

    python -m models.train.imitation mfg-kit-pick-place --rig sim-panda --out models/zoo/pick-place

Plain imitation of whole lessons that went well (`models.train.lessons`): the network keeps in
its memory how far it is in the story, and where the tools have to be then is fitted in closed
form (`models.train.imitation_fit`). Since its answer is a pose and no change of one, and does not
depend on where the tool is, errors do not add up, and no lesson in which the learner drives is
needed.

Fixed seeds and one thread a process: the same versions give the same file. With `--kept FILE`
lessons are taken from there, or kept there if there is none.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hil.errors import BadInput
from models.train.card_text import card_text
from models.train.imitation_fit import fit
from models.train.imitation_learner import Learner, Shape, export
from models.train.imitation_moves import moves_of, parted
from models.train.imitation_story import Layout, story
from models.train.lessons import Course, Notebook, lesson, plan_of, success
from models.train.tools import tool_versions

FRESH_SEEDS = 1_000_000
"""Master seeds from here on are never trained on; scores are of them."""
FEWEST = 20


def train(books: Sequence[Notebook], rate_hz: float) -> bytes:
    """The network of the lessons that went well. Errors: BadInput where these are too few."""
    good = parted([book for book in books if book.success])
    if len(good) < FEWEST:
        raise BadInput(f"{len(good)} lessons went well, {FEWEST} are needed", "ask for more")
    torch.set_num_threads(1)
    channels = good[0].channels
    layout, moves = Layout.of(channels), moves_of(good)
    stories = [story(book, moves, layout, rate_hz) for book in good]
    found = fit(stories, layout.names(channels), rate_hz)
    return export(Learner(found, Shape(layout, len(channels), rate_hz)))


def score(course: Course, content: bytes, episodes: int, pool: ProcessPoolExecutor) -> int:
    """Successes on fresh seeds."""
    seeds = range(FRESH_SEEDS, FRESH_SEEDS + episodes)
    return sum(pool.map(partial(success, course=course, content=content), seeds))


def lessons(course: Course, count: int, kept: Path | None, pool: ProcessPoolExecutor) -> Any:
    """Of `count` lessons with seeds from 0 those that began, or those of the file `kept` if it
    is there."""
    if kept is not None and kept.exists():
        return read(kept)[:count]
    books = list(pool.map(partial(lesson, course=course), range(count)))
    books = [book for book in books if book.observations]  # of a scene that could be drawn
    if kept is not None:
        write(kept, books)
    return books


def write(path: Path, books: Sequence[Notebook]) -> None:
    """Keep lessons as a compressed file of arrays."""
    np.savez_compressed(
        path,
        channels=books[0].channels,
        answers=books[0].answers,
        observations=np.concatenate([book.observations for book in books]),
        labels=np.concatenate([book.labels for book in books]),
        stages=np.concatenate([book.stages for book in books]),
        ticks=[len(book.stages) for book in books],
        success=[book.success for book in books],
    )


def read(path: Path) -> list[Notebook]:
    """Lessons that were kept."""
    with np.load(path) as file:
        table = {name: file[name] for name in file.files}
    ends = np.cumsum(table["ticks"])[:-1]
    parts = [np.split(table[name], ends) for name in ("observations", "labels", "stages")]
    channels, answers = table["channels"].tolist(), table["answers"].tolist()
    return [
        Notebook(channels, answers, list(seen), list(labels), stages.tolist(), bool(good))
        for seen, labels, stages, good in zip(*parts, table["success"], strict=True)
    ]


def card(
    course: Course, name: str, content: bytes, books: Sequence[Notebook], found: dict[str, float]
) -> str:
    """Text of `card.toml`; `found` has the scores and how many lessons there were."""
    [planned] = plan_of(course, 0).scenarios.values()
    scenario = planned.scenario
    count = round(found["lessons"])
    good = sum(book.success for book in books)
    handed = sum(name.startswith("memory.") for name in books[0].channels)
    return card_text(
        {
            "schema": 1,
            "name": name,
            "title": scenario.title,
            "file": "model.onnx",
            "sha256": hashlib.sha256(content).hexdigest(),
            "archetype": scenario.archetype,
            "licence": "Apache-2.0",
            "normalisation": "inside the graph",
            "limits": (
                f"Taught by imitation on {course.rig} at {scenario.loop.rate_hz:g} Hz, with the"
                f" ranges of scenario {scenario.id}. It goes by its own clock, and by what tracker"
                " and sensors say, which it follows as an affine function; it does not look"
                " where its tool is, and tries nothing twice. Outside these ranges nothing is"
                " promised."
            ),
            "inputs": [
                {
                    "name": "observation",
                    "source": {"kind": "tensor", "channels": books[0].channels},
                }
            ],
            "outputs": [
                {"name": "reach", "channels": books[0].answers},
                {"name": "memory", "channels": [f"memory.{k}" for k in range(handed)]},
            ],
            "provenance": {
                "script": f"models/train/imitation.py {scenario.id} --rig {course.rig}"
                f" --lessons {count}",
                "seed": 0,
                "data": (
                    f"{good} of {count} simulated episodes of the archetype's script, those that"
                    f" went well, seeds from 0; scores on seeds from {FRESH_SEEDS}"
                ),
                "tools": tool_versions(),
            },
            "scores": found,
        }
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, export, score, and write the model's folder, which names the model."""
    parser = argparse.ArgumentParser(description="Teach a network the script of a job.")
    parser.add_argument("scenario")
    parser.add_argument("--rig", required=True)
    parser.add_argument("--lessons", type=int, default=100, help="episodes of the script")
    parser.add_argument("--episodes", type=int, default=100, help="episodes to score")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kept", type=Path, help="file of lessons")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    course = Course(options.scenario, options.rig)
    plan = plan_of(course, 0)  # refuses before anything is done
    [planned] = plan.scenarios.values()
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        books = lessons(course, options.lessons, options.kept, pool)
        content = train(books, planned.scenario.loop.rate_hz)
        done = score(course, content, options.episodes, pool)
    found = {
        "episodes": float(options.episodes),
        "successes": float(done),
        "lessons": float(options.lessons),
        "lessons_that_went_well": float(sum(book.success for book in books)),
    }
    sys.stdout.writelines(f"{key} {value:g}\n" for key, value in found.items())
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "model.onnx").write_bytes(content)
    text = card(course, options.out.name, content, books, found)
    (options.out / "card.toml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
