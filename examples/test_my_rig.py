"""Tests for a rig of your own. Run:  pytest --rig twin-so101 examples/test_my_rig.py"""

import numpy as np
import pytest

from hil.contracts import Joints
from hil.judge.model import Outcome
from hil.rig import Bench


@pytest.mark.needs(arm="joints")
def test_every_joint_answers_and_is_within_its_limits(arm: Joints, rig: Bench) -> None:
    sample = arm.read(rig.deadline(0.1))
    assert sample.present.all(), "a silent joint is absent, never 0"
    assert np.all(sample.position >= arm.limits.lower - 0.02)
    assert np.all(sample.position <= arm.limits.upper + 0.02)


@pytest.mark.needs(arm="joints", terminal="inference", scene="scene")
def test_presses_the_light_switch(run_scenario) -> None:
    verdict = run_scenario("care-light-switch-press", episodes=1)
    scenario = verdict.scenarios[0]
    assert scenario.successes == 1, scenario.episodes[0].reason
    # one episode cannot show the claim: the judge says so instead of passing it
    assert verdict.outcome is Outcome.INCONCLUSIVE
