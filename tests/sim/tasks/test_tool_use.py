from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from manipulation import Tried, attempt, changed, digest, digest_elsewhere, failures, without
from pydantic import ValidationError

from sim.tasks.kit.draws import number
from sim.tasks.tool_cut import DEEPEST_M
from sim.tasks.tool_screw import SIZES
from sim.tasks.tool_use import JOB, ToolParameters

CUT, SCREW = "log-carton-cut-open", "mfg-screw-start-driver"
RIG = {CUT: "sim-six-axis-knife", SCREW: "sim-six-axis-driver"}
END, EARLY = slice(-1, None), slice(5, 6)


@cache
def done(scenario: str) -> Tried:
    return attempt(scenario, RIG[scenario], "expert")


@pytest.mark.parametrize("scenario", [CUT, SCREW])
def test_the_expert_does_it_and_nobody_does_not(scenario: str) -> None:
    assert done(scenario).score.success is True, done(scenario).score
    assert attempt(scenario, RIG[scenario], "null").score.success is False


def test_two_processes_give_the_same_bits() -> None:
    assert digest_elsewhere(CUT, RIG[CUT], "expert") == digest(done(CUT).episode)


@pytest.mark.parametrize(
    ("scenario", "rows", "values", "failed"),
    [
        (CUT, END, {"carton__cut_share": 0.98}, "seam cut, share"),
        (CUT, EARLY, {"carton__deepest": 0.0062}, "deepest reach of the blade"),
        (CUT, EARLY, {"carton__robot_peak_n": 51.0}, "peak press on the carton"),
        (CUT, END, {"carton__tip_over": 0.002}, "cut, blade out, carton at rest at the end"),
        (CUT, END, {"carton__robot_n": 1.0}, "cut, blade out, carton at rest at the end"),
        (CUT, END, {"carton__speed": 0.02}, "cut, blade out, carton at rest at the end"),
        (SCREW, END, {"screw__tight_nm": 0.5}, "tightened to"),
        (SCREW, EARLY, {"screw__torque_peak_nm": 30.0}, "peak torque"),
        (SCREW, END, {"screw__turned": 6.0}, "turned in by"),
        (SCREW, EARLY, {"screw__crossed": 1.0}, "thread started askew"),
        (SCREW, EARLY, {"screw__press_peak_n": 61.0}, "peak press"),
        (SCREW, END, {"screw__bit_gap": 0.001}, "tight, bit off and at rest at the end"),
        (SCREW, END, {"screw__bit_speed": 0.1}, "tight, bit off and at rest at the end"),
    ],
)
def test_what_was_not_done_rightly_is_no_success(
    scenario: str, rows: slice, values: dict[str, float], failed: str
) -> None:
    tried = done(scenario)
    score = tried.task.score(changed(tried.episode, rows, **values), tried.parameters)
    assert score.success is False
    assert failed in failures(score)


@pytest.mark.parametrize(
    ("scenario", "label"),
    [
        (CUT, "carton.cut_share"),
        (CUT, "carton.deepest"),
        (CUT, "carton.robot_peak_n"),
        (CUT, "carton.tip_over"),
        (SCREW, "screw.tight_nm"),
        (SCREW, "screw.torque_peak_nm"),
        (SCREW, "screw.crossed"),
        (SCREW, "screw.bit_gap"),
    ],
)
def test_what_was_not_observed_is_undecided(scenario: str, label: str) -> None:
    tried = done(scenario)
    assert tried.task.score(without(tried.episode, label), tried.parameters).success is None


def test_the_screw_is_tight_by_as_much_as_it_was_driven() -> None:
    """Torque is told twice, by the screw that holds it and by the bit that gave it."""
    tried = done(SCREW)
    witness = tried.episode.channels["witness"]
    tight, peak = (witness.column(f"screw.{name}") for name in ("tight_nm", "torque_peak_nm"))
    assert tight is not None
    assert peak is not None
    assert tight[-1] == pytest.approx(np.nanmax(peak), rel=0.02)
    asked = number(tried.episode.draw, "torque_nm")
    assert tight[-1] == pytest.approx(asked, rel=0.05)


def test_the_knife_cuts_at_the_depth_of_its_shoe() -> None:
    deepest = done(CUT).episode.channels["witness"].column("carton.deepest")
    assert deepest is not None
    cutting = deepest[deepest > 0.003]
    assert len(cutting) > 200
    assert 0.0035 < np.median(cutting) < 0.005 < DEEPEST_M


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "sawing"}, "'cut-seam', 'drive-screw' or 'scoop'"),
        ({"kind": "cut-seam", "screw": {}}, "table 'screw' is not of kind 'cut-seam'"),
        ({"kind": "cut-seam", "cut": {"bow_m": [-0.01, 0]}}, r"within \[-0.004, 0.004\] m"),
        ({"kind": "cut-seam", "cut": {"x_m": [0.4, 0.9]}}, r"within \[0.42, 0.56\] m"),
        ({"kind": "cut-seam", "cut": {"glue": 1}}, "Extra inputs"),
        ({"kind": "drive-screw", "screw": {"sizes": ["M3"]}}, "'M4', 'M5', 'M6' or 'M8'"),
        ({"kind": "drive-screw", "screw": {"torque_nm": [2, 3]}}, "torque_nm is of one size"),
        (
            {"kind": "drive-screw", "screw": {"sizes": ["M4"], "torque_nm": [2, 9]}},
            r"within \[1, 3\] N·m of an M4",
        ),
        ({"kind": "drive-screw", "screw": {"error_m": 0.01}}, "less than or equal to 0.002"),
        ({"kind": "scoop", "scoop": {"asked": [10, 90]}}, r"within \[10, 30\] balls"),
        ({"kind": "scoop", "scoop": {"grains": [30, 40]}}, r"within \[80, 125\] balls"),
    ],
)
def test_what_it_cannot_do_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ToolParameters.model_validate(table)


def test_each_kind_has_its_robot_and_its_draw() -> None:
    cut, screw = ToolParameters(kind="cut-seam"), ToolParameters(kind="drive-screw")
    assert JOB.joint_names(screw) == (*JOB.joint_names(cut), "spindle")
    rng = np.random.default_rng(0)
    for asked, count in ((cut, 6), (screw, 7)):
        draw = JOB.draw(asked, rng)
        assert draw["kind"] == asked.kind
        assert JOB.start_pose(draw).shape == (count,)


def test_draws_stay_within_what_is_asked() -> None:
    asked = ToolParameters(kind="drive-screw")
    sizes, off, lean = set(), [], []
    for seed in range(200):
        draw: Any = JOB.draw(asked, np.random.default_rng(seed))
        table = next(one for one in draw["elements"] if one["name"] == "screw")
        size = SIZES[draw["size"]]
        sizes.add(draw["size"])
        assert size.torque[0] <= table["torque_nm"] <= size.torque[1]
        up = table["free_m"] + table["head_height"]
        off.append(np.linalg.norm(np.subtract(table["told"]["at"], table["at"])) ** 2 - up**2)
        lean.append(2 * np.arccos(table["turn"][3]))
    assert sizes == set(SIZES)
    assert 0.0014 < np.sqrt(max(off)) <= 0.0015 + 1e-9
    assert 0.09 < max(lean) <= 0.1
