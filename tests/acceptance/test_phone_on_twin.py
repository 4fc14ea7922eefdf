"""A job on the emulated phone by the command line: its score counts, its times do not, and both
terminal and report say why."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from hil.catalogue import scenario_files

JOB = "mfg-gauge-reading-glasses"
RIG = "twin-android-phone"
WHY = (
    "claims on time are not judged over this link: device 'terminal': port 'adb' of the twin"
    " leads through an adb server, whose delays are not the phone's"
)

Hil = Callable[..., "CompletedProcess[str]"]


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def score_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job with a claim on success alone, which two episodes can show."""
    text = scenario_files()[JOB].read_text(encoding="utf-8")
    head, _, _ = text.partition("[[claims]]")
    path = tmp_path_factory.mktemp("scenarios") / "gauge-score.toml"
    claim = '[[claims]]\nkind = "success"\np = 0.2\nconfidence = 0.95\n'
    path.write_text(head.replace(f'id = "{JOB}"', 'id = "gauge-score"') + claim, encoding="utf-8")
    return path


def test_claims_on_time_are_skipped_and_it_is_said_why(hil: Hil, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = hil("run", JOB, "--rig", RIG, "-n", 2, "--out", out)
    said = words(done.stdout)
    assert done.returncode == 3, done.stdout + done.stderr
    assert said.count("SKIPPED") == 2
    assert said.count(f"skipped: {WHY}") == 1
    assert "p95 of reaction needs" not in done.stderr, "nobody is asked for samples of it"
    verdict = json.loads((out / "verdict.json").read_bytes())
    claims = {claim["kind"]: claim for claim in verdict["scenarios"][0]["claims"]}
    assert claims["latency"]["reason"] == claims["misses"]["reason"] == WHY
    page = (out / "report.html").read_text(encoding="utf-8")
    shown = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)  # the verdict as data
    text = words(html.unescape(re.sub(r"<[^>]+>", " ", shown)))
    assert text.count(WHY) == 2, "beside each of the two claims"
    assert "Nothing is said of latency: device 'terminal'" in text
    assert hil("verify", out).returncode == 0


def test_a_job_with_claims_on_success_alone_is_judged(
    hil: Hil, tmp_path: Path, score_only: Path
) -> None:
    out = tmp_path / "run"
    done = hil("run", score_only, "--rig", RIG, "-n", 2, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    said = words(done.stdout)
    assert "PASS success probability at least 0.2 at least 0.223 (2 of 2)" in said
    assert "SKIPPED" not in said
    verdict = json.loads((out / "verdict.json").read_bytes())
    assert verdict["outcome"] == "PASS"
    assert any("Nothing is said of latency" in text for text in verdict["not_said"])
