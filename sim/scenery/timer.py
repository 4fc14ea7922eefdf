"""Element kind `timer`: the stopwatch of a test stand.

Column: `NAME.left_s`, time that is left of a test, s, 0 once it is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from hil.contracts import FloatArray
from sim.scenery.bodies import Table
from sim.scenery.element import Stage
from sim.world import Placed


class TimerSpec(Table):
    """It starts when the scene is arranged."""

    kind: Literal["timer"] = "timer"
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    seconds: float = Field(gt=0, le=3600)


class Timer:
    """The stopwatch."""

    def __init__(self, stage: Stage, spec: TimerSpec) -> None:
        self._stage, self._spec = stage, spec

    @property
    def solids(self) -> Sequence[Placed]:
        return ()

    def poses(self) -> Mapping[str, FloatArray]:
        return {}

    def witness(self) -> Mapping[str, float]:
        left = max(0.0, self._spec.seconds - self._stage.seconds())
        return {f"{self._spec.name}.left_s": left}

    def show(self) -> None:
        """It is not seen."""
