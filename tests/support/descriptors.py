"""Descriptors that this process has open, for tests of what is let go of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def open_descriptors() -> int:
    """How many there are."""
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def none_left() -> Iterator[None]:
    """What is opened inside is closed again by the end, however that comes."""
    before = open_descriptors()
    try:
        yield
    finally:
        assert open_descriptors() == before, "a descriptor stays open"
