"""The workspace limit through driver, bus, emulated servos and physics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from drivers.feetech.arm import build
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
from hil.loop.envelope import Envelope, Sent
from rigs.schema import Limits
from sim.robots import so101
from sim.twin.launch import ProcessTwin

TICK_NS = 20 * NS_PER_MS
OVERSHOOT_M = 0.01
"""Six servos that arrive by turns, an encoder's rounding and the arm's sag."""


def test_the_tip_stops_at_the_wall(
    running_twin: ProcessTwin, clock: WallClock, within: Callable[[float], Deadline]
) -> None:
    port = running_twin.ports["servo-bus"]
    arm = build(
        DeviceSpec("arm", "feetech-arm", port, {"model": "so101"}, Path()), BenchContext(clock)
    )

    def side_m(position: np.ndarray) -> float:
        """y of the tip, by the model's own chain."""
        return float(so101.tip_chain().tool_point(position[: so101.ARM_JOINTS])[1])

    arm.open(within(5))
    try:
        arm.enable(within(5))
        here = arm.read(within(1)).position
        wall = side_m(here) + 0.06
        aside = np.array([0.9, 0.0, 0.0, 0.0, 0.0, 0.0])
        wish = max((here + aside, here - aside), key=side_m)
        assert side_m(wish) > wall + 0.02, "the wish lies outside"
        box = {"x": [-1, 1], "y": [-1, wall], "z": [-1, 1]}
        envelope = Envelope.of(
            arm, Limits.model_validate({"step_rad": 0.3, "velocity_rad_s": 2, "workspace_m": box})
        )
        sent, reached = Sent.resting(here), []
        for _ in range(60):
            now_ns = clock.now_ns()
            sample = arm.read(within(1))
            sent = envelope.apply(wish, sent, sample, 0.02)
            applied = arm.command(sent.target, within(1))
            assert side_m(applied) <= wall + 0.002
            reached.append(side_m(sample.position))
            clock.sleep_until(now_ns + TICK_NS)
        assert max(reached) <= wall + OVERSHOOT_M
        assert reached[-1] >= wall - OVERSHOOT_M, "it went up to the wall"
    finally:
        proof = arm.make_safe(within(5))
        arm.close()
    assert proof.safe
