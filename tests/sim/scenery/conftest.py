"""A world for elements to be built in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sim.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """An empty one at 1000 steps a second, with gravity."""
    made = World(1000)
    made.rebuild()
    yield made
    made.close()
