"""A loop that its device paces, with the real driver on the emulated bus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hil.catalogue import load_rig
from hil.clock import NS_PER_S
from hil.plan.freeze import PlannedScenario, freeze, single
from hil.record.format import EpisodeEnd
from hil.rig import build_bench
from hil.run.episode import run_episode
from hil.safety import StopRequest

SCENARIO = "care-light-switch-press"


def paced_by_device(planned: PlannedScenario) -> PlannedScenario:
    data = planned.scenario.model_dump(by_alias=True)
    data["loop"] |= {"pacing": "device", "shortest_cycle_us": 4000, "duration_s": 1.0}
    return replace(planned, scenario=type(planned.scenario).model_validate(data))


def test_the_bus_sets_the_pace_and_no_joint_goes_faster_for_it() -> None:
    rig, path = load_rig("twin-so101")
    plan = freeze(single(SCENARIO, 1), "0" * 64, rig, path, 1, "expert")
    planned = paced_by_device(plan.scenarios[SCENARIO])
    with build_bench(rig, path) as bench:
        bench.open()
        bench.joints("arm").enable(bench.deadline(1))
        attempt = run_episode(bench, planned, plan.episodes[0], "expert", StopRequest())
    assert attempt.end is EpisodeEnd.COMPLETED, attempt.reason
    ticks, applied = attempt.episode.ticks, attempt.episode.channels["joints.applied"]
    began_ns = np.diff(ticks["scheduled_ns"])
    assert began_ns.min() >= 4_000_000, "never sooner than the shortest cycle"
    nominal_ns = NS_PER_S / planned.scenario.loop.rate_hz
    assert began_ns.min() < nominal_ns, "sooner than the grid of a nominal rate has a point"
    assert (ticks["tick"] == np.cumsum(ticks["skipped"] + 1) - 1).all()
    # targets are whole counts of the encoder, so that one step may be a count too long
    count_rad = 2 * np.pi / 4096
    moved = np.abs(np.diff(applied.value, axis=0)).max(axis=1)
    passed_s = np.diff(applied.stamp_ns) / 1e9
    limit = rig.limits.velocity_rad_s * passed_s + 2 * count_rad  # type: ignore[union-attr]
    assert (moved <= limit + 0.002 * rig.limits.velocity_rad_s).all()  # type: ignore[union-attr]
