from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from manipulation import digest, digest_elsewhere, without
from pydantic import ValidationError

from hil.catalogue import load_rig
from hil.plan.freeze import PolicyName, freeze, single
from hil.record.format import TICK, Channel, Episode
from hil.run.trial import run_trial
from hil.task import Score
from sim.tasks.in_hand import JOB, Parameters
from sim.tasks.in_hand_expert import FARTHEST, GAIN, sweep

SCENARIO, RIG = "log-label-present-reorient", "sim-hand4"
PERIOD_NS = 20_000_000
TICKS = 200


def draw(**task: object) -> dict[str, object]:
    asked = Parameters.model_validate({"yaw_rad": (3.0, 3.0), "turn_rad": (2.5, 2.5), **task})
    return dict(JOB.draw(asked, np.random.default_rng(3)))


def play(seed: int, policy: PolicyName = "expert", **task: Any) -> tuple[Episode, Score]:
    """One episode of the scenario with other parameters, and its score."""
    rig, path = load_rig(RIG)
    plan = freeze(single(SCENARIO, 1), "0" * 64, rig, path, seed, policy)
    planned = replace(plan.scenarios[SCENARIO], parameters=Parameters.model_validate(task))
    trial = run_trial(replace(plan, scenarios={SCENARIO: planned}), plan.episodes[0], _quiet)
    assert trial.attempt is not None, trial.ending
    assert trial.attempt.end == "completed", trial.attempt.reason
    return trial.attempt.episode, JOB.score(trial.attempt.episode, planned.parameters)


def _quiet() -> None:
    """Nobody watches."""


def recorded(drawn: dict[str, object], rows: list[dict[str, float]]) -> Episode:
    """An episode whose witness says `rows`, one a tick at 50 Hz."""
    ticks = np.zeros(len(rows), dtype=TICK)
    ticks["scheduled_ns"] = 5_000 + PERIOD_NS * np.arange(len(rows))
    value = np.array([list(row.values()) for row in rows])
    stamps = ticks["scheduled_ns"] + 4_000_000
    age = np.zeros(value.shape, dtype=np.int64)
    witness = Channel(value, stamps, age, tuple(rows[0]), "mixed")
    return Episode("0001", drawn, {}, ticks, {"witness": witness})


def failed(score: Score) -> set[str]:
    return {condition.name for condition in score.conditions if condition.ok is False}


def episode(
    yaw: list[float] | None = None,
    tilt: float = 0.0,
    off: float = 0.0,
    sunk: float = 0.0,
    speed: float = 0.0,
    spin: float = 0.0,
) -> Episode:
    """Turned evenly as asked within two seconds, then at rest; or along `yaw`, by tick. What
    else is given is true of the last second."""
    drawn = draw()
    start, wanted = drawn["poses"]["cube"], float(drawn["turn_rad"])  # type: ignore[index, arg-type]
    way = yaw or [wanted * min(1.0, tick / 100) for tick in range(TICKS)]
    rows = []
    for tick, turned in enumerate(way):
        last = tick >= len(way) - 50
        half, lean = (3.0 + turned) / 2, tilt / 2 * last
        rows.append(
            {
                "cube.x": start[0] + off * last,
                "cube.y": start[1],
                "cube.z": start[2] - sunk * (tick == 10),
                "cube.qx": math.cos(half) * math.sin(lean),
                "cube.qy": math.sin(half) * math.sin(lean),
                "cube.qz": math.sin(half) * math.cos(lean),
                "cube.qw": math.cos(half) * math.cos(lean),
                "cube.speed": speed * last,
                "cube.spin": spin * last,
                "cube.robot_n": 0.7,
            }
        )
    return recorded(drawn, rows)


def refused(found: Episode) -> set[str]:
    return failed(JOB.score(found, Parameters()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_script_turns_it(seed: int) -> None:
    _, score = play(seed)
    assert score.success is True, score
    assert score.measures["peak_contact_n"] < 150.0


def test_the_script_turns_back_what_is_shoved() -> None:
    found, score = play(2, push_n=(0.4, 0.8), push_every_s=0.5)
    assert score.success is True, score
    done = found.channels["witness"].column("pushes.done")
    assert done is not None
    assert done[-1] == len(found.draw["elements"][-1]["shoves"]) > 5  # type: ignore[index]


def test_the_script_brings_a_face_up() -> None:
    _, score = play(2, turn="face")
    assert score.success is True, score


@pytest.mark.parametrize("turn", ["yaw", "face"])
def test_doing_nothing_turns_nothing(turn: str) -> None:
    _, score = play(1, "null", turn=turn)
    assert score.success is False


@pytest.mark.parametrize("edge", [0.040, 0.060])
def test_the_smallest_and_the_largest_cube(edge: float) -> None:
    _, score = play(4, edge_m=(edge, edge))
    assert score.success is True, score


def test_equal_seeds_give_equal_records_in_any_process() -> None:
    here = {digest_elsewhere(SCENARIO, RIG, "expert", 5) for _ in range(2)}
    plain, _ = play(5)
    assert here == {digest(plain)}


def test_a_good_record_is_a_success() -> None:
    score = JOB.score(episode(), Parameters())
    assert score.success is True, score


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"tilt": 0.12}, {"face from upright"}),
        ({"off": 0.011}, {"drift"}),
        ({"speed": 0.006}, set()),
        ({"spin": 0.2}, set()),
    ],
)
def test_what_is_not_so_at_the_end_fails(changes: dict[str, float], names: set[str]) -> None:
    assert refused(episode(**changes)) == {*names, "turned and at rest at the end"}  # type: ignore[arg-type]


