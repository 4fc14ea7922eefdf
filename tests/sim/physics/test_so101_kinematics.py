"""The numpy kinematics against PyBullet's, an independent implementation of the same table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hil.kinematics import rotation, transform
from sim.robots import so101
from sim.robots.kinematics import tool_pose
from sim.robots.urdf import Inertial, principal
from sim.world import Placed, World


@pytest.fixture(scope="module")
def arm() -> Iterator[tuple[World, Placed]]:
    world = World(1000)
    world.rebuild()
    yield world, world.place(so101.body(), (0.0, 0.0, 0.0))
    world.close()


def _poses(count: int) -> np.ndarray:
    lower, upper = so101.limits()
    return np.random.default_rng(5).uniform(lower, upper, (count, len(lower)))


def _stand(arm: tuple[World, Placed], position: np.ndarray) -> None:
    world, body = arm
    for index, angle in zip(body.joints.values(), position, strict=True):
        world.bullet.resetJointState(body.uid, index, angle, physicsClientId=world.client)


def test_link_frames_agree_with_pybullet(arm: tuple[World, Placed]) -> None:
    world, body = arm
    chain = so101.tip_chain()
    for position in _poses(25):
        _stand(arm, position)
        *links, _tip = chain.frames(position[: so101.ARM_JOINTS])
        for index, frame in enumerate(links):
            state = world.bullet.getLinkState(
                body.uid, index, computeForwardKinematics=True, physicsClientId=world.client
            )
            axes = np.reshape(world.bullet.getMatrixFromQuaternion(state[5]), (3, 3))
            np.testing.assert_allclose(frame[:3, 3], state[4], atol=1e-6)
            np.testing.assert_allclose(frame[:3, :3], axes, atol=1e-6)


def test_tip_at_zero_points_forward() -> None:
    tip = tool_pose(so101.tip_chain(), np.zeros(so101.ARM_JOINTS))
    np.testing.assert_allclose(tip.position, [0.3914, 0.0, 0.2265], atol=2e-4)
    np.testing.assert_allclose(tip.axes[:, 2], [1.0, 0.0, 0.0], atol=1e-9)


def test_jacobian_is_the_derivative() -> None:
    chain = so101.tip_chain()
    nudge = 1e-6
    for position in _poses(10)[:, : so101.ARM_JOINTS]:
        tip = tool_pose(chain, position)
        for joint in range(so101.ARM_JOINTS):
            ahead, behind = position.copy(), position.copy()
            ahead[joint] += nudge
            behind[joint] -= nudge
            a, b = tool_pose(chain, ahead), tool_pose(chain, behind)
            np.testing.assert_allclose(
                (a.position - b.position) / (2 * nudge), tip.jacobian[:3, joint], atol=1e-7
            )
            turn = (a.axes - b.axes) / (2 * nudge) @ tip.axes.T
            np.testing.assert_allclose(
                [turn[2, 1], turn[0, 2], turn[1, 0]], tip.jacobian[3:, joint], atol=1e-7
            )


def test_joint_order_and_ranges_are_those_of_the_body(arm: tuple[World, Placed]) -> None:
    world, body = arm
    lower, upper = so101.limits()
    assert tuple(body.joints) == so101.JOINT_NAMES
    for index, low, high in zip(body.joints.values(), lower, upper, strict=True):
        facts = world.bullet.getJointInfo(body.uid, index, physicsClientId=world.client)
        assert (facts[8], facts[9], facts[10]) == (low, high, so101.STALL_TORQUE)


def test_every_link_has_the_mass_of_the_table(arm: tuple[World, Placed]) -> None:
    world, body = arm
    masses = [
        world.bullet.getDynamicsInfo(body.uid, index, physicsClientId=world.client)[0]
        for index in body.joints.values()
    ]
    np.testing.assert_allclose(masses, [0.100006, 0.103, 0.104, 0.079, 0.087, 0.012])


def test_principal_axes_give_the_tensor_back() -> None:
    tensor = (4.1e-5, 1.47e-4, 1.42e-4, -1.98e-5, -4.0e-8, 9.0e-9)
    moments, rpy = principal(Inertial(0.1, (0.0, 0.0, 0.0), tensor))
    axes = rotation(rpy)
    xx, yy, zz, xy, xz, yz = tensor
    np.testing.assert_allclose(
        axes @ np.diag(moments) @ axes.T, [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]], atol=1e-12
    )


def test_transform_turns_and_moves() -> None:
    placed = transform((1.0, 2.0, 3.0), (0.0, 0.0, np.pi / 2))
    np.testing.assert_allclose(placed @ [1.0, 0.0, 0.0, 1.0], [1.0, 3.0, 3.0, 1.0], atol=1e-12)
