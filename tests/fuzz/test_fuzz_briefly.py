"""Every codec of the list, a little; `python tests/fuzz/run.py all` is the long run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import run
from fuzz_targets import TARGETS, Target

BRIEFLY = 100_000


@pytest.mark.parametrize("name", TARGETS)
def test_codec_survives(name: str) -> None:
    report = run.attack(TARGETS[name], BRIEFLY, seed=11)
    assert report.faults == ()
    assert report.fed >= BRIEFLY


class Glutton:
    """Keeps everything, and dislikes one byte."""

    def __init__(self) -> None:
        self._kept = bytearray()

    @property
    def pending(self) -> int:
        return len(self._kept)

    def feed(self, data: bytes) -> None:
        self._kept += data

    def finish(self) -> None:
        return None


class Touchy(Glutton):
    def feed(self, data: bytes) -> None:
        if 0xFD in data:
            raise ValueError("FD")


def seeds() -> list[bytes]:
    return [b"\x01\x02\x03\x04"]


def test_memory_without_bound_is_found() -> None:
    report = run.attack(Target(Glutton, seeds, 100), BRIEFLY, seed=1)
    assert any("more than 100" in fault for fault in report.faults)


def test_exception_is_found_with_its_seed() -> None:
    report = run.attack(Target(Touchy, seeds, 100_000), BRIEFLY, seed=5)
    assert report.faults[0].startswith("seed 5: ValueError")


def test_a_round_can_be_repeated() -> None:
    def streams() -> Iterator[bytes]:
        for _, rng in run.rounds(BRIEFLY, 3):
            yield run.mutated(seeds(), rng)

    assert list(streams()) == list(streams())
