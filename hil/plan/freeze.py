"""Freezes a plan: everything that is promised before anything moves.

The plan is plain data with a digest. It holds the rig, the scenarios, the models' digests, the
seeds of all episodes and the decision rule, so that the judge needs nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

import hil
from hil.canonical import sha256_file
from hil.catalogue import load_scenario
from hil.config import validate
from hil.contracts import ModelImage
from hil.errors import BadInput
from hil.plan.links import refuse_faults, refuse_untimed, untimed_links
from hil.plan.reach import Reach, reach, refuse_short
from hil.plan.withheld import withheld_roles
from hil.plugins import TASKS, load
from hil.record.writer import episode_names
from hil.task import StimulusTask, Task
from models.card import ModelCard
from models.zoo import find_model, load_card
from rigs.schema import Rig
from scenarios.schema import Claim, Profile, ProfileScenario, Scenario, SuccessClaim

PolicyName = Literal["model", "expert", "null", "random"]

SINGLE = "single"
"""Name of the profile that certifies nothing."""


@dataclass(frozen=True)
class PlannedEpisode:
    """One try: its name in the record, its scenario and its own seed."""

    name: str
    scenario: str
    seed: int


@dataclass(frozen=True)
class PlannedScenario:
    """A scenario with its task's validated parameters and the model that will do it, None where
    it names none. `without` are roles of sensors that are withheld from the policy."""

    scenario: Scenario
    task: Task
    parameters: Any
    model: ModelImage | None
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What was promised. `data` is what `plan.json` holds; `reach` is the most that its samples
    can show of each claim."""

    data: Mapping[str, Any]
    rig: Rig
    rig_path: Path
    policy: PolicyName
    scenarios: Mapping[str, PlannedScenario]
    episodes: Sequence[PlannedEpisode]
    reach: tuple[Reach, ...] = ()


def freeze(
    profile: Profile,
    profile_sha256: str,
    rig: Rig,
    rig_path: Path,
    seed: int | None = None,
    policy: PolicyName = "model",
    models: Mapping[str, str] | None = None,
    files: Mapping[str, Path] | None = None,
    without: Sequence[str] = (),
) -> Plan:
    """Make the plan of a run.

    Args:
        profile: scenarios, episodes and decision rule.
        seed: of the whole run; the profile's own when None.
        policy: who decides: the scenario's model, the scripted expert, the null policy, or chance.
        models: folders to use in place of zoo models, by the model's name in the scenario.
        files: files of scenarios that are not of the catalogue, by id.
        without: sensors to withhold from the policy, by role or capability; only for the profile
            of `single`, as what is certified is a device with its sensors.

    Errors: BadInput for unknown scenarios and models, parameters out of range, a model whose
    digest differs from its card, faults in links that the rig does not have, and, but for the
    profile of `single`, which certifies nothing, a claim for which the plan cannot have samples
    enough, or one on time over a link that cannot show it.
    """
    if without and profile.name != SINGLE:
        raise BadInput(
            f"profile {profile.name!r} cannot be certified without {', '.join(without)}",
            "withhold sensors in `hil run` or `hil ablate`, which certify nothing",
        )
    overrides = dict(models or {})
    master = profile.seed if seed is None else seed
    planned: dict[str, PlannedScenario] = {}
    rows: list[dict[str, Any]] = []
    cards: dict[str, tuple[ModelCard, ModelImage]] = {}
    for entry in profile.scenarios:
        scenario, path = load_scenario(str((files or {}).get(entry.id, entry.id)))
        refuse_faults(rig, scenario)
        task: Task = load(TASKS, scenario.archetype)
        parameters = validate(scenario.task, task.Parameters, str(path), "task")
        image = None
        if scenario.policy is not None:
            name = scenario.policy.model
            cards[name] = _card(scenario, overrides.pop(name, name))
            image = cards[name][1]
        elif policy == "model":
            raise BadInput(
                f"scenario {scenario.id!r} names no model that could do it",
                "run it with --policy expert, null or random, or add [policy] model to its file",
            )
        withheld = withheld_roles(scenario, without)
        planned[scenario.id] = PlannedScenario(scenario, task, parameters, image, withheld)
        rows.append(_scenario_row(scenario, entry, path, parameters, rig))
    if overrides:
        raise BadInput(
            f"no scenario of profile {profile.name!r} uses model {', '.join(sorted(overrides))}",
            f"models in use: {', '.join(sorted(cards))}",
        )
    episodes = _episodes(profile, master)
    data = {
        "schema": 1,
        "harness": {"name": "hil-testbed", "version": hil.__version__},
        "profile": {
            "name": profile.name,
            "title": profile.title,
            "decision": profile.decision,
            "sha256": profile_sha256,
        },
        "rig": {
            "name": rig.name,
            "title": rig.title,
            "kind": rig.kind,
            "sha256": sha256_file(rig_path),
            "content": rig.model_dump(mode="json", by_alias=True, exclude_none=True),
        },
        "seed": master,
        "policy": policy,
        "stopping_rule": "every planned episode is run once; none is repeated or left out",
        "scenarios": rows,
        "models": [_model_row(name, *pair) for name, pair in sorted(cards.items())],
        "episodes": [vars(episode) for episode in episodes],
    }
    if without:
        data["without"] = [role for one in planned.values() for role in one.without]
    found = tuple(
        one for entry in profile.scenarios for one in _reach(planned[entry.id], entry, master, rig)
    )
    if profile.name != SINGLE:
        claims = {one.id: _claims(planned[one.id].scenario, one) for one in profile.scenarios}
        refuse_untimed(rig, {id_: one.scenario for id_, one in planned.items()}, claims)
        refuse_short(found)
    return Plan(data, rig, rig_path, policy, planned, episodes, found)


