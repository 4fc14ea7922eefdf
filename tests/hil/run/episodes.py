"""One episode of the fakes' reach task, with whatever goes wrong scripted by tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from benches import fake_bench, scenario
from fakes import FakeArm, FakeScene, FakeTerminal, ReachParameters, ReachTask

from hil.clock import Deadline
from hil.contracts import ModelImage
from hil.plan.freeze import PlannedEpisode, PlannedScenario
from hil.rig import Bench
from hil.run.episode import Attempt, run_episode
from hil.safety import StopRequest

MODEL = ModelImage("reach", b"m", "0" * 64)
FAR = 50.0
"""rad; a goal that is never reached, so that the episode lasts its whole time."""

LOOP: dict[str, Any] = scenario().loop.model_dump()
RULES: dict[str, Any] = {"max_age_ms": 45, "max_consecutive": 5}


@dataclass
class Setup:
    """A bench of fakes, opened, and what is called at the end of every tick (its row)."""

    bench: Bench = field(default_factory=fake_bench)
    act: Callable[[int], None] = lambda _row: None

    @property
    def arm(self) -> FakeArm:
        device = self.bench.devices["arm"]
        assert isinstance(device, FakeArm)
        return device

    @property
    def terminal(self) -> FakeTerminal:
        device = self.bench.devices["terminal"]
        assert isinstance(device, FakeTerminal)
        return device

    @property
    def scene(self) -> FakeScene:
        device = self.bench.devices["scene"]
        assert isinstance(device, FakeScene)
        return device

    def run(
        self,
        rules: Mapping[str, Any] | None = None,
        loop: Mapping[str, Any] | None = None,
        goal_rad: float = FAR,
    ) -> Attempt:
        """The one episode, with changes to its rules and its loop."""
        asked = scenario(rules=RULES | dict(rules or {}), loop=LOOP | dict(loop or {}))
        planned = PlannedScenario(asked, ReachTask(), ReachParameters(goal_rad=goal_rad), MODEL)
        self.bench.open()
        self.arm.enable(self.bench.deadline(1))
        self.terminal.load(MODEL, self.bench.deadline(1))
        self._script()
        return run_episode(
            self.bench, planned, PlannedEpisode("0001", "reach", 1), "model", StopRequest()
        )

    def _script(self) -> None:
        witness, rows = self.scene.witness, iter(range(-1, 10**6))

        def watched(deadline: Deadline) -> Mapping[str, float]:
            row = next(rows)
            if row >= 0:  # the first call comes before the loop
                self.act(row)
            return witness(deadline)

        self.scene.witness = watched  # type: ignore[method-assign]


def channel(attempt: Attempt, name: str) -> np.ndarray:
    """Values of a joint channel, shape (ticks, joints)."""
    return attempt.episode.channels[f"joints.{name}"].value
