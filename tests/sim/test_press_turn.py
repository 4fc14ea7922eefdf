from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from hil.contracts import JointSample
from hil.errors import HarnessError
from hil.record.format import TICK, Channel, Episode
from hil.task import Condition, View
from models.train.rollout import Conditions, roll_out
from sim.robots import so101
from sim.tasks.press_turn import ACTION_LIMIT, START, TASK, Parameters

PERIOD_NS = 20_000_000
GOOD = {
    "switch_on": 0.0,
    "switch_on_s": 0.0,
    "switch_toggles": 0.0,
    "switch_travel_m": 0.0,
    "neighbour_toggles": 0.0,
    "neighbour_travel_m": 0.0,
    "force_peak_n": 0.0,
    "wall_force_peak_n": 0.0,
}


def _episode(rows: list[dict[str, float]], without: tuple[str, ...] = ()) -> Episode:
    labels = tuple(label for label in GOOD if label not in without)
    ticks = np.zeros(len(rows), dtype=TICK)
    ticks["scheduled_ns"] = 5_000 + PERIOD_NS * np.arange(len(rows))
    value = np.array([[row[label] for label in labels] for row in rows])
    stamps = ticks["scheduled_ns"] + 4_000_000
    witness = Channel(value, stamps, np.zeros(value.shape, dtype=np.int64), labels, "mixed")
    return Episode("0001", {}, {}, ticks, {"witness": witness})


def _pressed(on_from: int = 50, length: int = 66) -> list[dict[str, float]]:
    """A good episode: the switch goes on at tick `on_from` and stays on to the end."""
    rows = []
    for tick in range(length):
        on = tick >= on_from
        rows.append(
            {
                **GOOD,
                "switch_on": float(on),
                "switch_on_s": 0.02 * (tick - on_from) if on else 0.0,
                "switch_toggles": float(on),
                "force_peak_n": 9.0 if on else 0.0,
            }
        )
    return rows


def _failed(episode: Episode) -> set[str]:
    conditions = TASK.score(episode, Parameters()).conditions
    return {condition.name for condition in conditions if condition.ok is False}


def _condition(episode: Episode, name: str) -> Condition:
    found = {c.name: c for c in TASK.score(episode, Parameters()).conditions}
    return found[name]


def test_a_good_episode_is_a_success() -> None:
    score = TASK.score(_episode(_pressed()), Parameters())
    assert score.success is True
    assert score.measures["cycle_s"] == pytest.approx(50 * 0.02 + 0.004)
    assert score.measures["held_s"] == pytest.approx(0.30)
    assert score.measures["peak_force_n"] == 9.0


def test_never_switched() -> None:
    episode = _episode([GOOD] * 40)
    assert _failed(episode) == {"switched on", "toggles", "held on until the end", "cycle time"}
    assert TASK.score(episode, Parameters()).success is False


def test_switched_only_for_an_instant_at_the_end() -> None:
    assert _failed(_episode(_pressed(60, 66))) == {"held on until the end"}


def test_switched_on_and_off_again() -> None:
    rows = _pressed()
    for row in rows[-5:]:
        row.update(switch_on=0.0, switch_on_s=0.0, switch_toggles=2.0)
    assert _failed(_episode(rows)) == {"switched on", "toggles", "held on until the end"}


def test_switched_on_off_and_on() -> None:
    rows = _pressed(20, 66)
    for row in rows[40:]:
        row.update(switch_toggles=3.0)
    assert _failed(_episode(rows)) == {"toggles"}


def test_a_push_too_hard() -> None:
    rows = _pressed()
    rows[52]["force_peak_n"] = 20.1
    episode = _episode(rows)
    assert _failed(episode) == {"peak force"}
    condition = _condition(episode, "peak force")
    assert (condition.value, condition.unit, condition.limit) == (20.1, "N", "<= 20 N")


def test_a_neighbour_touched() -> None:
    rows = _pressed()
    rows[30]["neighbour_travel_m"] = 0.0006
    assert _failed(_episode(rows)) == {"neighbour travel"}


def test_too_slow() -> None:
    assert _failed(_episode(_pressed(751, 770))) == {"cycle time"}


@pytest.mark.parametrize("column", ["force_peak_n", "neighbour_travel_m"])
def test_what_the_rig_cannot_observe_is_not_a_success(column: str) -> None:
    score = TASK.score(_episode(_pressed(), (column,)), Parameters())
    assert score.success is None
    assert sum(condition.ok is None for condition in score.conditions) == 1


def test_a_record_without_witness_shows_nothing() -> None:
    blank = Episode("0001", {}, {}, np.zeros(3, dtype=TICK))
    score = TASK.score(blank, Parameters())
    assert {condition.ok for condition in score.conditions} == {None}
    assert score.success is None
    assert not score.measures


def test_a_state_lost_at_the_end_is_no_proof() -> None:
    rows = _pressed()
    rows[-1] = dict.fromkeys(GOOD, float("nan"))
    assert TASK.score(_episode(rows), Parameters()).success is None


def test_with_the_state_alone_toggles_and_hold_come_from_the_rows() -> None:
    bare = ("switch_toggles", "switch_on_s")
    assert TASK.score(_episode(_pressed(), bare), Parameters()).success is True
    assert _failed(_episode(_pressed(60, 66), bare)) == {"held on until the end"}
    rows = _pressed(20, 66)
    for row in rows[30:33]:
        row["switch_on"] = 0.0
    assert _failed(_episode(rows, bare)) == {"toggles"}


