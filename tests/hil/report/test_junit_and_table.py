from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from run_builder import CLAIMS, TASKS, Knobs, build_run

from hil.judge.model import Outcome, Verdict
from hil.judge.verdict import judge
from hil.report.junit import clean, render_junit
from hil.report.table import print_table


def verdict_of(folder: Path, **knobs: Any) -> Verdict:
    return judge(build_run(folder / "run", Knobs(**knobs)), TASKS)


def parsed(verdict: Verdict) -> ElementTree.Element:
    return ElementTree.fromstring(render_junit(verdict).encode())


def counts(root: ElementTree.Element) -> tuple[int, ...]:
    return tuple(int(root.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped"))


def case(root: ElementTree.Element, start: str) -> ElementTree.Element:
    return next(c for c in root.iter("testcase") if c.get("name", "").startswith(start))


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, (2 + 3 + 14, 0, 0, 0)),
        ({"failures": (3,)}, (19, 1 + 1, 0, 0)),
        ({"virtual": True, "kind": "sim"}, (19, 0, 0, 2)),
        ({"interrupted_after": 10}, (19, 0, 1 + 3 + 4, 0)),
        ({"unsafe": True}, (19, 0, 2, 0)),
        ({"slow_us": {"infer": 33_000}}, (19, 2, 0, 0)),
        ({"episodes": 22, "failures": (3,)}, (27, 0, 0, 1)),
    ],
)
def test_cases_count_as_the_verdict_says(
    tmp_path: Path, knobs: dict[str, Any], expected: tuple[int, ...]
) -> None:
    verdict = verdict_of(tmp_path, **knobs)
    root = parsed(verdict)
    assert counts(root) == expected
    assert len(list(root.iter("testcase"))) == expected[0]
    red = expected[1] + expected[2] > 0
    assert red == (verdict.exit_code != 0)


def test_figures_stand_in_properties(tmp_path: Path) -> None:
    root = parsed(verdict_of(tmp_path, slow_us={"infer": 33_000}))
    success = case(root, "claim: success")
    properties = {p.get("name"): p.get("value") for p in success.iter("property")}
    assert (properties["k"], properties["n"], properties["limit"]) == ("14", "14", "0.8")
    assert properties["bound"] is not None
    assert 0.807 < float(properties["bound"]) < 0.808
    late = case(root, "claim: p95")
    assert {"name": "stage", "value": "infer"} in [p.attrib for p in late.iter("property")]
    failure = late.find("failure")
    assert failure is not None
    assert "stage infer is to blame" in failure.get("message", "")


def test_failed_episode_says_why(tmp_path: Path) -> None:
    root = parsed(verdict_of(tmp_path, failures=(3,)))
    failure = case(root, "episode 0003").find("failure")
    assert failure is not None
    assert "lamp on at the end" in failure.get("message", "")


def test_failures_within_the_claim_do_not_turn_the_suite_red(tmp_path: Path) -> None:
    root = parsed(verdict_of(tmp_path, episodes=22, failures=(3,), claims=CLAIMS[:1]))
    skipped = case(root, "episode 0003").find("skipped")
    assert skipped is not None
    assert "within what the claim bears" in skipped.get("message", "")


@given(st.text())
def test_any_text_becomes_valid_xml(text: str) -> None:
    element = ElementTree.Element("testcase", name=clean(text))
    back = ElementTree.fromstring(ElementTree.tostring(element))
    assert back.get("name") == clean(text)


def test_device_text_with_control_characters_is_still_xml(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, outcome="error", title="\x00\x1b[31m<b>")
    assert parsed(verdict).find("testsuite") is not None


def shown(verdict: Verdict, width: int = 110) -> str:
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        print_table(verdict, console)
    return capture.get()


def test_table_has_a_row_a_claim_and_the_reasons(tmp_path: Path) -> None:
    text = shown(verdict_of(tmp_path, slow_us={"infer": 33_000}))
    assert "at least 0.807 (14 of 14)" in text
    assert text.count("FAIL") == 3
    assert "stage infer is to blame" in " ".join(text.split())


def test_table_says_once_why_claims_were_skipped(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path)
    (scenario,) = verdict.scenarios
    why = "the link is a long one"
    claims = tuple(
        claim
        if claim.kind == "success"
        else replace(claim, state=Outcome.SKIPPED, shown="not judged", reason=why)
        for claim in scenario.claims
    )
    text = shown(replace(verdict, scenarios=(replace(scenario, claims=claims),)))
    assert text.count("not judged") > 1
    assert text.count(f"skipped: {why}") == 1


def test_table_takes_no_markup_from_a_record(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, faults=(1,))
    hostile = replace(verdict, rig="[red]x[/red] [/nope]", reasons=("[bold]boo",))
    text = shown(hostile)
    assert "[red]x[/red] [/nope]" in text
    assert "[bold]boo" in text
