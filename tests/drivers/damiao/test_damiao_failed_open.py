"""A chain whose adapter answers and whose motors cannot be taken: the line is free at once."""

from __future__ import annotations

import pytest
from damiao_chains import soon, spec
from descriptors import none_left
from pump import Pump

from drivers.damiao.chain import build
from hil.clock import WallClock
from hil.contracts import BenchContext
from hil.errors import HarnessError


@pytest.mark.parametrize("how", ["open", "rescue"])
@pytest.mark.parametrize("part", ["MotorBus", "Address"])
def test_a_failure_after_the_line_was_taken(
    how: str, part: str, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise HarnessError("no room for one motor more")

    chain = build(spec(pump.path), BenchContext(WallClock()))
    with monkeypatch.context() as patched:
        patched.setattr(f"drivers.damiao.chain.{part}", fail)
        for _ in range(2):
            with none_left(), pytest.raises(HarnessError, match="no room"):
                getattr(chain, how)(soon())
    another = build(spec(pump.path), BenchContext(WallClock()))
    another.open(soon())  # two owners are refused: the first has let go
    another.close()
    chain.open(soon())
    assert chain.read(soon()).present.all()
    chain.close()
