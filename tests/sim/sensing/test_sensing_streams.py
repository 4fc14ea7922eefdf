"""Random streams: fixed by seed and names, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from sim.sensing.streams import stream


def test_a_stream_is_what_it_always_was() -> None:
    """Raw words, which numpy promises to keep: equal records need equal streams."""
    raw = stream(7, "wrist", "white").bit_generator.random_raw(2)
    assert raw.tolist() == [14627870815817616102, 6500434344431898061]


def test_other_seeds_and_names_give_other_streams() -> None:
    keys = [(7, "ab", "c"), (7, "a", "bc"), (7, "abc"), (8, "abc"), (7, "c", "ab")]
    first = [stream(seed, *names).random() for seed, *names in keys]
    assert len(set(first)) == len(keys)


def test_streams_of_two_names_have_nothing_in_common() -> None:
    count = 20_000
    left, right = (stream(3, name).normal(size=count) for name in ("left", "right"))
    assert abs(np.corrcoef(left, right)[0, 1]) < 4 / np.sqrt(count)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        stream(-1, "wrist")
