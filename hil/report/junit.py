"""JUnit XML for continuous integration: one suite a scenario, one case a claim and an episode."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hil.judge.model import ClaimResult, EpisodeResult, Outcome, ScenarioVerdict, Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(verdict: Verdict) -> str:
    """The whole file.

    FAIL is a failure; ERROR, VOID and INCONCLUSIVE are errors, so that no gate takes them for a
    pass; SKIPPED is skipped. An episode that failed within what a shown claim bears is skipped
    with its reason: the suite is red only where the verdict is.
    """
    root = ElementTree.Element("testsuites", name=clean(verdict.profile))
    root.append(_run_suite(verdict))
    for scenario in verdict.scenarios:
        root.append(_scenario_suite(scenario))
    for attribute in ("tests", "failures", "errors", "skipped"):
        root.set(attribute, str(sum(int(suite.get(attribute, "0")) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    return written(root)


def written(root: ElementTree.Element) -> str:
    """The text of a file."""
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def clean(text: str) -> str:
    """Text without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _run_suite(verdict: Verdict) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name="run")
    _properties(
        suite,
        {
            "outcome": verdict.outcome.value,
            "rig": verdict.rig,
            "rig_kind": verdict.rig_kind,
            "clock": verdict.clock,
            "plan_sha256": verdict.plan_sha256,
            "record_sha256": verdict.record_sha256,
        },
    )
    case = ElementTree.SubElement(suite, "testcase", classname="run", name="verdict", time="0.000")
    # Failures are told by the claims' own cases.
    state = Outcome.PASS if verdict.outcome is Outcome.FAIL else verdict.outcome
    _result(case, state, "; ".join(verdict.reasons))
    for exit_ in verdict.safe_exits:
        case = ElementTree.SubElement(
            suite, "testcase", classname="run", name=clean(f"safe exit: {exit_.role}"), time="0.000"
        )
        _result(case, Outcome.PASS if exit_.safe else Outcome.ERROR, exit_.state)
    return counted(suite)


def _scenario_suite(scenario: ScenarioVerdict) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=clean(scenario.id))
    _properties(
        suite,
        {
            "outcome": scenario.outcome.value,
            "successes": scenario.successes,
            "episodes": len(scenario.episodes),
            "late_points": scenario.timing.misses,
            "longest_streak": scenario.timing.longest_streak,
        },
    )
    for claim in scenario.claims:
        suite.append(_claim_case(scenario.id, claim))
    shown = any(c.kind == "success" for c in scenario.claims) and all(
        c.state is Outcome.PASS for c in scenario.claims if c.kind == "success"
    )
    for episode in scenario.episodes:
        suite.append(_episode_case(scenario.id, episode, shown))
    return counted(suite)


def _claim_case(scenario: str, claim: ClaimResult) -> ElementTree.Element:
    name = clean(f"claim: {claim.statement}")
    case = ElementTree.Element("testcase", classname=clean(scenario), name=name, time="0.000")
    _properties(
        case,
        {
            "k": claim.count,
            "n": claim.total,
            "bound": "none" if claim.bound is None else repr(claim.bound),
            "limit": repr(claim.limit),
            "unit": claim.unit,
            "confidence": repr(claim.confidence),
            "needed": claim.needed,
            **({"stage": claim.stage} if claim.stage else {}),
        },
    )
    _result(case, claim.state, f"shown {claim.shown}. {claim.reason}".strip())
    return case


def _episode_case(scenario: str, episode: EpisodeResult, shown: bool) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=clean(scenario),
        name=clean(f"episode {episode.name}"),
        time=f"{episode.cycle_s or 0.0:.3f}",
    )
    _properties(case, {"seed": episode.seed, "end": episode.end, "attempts": len(episode.attempts)})
    if episode.success is False and shown:
        _result(case, Outcome.SKIPPED, f"failed, within what the claim bears: {episode.reason}")
    elif episode.success is False:
        _result(case, Outcome.FAIL, episode.reason)
    elif episode.success is None:
        _result(case, Outcome.ERROR, f"undecided: {episode.reason}")
    return case


def _properties(parent: ElementTree.Element, values: dict[str, object]) -> None:
    properties = ElementTree.SubElement(parent, "properties")
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", name=name, value=clean(str(value)))


def _result(case: ElementTree.Element, state: Outcome, message: str) -> None:
    if state is Outcome.PASS:
        return
    tag = {Outcome.FAIL: "failure", Outcome.SKIPPED: "skipped"}.get(state, "error")
    child = ElementTree.SubElement(case, tag, message=clean(message))
    if tag != "skipped":
        child.set("type", state.value)


def counted(suite: ElementTree.Element) -> ElementTree.Element:
    """The same suite with its attributes of numbers and time."""
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for tag, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    return suite
