"""Injected faults and untimed links are in the verdict's own words."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_builder import TASKS, build_run

from hil.judge.model import Outcome, Verdict
from hil.judge.verdict import judge

WHY = "device 'arm': rfc2217://rig:4000 leads over a network, whose delays are not the device's"


def judged(folder: Path, scenario: dict[str, Any], link: dict[str, Any] | None = None) -> Verdict:
    """The verdict on a good run whose plan says something of its links."""
    run = build_run(folder)
    plan = copy.deepcopy(dict(run.plan))
    plan["scenarios"][0] |= scenario
    if link is not None:
        plan["rig"]["content"]["devices"] = [{"role": "arm", "link": link}, {"role": "scene"}]
    return judge(replace(run, plan=plan), TASKS)


def test_time_over_a_network_is_skipped_with_the_reason_and_success_is_not(tmp_path: Path) -> None:
    verdict = judged(tmp_path / "run", {"untimed": WHY})
    states = {claim.kind: (claim.state, claim.reason) for claim in verdict.scenarios[0].claims}
    assert states["success"] == (Outcome.PASS, "")
    reason = f"claims on time are not judged over this link: {WHY}"
    assert states["latency"] == states["misses"] == (Outcome.SKIPPED, reason)
    assert verdict.outcome is Outcome.PASS
    (said,) = (text for text in verdict.not_said if text.startswith("Nothing is said of latency"))
    assert WHY in said
    shown = {claim.kind: claim.shown for claim in verdict.scenarios[0].claims}
    assert shown["latency"] == shown["misses"] == "not judged"


def test_faults_of_the_scenario_are_told(tmp_path: Path) -> None:
    faults = [
        {"role": "arm", "kind": "drop", "at_s": 1.0},
        {"role": "arm", "kind": "delay", "delay_ms": 2.0},
        {"role": "terminal", "kind": "stall"},
    ]
    text = " ".join(judged(tmp_path / "run", {"faults": faults}).not_said)
    assert "the link of arm (drop, delay), terminal (stall) on purpose" in text


def test_faults_of_the_rig_file_are_told(tmp_path: Path) -> None:
    link = {"capture": True, "faults": [{"kind": "corrupt", "bits": 1}]}
    text = " ".join(judged(tmp_path / "run", {}, link).not_said)
    assert "The rig file puts faults (corrupt) into the link of arm." in text


@pytest.mark.parametrize("link", [None, {"capture": True, "faults": []}])
def test_nothing_is_told_where_nothing_was_done(tmp_path: Path, link: dict[str, Any]) -> None:
    text = " ".join(judged(tmp_path / "run", {"faults": [], "untimed": ""}, link).not_said)
    assert "faults" not in text
    assert "Nothing is said of latency" not in text


def test_sensors_that_were_withheld_are_told(tmp_path: Path) -> None:
    run = build_run(tmp_path / "run")
    plan = {**run.plan, "without": ["left", "ear"]}
    text = " ".join(judge(replace(run, plan=plan), TASKS).not_said)
    assert "What left, ear measured was withheld on purpose" in text
    assert "withheld" not in " ".join(judged(tmp_path / "whole", {}).not_said)
