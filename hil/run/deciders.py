"""Who decides in an episode: the scenario's network, the scripted expert, nobody, or chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import numpy as np

from hil.clock import NS_PER_MS, NS_PER_S
from hil.errors import BadInput
from hil.loop.envelope import Envelope
from hil.plan.freeze import PlannedScenario, PolicyName
from hil.rig import Bench
from hil.run.chance import RandomAnswers, random_policy
from hil.run.embodied import Policy, expert_policy, model_policy, null_policy
from hil.run.overlap import Overlap, OverlappedAnswers, OverlappedPolicy, overlap_with
from hil.run.stimulus import Answerer, FixedAnswer, ModelAnswers
from hil.task import Briefs, Draw, EmbodiedTask, StimulusTask


def role_of(planned: PlannedScenario, capability: str) -> str:
    """The role that the scenario gives to a capability. Errors: BadInput where it gives none."""
    for role, needed in planned.scenario.needs.items():
        if needed == capability:
            return role
    raise BadInput(
        f"scenario {planned.scenario.id!r}: archetype {planned.scenario.archetype!r} needs a role"
        f" with {capability!r}",
        f'add ROLE = "{capability}" to its [needs] table',
    )


def overlap_of(bench: Bench, planned: PlannedScenario, name: PolicyName) -> Overlap | None:
    """Overlapped inference where the scenario asks for it; only a model infers anything."""
    loop = planned.scenario.loop
    if name != "model" or loop.inference != "overlapped":
        return None
    terminal = bench.inference(role_of(planned, "inference"))
    return overlap_with(terminal, round(loop.infer_timeout_ms * NS_PER_MS))


def awaited_points(planned: PlannedScenario) -> int:
    """Grid points after the last stimulus in which its answer may still come."""
    loop = planned.scenario.loop
    return math.ceil(loop.infer_timeout_ms * NS_PER_MS / loop.period_ns) + 1


def policy_of(
    bench: Bench,
    planned: PlannedScenario,
    draw: Draw,
    name: PolicyName,
    overlap: Overlap | None,
    chance: np.random.Generator,
) -> Policy:
    """Who moves the joints; `chance` is the stream that only a random policy draws from.

    Errors: CapabilityMissing where the bench lacks the terminal.
    """
    task = cast(EmbodiedTask, planned.task)
    if name == "expert":
        return expert_policy(task.expert(draw))
    if name == "null":
        return null_policy()
    if name == "random":
        arm = bench.joints(role_of(planned, "joints"))
        envelope = Envelope.of(arm, bench.require_limits())
        return random_policy(envelope, planned.scenario.loop.period_ns / NS_PER_S, chance)
    if isinstance(task, Briefs):
        task = task.briefed(draw)
    if overlap is not None:
        return OverlappedPolicy(task, overlap)
    return model_policy(task, bench.inference(role_of(planned, "inference")))


def answerer_of(
    bench: Bench,
    planned: PlannedScenario,
    draw: Mapping[str, object],
    name: PolicyName,
    overlap: Overlap | None,
    chance: np.random.Generator,
) -> Answerer:
    """Who answers what is shown; `chance` and errors as `policy_of`."""
    task = cast(StimulusTask, planned.task)
    if name == "expert":
        return FixedAnswer(task.expert(draw))
    if name == "null":
        return FixedAnswer(task.null())
    if name == "random":
        return RandomAnswers(task, chance)
    if overlap is not None:
        return OverlappedAnswers(task, overlap)
    return ModelAnswers(task, bench.inference(role_of(planned, "inference")))
