"""Chains of motors over real pseudo-terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from damiao_chains import emulated, soon, spec
from pump import Pump

from drivers.damiao.chain import DamiaoChain, build
from hil.clock import WallClock
from hil.contracts import BenchContext


@pytest.fixture
def pump() -> Iterator[Pump]:
    line = emulated()
    with line:
        yield line


@pytest.fixture
def chain_with(pump: Pump) -> Iterator[Callable[..., DamiaoChain]]:
    made: list[DamiaoChain] = []

    def make(**parameters: object) -> DamiaoChain:
        made.append(build(spec(pump.path, **parameters), BenchContext(WallClock())))
        return made[-1]

    yield make
    for chain in made:
        chain.close()


@pytest.fixture
def chain(chain_with: Callable[..., DamiaoChain]) -> DamiaoChain:
    device = chain_with()
    device.open(soon())
    return device
