"""The workspace limit with the real driver: its chain is the model's, its targets stop in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from servo_chain import ServoChain

from drivers.feetech.arm import FeetechArm, load_arm
from drivers.feetech.parameters import ArmParameters
from hil.clock import Deadline, WallClock
from hil.contracts import DeviceSpec
from hil.errors import BadInput
from hil.loop.envelope import Envelope, Sent
from rigs.schema import Limits
from sim.robots import so101

PARAMETERS = ArmParameters(model="so101")


def spec(address: str) -> DeviceSpec:
    return DeviceSpec("arm", "feetech-arm", address, {}, Path())


ENCODER_M = 0.002
"""What is applied is rounded to the encoder's steps, five joints of them."""


def limits(**box: list[float]) -> Limits:
    wide = {"x": [-1.0, 1.0], "y": [-1.0, 1.0], "z": [-1.0, 1.0]}
    return Limits.model_validate(
        {"step_rad": 0.3, "velocity_rad_s": 3.0, "workspace_m": wide | box}
    )


def poses(count: int) -> np.ndarray:
    lower, upper = so101.limits()
    return np.random.default_rng(11).uniform(lower, upper, (count, len(lower)))


def test_the_arm_file_has_the_frames_of_the_simulated_arm() -> None:
    chain = load_arm("so101").chain
    assert chain is not None
    assert chain.names == so101.JOINT_NAMES[: so101.ARM_JOINTS]
    ours, model = chain.chain, so101.tip_chain()
    for position in poses(200)[:, : so101.ARM_JOINTS]:
        np.testing.assert_allclose(ours.frames(position), model.frames(position), atol=1e-6)
        np.testing.assert_allclose(ours.tool_point(position), model.tool_point(position), atol=1e-6)


def test_the_driver_tells_the_tool_point_of_all_its_joints(chain: ServoChain) -> None:
    arm = FeetechArm(spec(chain.path), load_arm("so101"), PARAMETERS, WallClock())
    assert arm.tool_point is not None
    for position in poses(20):
        tip = so101.tip_chain().frames(position[: so101.ARM_JOINTS])[-1][:3, 3]
        np.testing.assert_allclose(arm.tool_point(position), tip, atol=1e-6)


def test_an_arm_file_without_a_chain_refuses_a_workspace(chain: ServoChain) -> None:
    table = replace(load_arm("so101"), chain=None)
    arm = FeetechArm(spec(chain.path), table, PARAMETERS, WallClock())
    assert arm.tool_point is None
    with pytest.raises(BadInput, match="no forward kinematics"):
        Envelope.of(arm, limits())
    Envelope.of(arm, Limits(step_rad=0.3, velocity_rad_s=3.0))


@pytest.fixture
def arm(chain: ServoChain) -> Iterator[FeetechArm]:
    device = FeetechArm(spec(chain.path), load_arm("so101"), PARAMETERS, WallClock())
    device.open(soon())
    yield device
    device.close()


def soon() -> Deadline:
    return Deadline.after_s(WallClock(), 5)


def test_a_target_outside_the_box_stops_at_the_wall_on_the_wire(
    arm: FeetechArm, chain: ServoChain
) -> None:
    """The servos' goals are read from the fake's own memory and placed by the model's chain."""
    arm.enable(soon())
    model = so101.tip_chain()
    start = arm.read(soon())
    wall = float(model.tool_point(start.position[: so101.ARM_JOINTS])[2]) - 0.05
    envelope = Envelope.of(arm, limits(z=[wall, 1.0]))
    sent, outside = Sent.resting(start.position), np.array([0.0, 1.2, 0.0, 0.0, 0.0, 0.0])
    heights = []
    for _ in range(40):
        sent = envelope.apply(outside, sent, arm.read(soon()), 0.02)
        arm.command(sent.target, soon())
        arm.ping(soon())  # answered after the servos took the goals
        counts = np.array([chain.register(servo, 42, 2) for servo in range(1, 7)])
        for servo, count in enumerate(counts, start=1):  # they follow at once
            chain.memories[servo][56:58] = int(count).to_bytes(2, "little")
        goal = (counts - 2048) * 2 * np.pi / 4096
        heights.append(model.tool_point(goal[: so101.ARM_JOINTS])[2])
    free = model.tool_point(outside[: so101.ARM_JOINTS])[2]
    assert free < wall - 0.05, "the wish lies well outside"
    assert min(heights) >= wall - ENCODER_M
    assert heights[-1] <= wall + 2 * ENCODER_M, "it went up to the wall"
