"""The record of an attempt whose process is gone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.plan.freeze import Plan
from hil.record.format import Episode, EpisodeEnd
from hil.run.episode import Attempt, attempt_meta


def cut_attempt(
    plan: Plan, name: str, ticks: NDArray[np.void], end: EpisodeEnd, reason: str
) -> Attempt:
    """What is known of the attempt called `name`: its draw, and its ticks up to then, dtype
    `hil.record.format.TICK`. Channels were the process's own, and went with it."""
    episode = next(one for one in plan.episodes if one.name == name)
    planned = plan.scenarios[episode.scenario]
    draw = planned.task.draw(planned.parameters, np.random.default_rng(episode.seed))
    meta = attempt_meta(planned, episode, plan.rig, end, reason)
    return Attempt(Episode(name, draw, meta, ticks), end, reason)
