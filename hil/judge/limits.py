"""What a verdict does not say, in words for the reader of a report."""

from __future__ import annotations

from collections.abc import Sequence

from hil.judge.inputs import Plan, PlannedFault, PlannedScenario
from hil.judge.model import Outcome, ScenarioVerdict


def not_said(plan: Plan, virtual: bool, verdicts: Sequence[ScenarioVerdict]) -> tuple[str, ...]:
    """Sentences, the fixed ones first, then those that follow from this run."""
    return (
        *_always(),
        *_of_rig(plan.rig.kind, virtual),
        *_of_links(plan),
        *_of_policy(plan.policy),
        *_of_withheld(plan.without),
        *_of_evidence(verdicts),
        *_of_scenarios(plan.scenarios),
    )


def _always() -> list[str]:
    return [
        "This is a test report against this project's own catalogue of scenarios. It is not an"
        " accredited certification, and no city, authority or standards body endorses it.",
        "The results relate only to the items tested, in the scenarios, ranges and conditions"
        " listed here.",
        "Each claim is shown at its own confidence, separately; nothing is said of all claims"
        " holding together at that confidence.",
        "Read-back of a safe state is what the devices reported. It is no functional-safety"
        " assessment and replaces no hardware emergency stop.",
    ]


def _of_rig(kind: str, virtual: bool) -> list[str]:
    sentences = []
    if kind == "twin":
        sentences.append(
            "The devices were emulated. Times include the real protocol, drivers and host, so"
            " they show software overhead, never the latency of a physical device."
        )
    if kind in ("twin", "sim"):
        sentences.append(
            "The scene was simulated. How far a score carries over to hardware was not tested."
        )
    if virtual:
        sentences.append(
            "The clock was virtual: every duration was declared in the rig file. Nothing is said"
            " of latency."
        )
    return sentences


def _of_links(plan: Plan) -> list[str]:
    """Nobody should take a fault that was put in for one of the device, or the other way."""
    sentences = [
        f"{one.id}: faults were put into the link of {_faulty(one.faults)} on purpose, as the"
        " scenario wants it; the result is that of a device on such a link."
        for one in plan.scenarios
        if one.faults
    ]
    sentences += [
        f"The rig file puts faults ({_kinds(device.link.faults)}) into the link of {device.role}."
        for device in plan.rig.content.devices
        if device.link is not None and device.link.faults
    ]
    untimed = dict.fromkeys(one.untimed for one in plan.scenarios if one.untimed)
    return sentences + [
        f"Nothing is said of latency: {why}. Durations shown here include that way."
        for why in untimed
    ]


def _faulty(faults: Sequence[PlannedFault]) -> str:
    roles = dict.fromkeys(fault.role or "" for fault in faults)
    return ", ".join(f"{role} ({_kinds([f for f in faults if f.role == role])})" for role in roles)


def _kinds(faults: Sequence[PlannedFault]) -> str:
    return ", ".join(dict.fromkeys(fault.kind for fault in faults))


def _of_policy(policy: str) -> list[str]:
    named = {
        "expert": "the scripted expert",
        "null": "the null policy (no action at all)",
        "random": "the random policy (changes of the joints' targets, or answers, by chance)",
    }
    if policy not in named:
        return []
    return [f"The jobs were done by {named[policy]}, not by a model under test."]


def _of_withheld(roles: Sequence[str]) -> list[str]:
    if not roles:
        return []
    return [
        f"What {', '.join(roles)} measured was withheld on purpose, from the policy and from the"
        " record: the result is that of a policy without it."
    ]


def _of_evidence(verdicts: Sequence[ScenarioVerdict]) -> list[str]:
    claims = [c for v in verdicts for c in v.claims if c.state is not Outcome.SKIPPED]
    sentences = []
    if any(c.kind != "success" and c.sample == "tick" for c in claims):
        sentences.append(
            "Bounds over ticks take ticks as independent. Where the record refutes that, the claim"
            " says so; where it does not, read them beside the longest run of misses all the same."
        )
    if any(v.timing.startup_ticks for v in verdicts):
        sentences.append(
            "Grid points declared as start-up are in no bound; they are reported apart."
        )
    if any(v.floor is None for v in verdicts):
        sentences.append(
            "Where no floor (null policy) and ceiling (scripted expert) are given, nothing is"
            " said of how hard the scenario is."
        )
    return sentences


def _of_scenarios(scenarios: Sequence[PlannedScenario]) -> list[str]:
    sentences = []
    if any(one.track == "embodied" and not one.not_said for one in scenarios):
        sentences.append(
            "In embodied scenarios the poses of objects were given by the fixture's tracker;"
            " finding the objects was not tested."
        )
    return sentences + [f"{one.id}: {text}" for one in scenarios for text in one.not_said]
