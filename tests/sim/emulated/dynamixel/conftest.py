"""Emulated robots on pseudo-terminals, with the driver's devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from dynamixel_line import Rig


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    with ExitStack() as stack:
        yield lambda *args, **options: Rig(stack, *args, **options)


@pytest.fixture
def koch(rig: Callable[..., Rig]) -> Rig:
    return rig()
