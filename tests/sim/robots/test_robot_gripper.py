"""The parallel gripper in PyBullet: force of its fingers, symmetry under load."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from robots_in_world import Loaded, joints_at, loaded

from sim.robots import gripper as table
from sim.robots.urdf import Body, Box, Inertial, Joint, Link, Part
from sim.world import Placed, Surface

EDGE, MASS = 0.040, 0.100
HZ = 1000


@dataclass(frozen=True)
class Held:
    """What a gripped cube ended as: forces of the fingers in N, places in m."""

    forces: dict[str, float]
    fingers: tuple[float, float]
    cube: tuple[float, float, float]


def hanging() -> Body:
    """The gripper, fingers down, its pads 0.2 m above the ground."""
    stand = Link("stand", Inertial(1.0, (0.0, 0.0, 0.0), (0.01, 0.01, 0.01, 0.0, 0.0, 0.0)))
    body = table.gripper().body
    upside_down = Joint("hung", "fixed", "stand", "hand", (0.0, 0.0, 0.3), (np.pi, 0.0, 0.0))
    return Body("hanging", (stand, *body.links), (upside_down, *body.joints))


def grip(
    torque: float, *, beside: float = 0.0, side_load: float = 0.0, geared: bool = True
) -> Held:
    """Close on a cube whose middle is `beside` m off, then push it sideways with `side_load` N."""
    made = table.gripper()
    motor = made.motors[0]
    with loaded(hanging(), HZ) as body:
        bullet, client = body.bullet, body.client
        opened = table.angle_for(EDGE + 2 * abs(beside) + 0.004)
        body.stand(joints_at(made, np.array([opened])))
        if geared:
            tie(body)
        height = 0.3 - table.GRIP_CENTRE[2]
        shape = bullet.createCollisionShape(
            bullet.GEOM_BOX, halfExtents=[EDGE / 2] * 3, physicsClientId=client
        )
        cube = bullet.createMultiBody(
            MASS, shape, -1, (0.0, beside, height), physicsClientId=client
        )
        for name, index in body.links.items():
            soft = made.grip_stiffness if name in made.grip_links else 0.0
            placed = Placed(body.uid, body.joints)
            body.world.surface(
                placed, index, Surface(1.0, stiffness=soft, damping=made.grip_damping)
            )
        for joint, ratio in motor.moves:
            bullet.setJointMotorControl2(
                body.uid,
                body.joints[joint],
                bullet.POSITION_CONTROL,
                targetPosition=0.0,
                force=torque / (ratio * len(motor.moves)),
                positionGain=1 / (HZ * motor.lag_s),
                velocityGain=1.0,
                maxVelocity=motor.speed * ratio,
                physicsClientId=client,
            )
        for step in range(2 * HZ):
            where, _ = bullet.getBasePositionAndOrientation(cube, physicsClientId=client)
            if step < 0.6 * HZ:  # held up until the fingers have it
                push(body, cube, (0.0, 0.0, MASS * 9.80665), where)
            elif step >= HZ:
                push(body, cube, (0.0, side_load, 0.0), where)
            body.world.step()
        where, _ = bullet.getBasePositionAndOrientation(cube, physicsClientId=client)
        return Held(pressing(body, cube), finger_places(body), where)


def tie(body: Loaded) -> None:
    for gear in table.gripper().gears:
        tied = body.bullet.createConstraint(
            body.uid,
            body.joints[gear.first],
            body.uid,
            body.joints[gear.second],
            body.bullet.JOINT_GEAR,
            (0.0, 1.0, 0.0),
            (0.0, 0.0, 0.0),
            (0.0, 0.0, 0.0),
            physicsClientId=body.client,
        )
        body.bullet.changeConstraint(
            tied, gearRatio=-1 / gear.ratio, erp=0.2, maxForce=1000.0, physicsClientId=body.client
        )


def push(body: Loaded, cube: int, force: tuple[float, float, float], where: object) -> None:
    body.bullet.applyExternalForce(
        cube, -1, force, where, body.bullet.WORLD_FRAME, physicsClientId=body.client
    )


def pressing(body: Loaded, cube: int) -> dict[str, float]:
    forces = {"left_finger": 0.0, "right_finger": 0.0}
    names = {index: name for name, index in body.links.items()}
    for point in body.bullet.getContactPoints(cube, body.uid, physicsClientId=body.client):
        forces[names[point[4]]] += point[9]
    return forces


def finger_places(body: Loaded) -> tuple[float, float]:
    left, right = (
        body.bullet.getJointState(body.uid, body.joints[name], physicsClientId=body.client)[0]
        for name in ("finger_left", "finger_right")
    )
    return left, right


@pytest.mark.parametrize("force", [table.WEAKEST_GRIP, table.STRONGEST_GRIP])
@pytest.mark.parametrize("beside", [0.0, 0.003])
def test_each_finger_presses_with_its_share_of_the_torque(force: float, beside: float) -> None:
    held = grip(table.torque_for(force), beside=beside)
    for pressed in held.forces.values():
        assert pressed == pytest.approx(force, rel=0.005)
    into = force / (4 * table.gripper().grip_stiffness)  # a face rests on four points of a pad
    assert sum(held.fingers) == pytest.approx(EDGE - 2 * into, abs=1e-5)
    assert held.cube[2] == pytest.approx(0.3 - table.GRIP_CENTRE[2], abs=1e-3)


@pytest.mark.parametrize("force", [table.WEAKEST_GRIP, table.STRONGEST_GRIP])
@pytest.mark.parametrize(("beside", "side_load"), [(0.0, 15.0), (0.003, 0.0), (0.003, -15.0)])
def test_geared_fingers_stay_symmetric_under_load(
    force: float, beside: float, side_load: float
) -> None:
    held = grip(table.torque_for(force), beside=beside, side_load=side_load)
    left, right = held.fingers
    assert abs(left - right) < 2e-5
    assert abs(held.cube[1]) < 2e-4


def test_without_the_gear_a_side_load_carries_the_fingers_away() -> None:
    """Why `Robot.gears` is there."""
    held = grip(table.torque_for(20.0), side_load=5.0, geared=False)
    left, right = held.fingers
    assert abs(left - right) > 0.01


def test_torque_and_force_and_angle_and_opening_are_inverse() -> None:
    motor = table.gripper().motors[0]
    assert table.force_at(motor.torque) == pytest.approx(table.GRIP)
    assert table.torque_for(20.0) == pytest.approx(0.4)
    assert table.opening_at(motor.upper) == pytest.approx(0.080)
    assert table.angle_for(0.05) == pytest.approx(2.5)
    assert table.opening_at(motor.lower) == 0.0


def test_the_pads_meet_when_it_is_closed_and_are_the_stated_opening_apart() -> None:
    made = table.gripper()
    with loaded(made.body) as body:
        for angle in (0.0, 1.0, made.motors[0].upper):
            body.stand(joints_at(made, np.array([angle])))
            faces = []
            for tip, sign in (("left", -1.0), ("right", 1.0)):
                link = next(known for known in made.body.links if known.name == made.tips[tip].link)
                pad = link.parts[-1]
                assert isinstance(pad, Part)
                assert isinstance(pad.shape, Box)
                middle = body.frame(link.name)[:3, 3] + pad.at
                assert middle[2] == pytest.approx(table.GRIP_CENTRE[2])
                faces.append(middle[1] + sign * pad.shape.size[1] / 2)
            assert faces[0] - faces[1] == pytest.approx(table.opening_at(angle), abs=1e-8)
