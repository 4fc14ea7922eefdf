"""Overlapped inference and the envelope's further limits with the simulated bench's devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hil.catalogue import load_rig
from hil.plan.freeze import PlannedScenario, freeze, single
from hil.record.format import ActionReason, EpisodeEnd
from hil.rig import build_bench
from hil.run.episode import Attempt, run_episode
from hil.safety import StopRequest
from rigs.schema import Rig

SCENARIO = "care-light-switch-press"


def sim_rig(infer_us: int, limits: Mapping[str, Any]) -> tuple[Rig, Any]:
    rig, path = load_rig("sim-so101")
    data = rig.model_dump(mode="json", by_alias=True, exclude_none=True)
    data["limits"] |= limits
    for device in data["devices"]:
        if device["role"] == "terminal":
            device["parameters"] = {"infer_us": infer_us}
    return Rig.model_validate(data), path


def changed(planned: PlannedScenario, **tables: Mapping[str, Any]) -> PlannedScenario:
    data = planned.scenario.model_dump(by_alias=True)
    for name, table in tables.items():
        data[name] |= table
    return replace(planned, scenario=type(planned.scenario).model_validate(data))


def press(
    infer_us: int, limits: Mapping[str, Any], **tables: Mapping[str, Any]
) -> tuple[Attempt, bool | None, Any]:
    """One episode: its record, whether the switch was pressed, and the arm."""
    rig, path = sim_rig(infer_us, limits)
    plan = freeze(single(SCENARIO, 1), "0" * 64, rig, path, seed=99)
    planned = changed(plan.scenarios[SCENARIO], **tables)
    with build_bench(rig, path) as bench:
        bench.open()
        bench.joints("arm").enable(bench.deadline(1))
        bench.inference("terminal").load(planned.model, bench.deadline(5))
        attempt = run_episode(bench, planned, plan.episodes[0], "model", StopRequest())
        arm = bench.devices["arm"]
    return attempt, planned.task.score(attempt.episode, planned.parameters).success, arm


def test_a_terminal_slower_than_the_period_does_the_job_overlapped() -> None:
    """30 ms an inference at 50 Hz: waited for, every second point would be skipped."""
    tables = {"loop": {"inference": "overlapped"}, "rules": {"max_decision_age_ms": 100}}
    attempts = []
    for _ in range(2):
        attempt, pressed, _ = press(30_000, {}, **tables)
        assert pressed
        attempts.append(attempt.episode)
    ticks = attempts[0].ticks
    assert ticks["skipped"].sum() == 0
    fresh = ticks[ticks["reason"] == ActionReason.FRESH]
    assert (fresh["data_age_ns"] >= 40_000_000).all()
    assert (fresh["answered_ns"] - fresh["asked_ns"] >= 30_000_000).all()
    np.testing.assert_array_equal(ticks, attempts[1].ticks)
    applied = (one.channels["joints.applied"].value for one in attempts)
    np.testing.assert_array_equal(*applied)


def test_a_wall_in_the_workspace_keeps_the_tip_from_the_switch() -> None:
    near = {"workspace_m": {"x": [0.0, 0.27], "y": [-0.3, 0.3], "z": [0.05, 0.4]}}
    attempt, pressed, arm = press(3000, near, loop={"duration_s": 2.0})
    assert attempt.end is EpisodeEnd.COMPLETED
    assert pressed is False
    tips = np.array(
        [arm.tool_point(one) for one in attempt.episode.channels["joints.applied"].value]
    )
    encoder_m = 0.002  # what is applied is rounded to the encoder's steps, five joints of them
    assert tips[:, 0].max() <= 0.27 + encoder_m
    assert tips[:, 0].max() > 0.26, "it went up to the wall"


def test_the_arm_knows_where_its_tip_is() -> None:
    rig, path = sim_rig(3000, {})
    start = np.array([0.0, -1.5, 1.4, 0.1, 0.0, 0.0])
    with build_bench(rig, path) as bench:
        arm: Any = bench.devices["arm"]
        np.testing.assert_allclose(arm.tool_point(start), [0.25, 0.0, 0.16], atol=0.01)


def test_a_motion_with_bounded_jerk_still_does_the_job() -> None:
    smooth = {"acceleration_rad_s2": 30.0, "jerk_rad_s3": 3000.0, "effort": 0.9}
    attempt, pressed, _ = press(3000, smooth)
    assert pressed
    applied = attempt.episode.channels["joints.applied"].value
    acceleration = np.diff(applied, n=2, axis=0) / 0.02**2
    encoder = 2 * np.pi / 4096 * 2 / 0.02**2
    assert np.abs(acceleration).max() <= 30.0 + encoder


@pytest.mark.parametrize("limits", [{"acceleration_rad_s2": 30.0}, {"effort": 0.9}])
def test_limits_that_do_not_bind_are_not_needed_for_the_job(limits: dict[str, float]) -> None:
    _, pressed, _ = press(3000, limits)
    assert pressed