def test_a_drop_fails_though_all_is_well_in_the_end() -> None:
    assert refused(episode(sunk=0.006)) == {"fell by"}


def test_passing_through_the_goal_fails() -> None:
    through = [4.0 * min(1.0, tick / 100) for tick in range(TICKS)]
    assert "turn error" in refused(episode(through))
    late = [2.5 * min(1.0, tick / 160) for tick in range(TICKS)]
    assert refused(episode(late)) == {"turned and at rest at the end"}


def test_the_long_way_round_is_not_the_short_one() -> None:
    around = [(2.5 - 2 * math.pi) * min(1.0, tick / 100) for tick in range(TICKS)]
    assert "turn error" in refused(episode(around))


def test_rocking_to_and_fro_adds_up_to_nothing() -> None:
    rocking = [0.25 * abs(tick % 20 - 10) / 10 for tick in range(TICKS)]
    assert sum(abs(np.diff(rocking))) > 2.5
    assert "turn error" in refused(episode(rocking))


def test_a_turn_whose_middle_was_not_seen_still_counts() -> None:
    found = episode()
    found.channels["witness"].value[20:24, 3:7] = math.nan
    assert JOB.score(found, Parameters()).success is True


def test_too_late() -> None:
    asked = Parameters(cycle_limit_s=1.5)
    assert failed(JOB.score(episode(), asked)) == {"turned within"}


@pytest.mark.parametrize("label", ["cube.x", "cube.qz", "cube.speed", "cube.spin"])
def test_what_the_rig_does_not_observe_is_undecided(label: str) -> None:
    score = JOB.score(without(episode(), label), Parameters())
    assert score.success is None
    assert "turned and at rest at the end" in {c.name for c in score.conditions if c.ok is None}


def test_the_face_has_to_be_up() -> None:
    asked = Parameters(turn="face")
    drawn = draw(turn="face")
    start = drawn["poses"]["cube"]  # type: ignore[index]
    half = math.sqrt(0.5)
    for up, good in ((-half, True), (half, False)):
        row = {
            **dict(zip(("cube.x", "cube.y", "cube.z"), start, strict=False)),
            "cube.qx": 0.0,
            "cube.qy": up,
            "cube.qz": 0.0,
            "cube.qw": half,
            "cube.speed": 0.0,
            "cube.spin": 0.0,
        }
        assert JOB.score(recorded(drawn, [row] * TICKS), asked).success is good


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("edge_m", (0.03, 0.05), "within [0.04, 0.06] m"),
        ("edge_m", (0.05, 0.07), "within [0.04, 0.06] m"),
        ("mass_kg", (0.1, 0.3), "within [0.02, 0.2] kg"),
        ("friction", (0.3, 1.0), "within [0.5, 1.2]"),
        ("turn_rad", (0.0, 1.0), "within [0.3, 3.14159] rad"),
        ("push_n", (0.0, 6.0), "within [0, 5] N"),
        ("push_n", (2.0, 1.0), "from low to high"),
        ("turn", "roll", "'yaw' or 'face'"),
        ("material", "wood", "not permitted"),
    ],
)
def test_what_it_cannot_do_is_refused(key: str, value: object, allowed: str) -> None:
    with pytest.raises(ValidationError, match=allowed.replace("[", r"\[")):
        Parameters.model_validate({key: value})


def test_the_draw_holds_everything_random() -> None:
    drawn = [draw(yaw_rad=(-3.0, 3.0), turn_rad=(0.3, 3.0)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    rng = np.random.default_rng(0)
    turns = [JOB.draw(Parameters(), rng)["turn_rad"] for _ in range(40)]
    assert {np.sign(turn) for turn in turns} == {-1.0, 1.0}  # type: ignore[call-overload]
    assert len(set(turns)) == 40


def test_pushes_leave_the_rest_of_the_draw_as_it_is() -> None:
    calm, pushed = draw(), draw(push_n=(0.5, 1.0))
    extra = pushed["elements"].pop()  # type: ignore[attr-defined]
    assert extra["kind"] == "shoves"
    assert pushed == calm


def test_a_sweep_starts_square_and_goes_as_far_as_it_may() -> None:
    for yaw in np.linspace(-3.0, 3.0, 41):
        for left in (-3.0, -0.2, 0.2, 3.0):
            first, last = sweep(float(yaw), left, FARTHEST)
            assert max(abs(first), abs(last)) <= FARTHEST + 1e-9
            off = yaw - first
            assert abs(off - math.pi / 2 * round(off / (math.pi / 2))) <= math.radians(18.1)
            turned = GAIN * (last - first)
            assert turned * left > 0
            assert abs(turned) <= abs(left) + 1e-9