def _card(scenario: Scenario, name: str) -> tuple[ModelCard, ModelImage]:
    card, image = load_card(find_model(name))
    if card.archetype != scenario.archetype:
        raise BadInput(
            f"model {card.name!r} is for archetype {card.archetype!r},"
            f" scenario {scenario.id!r} needs {scenario.archetype!r}"
        )
    return card, image


def single(scenario_id: str, episodes: int) -> Profile:
    """A profile of one scenario, for `hil run`: its result certifies nothing."""
    return Profile(
        schema=1,
        name=SINGLE,
        title=f"{scenario_id} alone",
        decision="a single run: shows its claims, and certifies nothing",
        seed=1,
        scenarios=[ProfileScenario(id=scenario_id, episodes=episodes, success_p=None)],
    )


def episode_seed(master: int, scenario: str, index: int) -> int:
    """Seed of one episode (48 bit), independent of what else the plan holds."""
    digest = hashlib.sha256(f"{master}/{scenario}/{index}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


def stream_seed(seed: int, name: str) -> int:
    """Seed (64 bit) of one more stream of the episode with this `seed`: however much is drawn
    from it, no other stream is shifted."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big")


def _episodes(profile: Profile, master: int) -> list[PlannedEpisode]:
    slots = [(entry.id, index) for entry in profile.scenarios for index in range(entry.episodes)]
    names = episode_names(len(slots))
    return [
        PlannedEpisode(name, scenario, episode_seed(master, scenario, index))
        for name, (scenario, index) in zip(names, slots, strict=True)
    ]


def _scenario_row(
    scenario: Scenario, entry: ProfileScenario, path: Path, parameters: Any, rig: Rig
) -> dict[str, Any]:
    row = scenario.model_dump(mode="json", exclude={"version", "policy", "task", "claims"})
    return {
        **row,
        "sha256": sha256_file(path),
        "task": parameters.model_dump(mode="json"),
        "policy_model": None if scenario.policy is None else scenario.policy.model,
        "claims": [claim.model_dump(mode="json") for claim in _claims(scenario, entry)],
        "episodes": entry.episodes,
        "untimed": untimed_links(rig, scenario),
    }


def _claims(scenario: Scenario, entry: ProfileScenario) -> list[Claim]:
    """The scenario's claims, with what the profile sets itself."""
    return [
        claim.model_copy(update={"p": entry.success_p})
        if isinstance(claim, SuccessClaim) and entry.success_p is not None
        else claim
        for claim in scenario.claims
    ]


def _reach(
    planned: PlannedScenario, entry: ProfileScenario, master: int, rig: Rig
) -> tuple[Reach, ...]:
    scenario = planned.scenario
    claims = _claims(scenario, entry)
    points = _points(planned, master)
    timed = rig.kind != "sim" and not untimed_links(rig, scenario)
    return reach(scenario.id, claims, scenario.loop, entry.episodes, points, timed)


def _points(planned: PlannedScenario, master: int) -> int:
    """Grid points of an episode at most; of a stimulus job, those of the first episode's draw,
    as an archetype shows the same number of stimuli in each."""
    loop = planned.scenario.loop
    if planned.task.kind == "embodied":
        return round((loop.duration_s or 0) * loop.rate_hz)
    task = cast(StimulusTask, planned.task)
    seed = episode_seed(master, planned.scenario.id, 0)
    return len(task.stimuli(task.draw(planned.parameters, np.random.default_rng(seed))))


def _model_row(name: str, card: ModelCard, image: ModelImage) -> dict[str, Any]:
    return {
        "name": name,
        "card": card.name,
        "title": card.title,
        "sha256": image.sha256,
        "bytes": len(image.content),
        "licence": card.licence,
        "limits": card.limits,
    }
