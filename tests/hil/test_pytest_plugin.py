"""The plugin as its users meet it: inner pytest sessions on the simulated rig, and on none."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]

SUITE = """
import pytest

@pytest.mark.needs(arm="joints")
def test_arm(arm, rig):
    assert arm.read(rig.deadline(1.0)).present.all()

@pytest.mark.needs(hand="joints")
def test_hand(rig):
    raise AssertionError("must not run")

@pytest.mark.needs(terminal="scene")
def test_wrong_capability(rig):
    raise AssertionError("must not run")

def test_of_no_rig(tmp_path):
    assert tmp_path.is_dir()
"""


def test_collection_and_run_without_a_rig(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("-rs")
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(["*no rig: give one with --rig*"])


def test_roles_are_fixtures_and_needs_skip_with_a_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("-rs", "--rig", "sim-so101")
    result.assert_outcomes(passed=2, skipped=2)
    result.stdout.fnmatch_lines(["*has no role hand*", "*lacks terminal: scene*"])


def test_unhealthy_device_fails_the_test_that_left_it_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hil.contracts import Finding

        def test_breaks_the_arm(rig, arm, monkeypatch):
            bad = Finding("temperature", False, "91 degC", "let it cool")
            arm.health = lambda deadline: [bad]
        """
    )
    result = pytester.runpytest_subprocess("--rig", "sim-so101")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*arm: temperature: 91 degC (let it cool)*"])


def test_bad_rig_file_stops_the_session(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("--rig", "no-such-rig")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no rig is called 'no-such-rig'*"])


def test_the_example_passes_on_the_simulated_rig(pytester: pytest.Pytester) -> None:
    example = ROOT / "examples" / "test_my_rig.py"
    assert len(example.read_text().splitlines()) < 30
    pytester.makepyfile(test_my_rig=example.read_text())
    result = pytester.runpytest_subprocess("--rig", "sim-so101")
    result.assert_outcomes(passed=2)
