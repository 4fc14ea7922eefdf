"""Sensors that a policy has to do without: asked as ever, absent, and said to be."""

from __future__ import annotations

import numpy as np
import pytest
from test_senses import Scale

from hil.catalogue import load_rig, load_scenario
from hil.clock import Deadline, VirtualClock
from hil.contracts import NEVER
from hil.errors import BadInput, DeadlineMissed
from hil.loop.ticklog import TickNote
from hil.plan.freeze import Plan, freeze, single
from hil.plan.withheld import senses_of, withheld_roles
from hil.run.senses import Senses, Withheld
from scenarios.schema import Profile, ProfileScenario, Scenario

SCENARIO, RIG = "haz-sample-jar-pick", "sim-panda-grip"


@pytest.fixture
def scenario() -> Scenario:
    return load_scenario(SCENARIO)[0]


def plan(*without: str, profile: Profile | None = None) -> Plan:
    rig, path = load_rig(RIG)
    asked = profile or single(SCENARIO, 2)
    return freeze(asked, "0" * 64, rig, path, 3, "expert", without=without)


def test_what_is_withheld_is_absent_in_view_and_record() -> None:
    clock = VirtualClock()
    scale = Scale(clock)
    senses = Senses(clock, {}, None, {"scale": Withheld(scale), "other": scale}, 1)
    clock.advance(7)
    senses.take(0, TickNote(), Deadline.after_s(clock, 1.0))
    assert np.isnan(senses.samples["scale"].value).all()
    assert (senses.samples["scale"].age_ns == NEVER).all()
    assert senses.samples["scale"].stamp_ns == senses.samples["other"].stamp_ns
    recorded = senses.channels(1)
    assert np.isnan(recorded["scale"].value).all()
    assert recorded["scale"].labels == recorded["other"].labels
    assert recorded["other"].value[0, 0] == 2.0


def test_a_sensor_that_fails_fails_all_the_same() -> None:
    clock = VirtualClock()

    class Late(Scale):
        def sample(self, deadline: Deadline) -> object:  # type: ignore[override]
            raise DeadlineMissed("late")

    with pytest.raises(DeadlineMissed):
        Withheld(Late(clock)).sample(Deadline.after_s(clock, 1.0))


def test_roles_are_named_by_themselves_or_by_what_they_are(scenario: Scenario) -> None:
    assert senses_of(scenario) == {"tactile": ("left", "right"), "microphone": ("ear",)}
    assert withheld_roles(scenario, ["tactile"]) == ("left", "right")
    assert withheld_roles(scenario, ["ear", "right", "tactile"]) == ("left", "right", "ear")
    assert withheld_roles(scenario, []) == ()
    with pytest.raises(BadInput, match=r"nose[^\0]*tactile \(left, right\), microphone \(ear\)"):
        withheld_roles(scenario, ["nose"])
    with pytest.raises(BadInput, match="needs none at all"):
        withheld_roles(load_scenario("mfg-kit-pick-place")[0], ["tactile"])


def test_the_plan_says_what_is_withheld_and_else_is_as_it_was() -> None:
    whole, deaf = plan(), plan("microphone")
    assert "without" not in whole.data
    assert deaf.data["without"] == ["ear"]
    assert deaf.scenarios[SCENARIO].without == ("ear",)
    assert {**deaf.data, "without": []} == {**whole.data, "without": []}


def test_nothing_is_certified_without_a_sensor() -> None:
    profile = Profile(
        schema=1,
        name="some",
        title="",
        decision="",
        seed=1,
        scenarios=[ProfileScenario(id=SCENARIO, episodes=60, success_p=None)],
    )
    with pytest.raises(BadInput, match=r"cannot be certified[^\0]*hil ablate"):
        plan("ear", profile=profile)
