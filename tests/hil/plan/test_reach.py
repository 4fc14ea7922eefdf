"""What a plan cannot show is said, or refused, before anything moves."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from hil.catalogue import load_rig
from hil.cli.execute import tell_reach
from hil.errors import BadInput
from hil.plan.freeze import Plan, freeze, single
from hil.plan.reach import Reach, reach, refuse_short
from scenarios.schema import LatencyClaim as Latency
from scenarios.schema import Loop, MissesClaim, Profile, ProfileScenario, SuccessClaim

LOOP: dict[str, Any] = {
    "rate_hz": 50,
    "infer_timeout_ms": 100,
    "budget_us": {"wake": 1000, "sense": 4000, "infer": 9000, "act": 2000, "reaction": 20000},
}
PRESS, GAUGE = "care-light-switch-press", "mfg-gauge-reading-glasses"


def one(claim: Any, episodes: int, points: int = 300, timed: bool = True, **loop: Any) -> Reach:
    (found,) = reach("press", [claim], Loop.model_validate(LOOP | loop), episodes, points, timed)
    return found


@pytest.mark.parametrize(
    ("claim", "episodes", "most", "needed", "enough"),
    [
        (SuccessClaim(p=0.95), 58, 58, 59, 59),
        (SuccessClaim(p=0.95), 59, 59, 59, 59),
        (Latency(quantile=0.99, bound_us=1), 1, 300, 299, 1),
        (Latency(quantile=0.999, bound_us=1), 9, 2700, 2995, 10),
        (Latency(quantile=0.95, bound_us=1, sample="episode"), 40, 40, 59, 59),
        (Latency(quantile=0.95, bound_us=1, sample="block"), 9, 54, 59, 10),
        (Latency(quantile=0.95, bound_us=1, sample="block", block_ticks=70), 5, 21, 59, 14),
        (MissesClaim(max_fraction=0.001), 9, 2700, 2995, 10),
        (MissesClaim(max_fraction=0.05, sample="block", block_ticks=300), 58, 58, 59, 59),
    ],
)
def test_most_samples_against_the_fewest_needed(
    claim: Any, episodes: int, most: int, needed: int, enough: int
) -> None:
    found = one(claim, episodes)
    assert (found.most, found.needed, found.enough_episodes) == (most, needed, enough)
    assert found.short is (most < needed)
    assert not one(claim, enough).short
    assert enough == 1 or one(claim, enough - 1).short


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (SuccessClaim(p=0.95), "59 episodes would do, or p = 0.7411"),
        (
            Latency(quantile=0.95, bound_us=1, sample="episode"),
            "59 episodes would do, or quantile = 0.7411",
        ),
        (
            MissesClaim(max_fraction=0.05, sample="episode"),
            "59 episodes would do, or max_fraction = 0.2589",
        ),
    ],
)
def test_the_number_that_would_do_does(claim: Any, said: str) -> None:
    found = one(claim, 10)
    assert found.remedy == said
    key, value = found.weaker.split(" = ")
    assert not one(claim.model_copy(update={key: float(value)}), 10).short


def test_start_up_gives_no_samples() -> None:
    claim = Latency(quantile=0.95, bound_us=1)
    assert one(claim, 2, points=40, startup_ticks=10).most == 60
    assert one(claim, 2, points=40, startup_ticks=11).short
    never = one(claim, 1000, points=10, startup_ticks=10)
    assert never.short
    assert "no number of episodes would do" in never.remedy
    assert one(claim.model_copy(update={"sample": "episode"}), 100, 10, startup_ticks=10).most == 0


def test_a_virtual_clock_measures_nothing_and_lacks_nothing() -> None:
    claims = [
        SuccessClaim(p=0.5),
        Latency(quantile=0.999, bound_us=1),
        MissesClaim(max_fraction=0.001),
    ]
    found = reach("press", claims, Loop.model_validate(LOOP), 5, 10, timed=False)
    assert [claim.claim for claim in found] == ["success probability 0.5"]
    refuse_short(found)


def frozen(rig_name: str, profile: Profile) -> Plan:
    rig, path = load_rig(rig_name)
    return freeze(profile, "0" * 64, rig, path)


def profile(*entries: ProfileScenario) -> Profile:
    return Profile(
        schema=1, name="small", title="Small", decision="all", seed=1, scenarios=list(entries)
    )


def test_a_profile_that_cannot_be_shown_is_refused_with_the_number_that_would_do() -> None:
    entries = [
        ProfileScenario(id=PRESS, episodes=13, success_p=0.8),
        ProfileScenario(id=GAUGE, episodes=19, success_p=0.5),
    ]
    with pytest.raises(BadInput) as caught:
        frozen("twin-so101", profile(*entries))
    text = str(caught.value)
    assert "13 episodes give at most 13" in text
    assert "14 episodes would do" in text
    assert "p95 of reaction needs 59 grid points; 19 episodes give at most 57" in text
    assert "20 episodes would do" in text
    enough = [
        entries[0].model_copy(update={"episodes": 14}),
        entries[1].model_copy(update={"episodes": 20}),
    ]
    assert not any(found.short for found in frozen("twin-so101", profile(*enough)).reach)


def test_a_single_run_is_told_and_allowed() -> None:
    plan = frozen("twin-so101", single(GAUGE, 1))
    assert [found.most for found in plan.reach] == [1, 3, 3]
    page = io.StringIO()
    tell_reach(plan.reach, Console(file=page))
    lines = page.getvalue().splitlines()
    assert len(lines) == 3
    assert "needs 59 grid points; 1 episode gives at most 3" in lines[1]
    assert lines[1].endswith("(20 episodes would do)"), "no quantile of use is within reach"


def test_in_simulation_only_success_is_counted() -> None:
    plan = frozen("sim-so101", profile(ProfileScenario(id=GAUGE, episodes=5, success_p=0.5)))
    assert [(found.samples, found.most) for found in plan.reach] == [("episodes", 5)]