def test_other_limits_give_another_verdict() -> None:
    episode = _episode(_pressed())
    assert TASK.score(episode, Parameters(force_limit_n=8.0)).success is False
    assert TASK.score(episode, Parameters(cycle_limit_s=1.0)).success is False


def test_foreign_parameters_are_the_harness_fault() -> None:
    class Other(BaseModel):
        pass

    with pytest.raises(HarnessError, match="Other"):
        TASK.score(_episode(_pressed()), Other())


@pytest.mark.parametrize(
    ("witness", "done"),
    [
        ({}, False),
        (GOOD, False),
        ({**GOOD, "switch_on_s": 0.26, "switch_toggles": 1.0}, False),
        ({**GOOD, "switch_on_s": 0.31, "switch_toggles": 1.0}, True),
        ({**GOOD, "switch_toggles": 2.0}, True),
        ({**GOOD, "neighbour_travel_m": 0.001}, True),
        ({**GOOD, "neighbour_travel_m": 0.0004}, False),
    ],
)
def test_finished(witness: dict[str, float], done: bool) -> None:
    assert TASK.finished(witness) is done


def test_a_draw_is_plain_data_from_its_generator_alone() -> None:
    parameters = Parameters()
    first, again, other = (TASK.draw(parameters, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first == again == json.loads(json.dumps(first))
    assert first != other


def test_draws_stay_in_their_ranges() -> None:
    parameters = Parameters(x_m=(0.31, 0.32), yaw_rad=(-0.1, 0.0), start_jitter_rad=0.02)
    sides = set()
    for seed in range(60):
        draw = TASK.draw(parameters, np.random.default_rng(seed))
        x, y, z, yaw = draw["poses"]["switch"]  # type: ignore[index]
        assert 0.31 <= x <= 0.32
        assert -0.07 <= y <= 0.07
        assert 0.12 <= z <= 0.20
        assert -0.1 <= yaw <= 0.0
        assert np.abs(TASK.start_pose(draw) - START).max() <= 0.02
        sides.add(draw["neighbour_side"])
    assert sides == {-1, 1}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"x_m": [0.2, 0.3]}, r"\[0.28, 0.37\] m"),
        ({"z_m": [0.2, 0.1]}, r"\[0.1, 0.22\] m"),
        ({"yaw_rad": [-0.5, 0.0]}, r"\[-0.3, 0.3\] rad"),
        ({"hold_s": 0.5}, "0.25"),
        ({"force_limit": 20}, "Extra inputs"),
        ({"track_noise_m": -0.1}, "greater than or equal to 0"),
    ],
)
def test_what_the_arm_cannot_reach_is_refused(table: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Parameters.model_validate(table)


def test_the_scenario_is_within_the_schema() -> None:
    path = Path(__file__).parents[2] / "scenarios/elderly-care/care-light-switch-press.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))["task"]
    assert Parameters.model_validate(table) == Parameters()


def _view(position: np.ndarray, target: np.ndarray) -> View:
    nothing = np.zeros(6)
    sample = JointSample(0, position, nothing, nothing, np.zeros(6, dtype=np.int64))
    return View(0, 0.0, sample, target, {"switch": np.array([0.32, 0.01, 0.15, 0.1])})


def test_observation_is_position_lead_and_goal() -> None:
    position = np.arange(6) * 0.1
    observation = TASK.observe(_view(position, position + 0.01))["observation"]
    assert observation.dtype == np.float32
    np.testing.assert_allclose(
        observation, [[0, 0.1, 0.2, 0.3, 0.4, 0.5, *[0.01] * 6, 0.32, 0.01, 0.15, 0.1]], atol=1e-6
    )


def test_an_answer_of_zeros_does_not_move_and_a_large_one_is_bounded() -> None:
    view = _view(START, START + 0.01)
    still = TASK.act({"action": np.zeros((1, 5), dtype=np.float32)}, view)
    np.testing.assert_array_equal(still, view.target)
    moved = TASK.act({"action": np.full((1, 5), 9.0, dtype=np.float32)}, view) - view.target
    np.testing.assert_allclose(moved, [ACTION_LIMIT] * 5 + [0.0])


def test_the_expert_is_bounded_and_remembers_nothing() -> None:
    rng = np.random.default_rng(2)
    expert = TASK.expert({})
    lower, upper = so101.limits()
    for _ in range(50):
        position = rng.uniform(lower, upper)
        view = _view(position, position + rng.normal(0, 0.02, 6))
        first = expert(view)
        assert np.abs(first - view.target).max() <= ACTION_LIMIT * (1 + 1e-9)
        np.testing.assert_array_equal(expert(view), first)


@pytest.mark.parametrize("seed", range(6))
def test_the_expert_succeeds_and_doing_nothing_fails(seed: int) -> None:
    parameters = Parameters()
    draw = TASK.draw(parameters, np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    expert = roll_out(TASK, parameters, draw, TASK.expert(draw), Conditions(), rng)
    assert expert.score.success is True, expert.score.conditions
    nothing = roll_out(TASK, parameters, draw, lambda view: view.target, Conditions(), rng, 1.0)
    assert nothing.score.success is False


def test_scoring_needs_no_physics() -> None:
    program = "import sys, sim.tasks.press_turn; print('pybullet' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
