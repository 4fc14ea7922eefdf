"""Every robot of the catalogue: its table against what PyBullet makes of the generated body."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from robots_in_world import Loaded, joints_at, loaded

from hil.errors import BadInput, HarnessError
from hil.kinematics import transform
from sim.robots.catalogue import ROBOTS, robot
from sim.robots.model import Robot
from sim.robots.mounting import prefixed
from sim.robots.urdf import principal, to_urdf

# kg and number of motors, added up from the tables by hand
STATED = {
    "so101": (0.632006, 6),
    "panda": (16.691901 + 0.73 + 2 * 0.064, 8),
    "panda-wiper": (16.691901 + 0.15 + 0.10 + 0.03, 7),
    "six-axis": (4.0 + 17.7 + 0.73 + 2 * 0.064, 7),
    "six-axis-knife": (4.0 + 17.7 + 0.362, 6),
    "six-axis-driver": (4.0 + 17.7 + 0.905, 7),
    "six-axis-scoop": (4.0 + 17.7 + 0.39, 6),
    "hand4": (0.400 + 4 * 0.098, 16),
    "hand3": (1.3 + 3 * 0.339, 9),
    "arm-hand": (4.0 + 17.7 + 0.400 + 4 * 0.098, 22),
}

Model = tuple[Robot, Loaded]


@pytest.fixture(scope="module", params=sorted(ROBOTS))
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    made = robot(request.param)
    with loaded(made.body) as body:
        yield made, body


def test_every_chain_leads_where_pybullet_has_its_links(model: Model) -> None:
    made, body = model
    for position in np.random.default_rng(11).uniform(made.lower, made.upper, (12, len(made.home))):
        body.stand(joints_at(made, position))
        for tool in made.tools.values():
            *frames, end = tool.chain.frames(position[made.places(tool.motors)])
            for link, frame in zip(tool.links, frames, strict=True):
                np.testing.assert_allclose(frame, body.frame(link), atol=1e-6)
            placed = transform(tool.placed.xyz, tool.placed.rpy)
            np.testing.assert_allclose(end, body.frame(tool.link) @ placed, atol=1e-6)


def test_masses_are_those_stated(model: Model) -> None:
    made, body = model
    mass, motors = STATED[made.name]
    assert len(made.motors) == motors
    assert sum(link.inertial.mass for link in made.body.links) == pytest.approx(mass, abs=1e-9)
    for link in made.body.links[1:]:  # the base is fixed, and so has no mass in PyBullet
        assert body.dynamics(link.name)[0] == pytest.approx(link.inertial.mass), link.name


def test_inertias_are_those_of_bodies_and_reach_pybullet(model: Model) -> None:
    """Positive, and no moment larger than the other two together (the triangle inequality)."""
    made, body = model
    for link in made.body.links:
        moments, _ = principal(link.inertial)
        assert min(moments) > 0, link.name
        assert 2 * max(moments) <= sum(moments) * (1 + 1e-9), link.name
        if link is not made.body.links[0]:
            np.testing.assert_allclose(body.dynamics(link.name)[2], moments, err_msg=link.name)


def test_centres_of_mass_reach_pybullet(model: Model) -> None:
    made, body = model
    for link in made.body.links[1:]:
        np.testing.assert_allclose(
            body.dynamics(link.name)[3], link.inertial.centre, atol=1e-9, err_msg=link.name
        )


def test_limits_are_those_of_the_motors(model: Model) -> None:
    made, body = model
    for motor in made.motors:
        assert motor.lower < motor.upper
        assert motor.torque > 0 < motor.speed
        for joint, ratio in motor.moves:
            facts = body.joint_facts(body.joints[joint])
            ends = sorted((motor.lower * ratio, motor.upper * ratio))
            np.testing.assert_allclose(facts[8:10], ends, err_msg=joint)
            # virtual work: k joints that the motor moves by a ratio share its power
            share = motor.torque / (abs(ratio) * len(motor.moves))
            assert facts[10] == pytest.approx(share), joint
            assert facts[11] == pytest.approx(motor.speed * abs(ratio)), joint


def test_each_joint_that_moves_is_moved_by_one_motor(model: Model) -> None:
    made, _ = model
    moved = [joint for motor in made.motors for joint, _ in motor.moves]
    assert sorted(moved) == sorted(
        joint.name for joint in made.body.joints if joint.kind != "fixed"
    )
    assert len(set(moved)) == len(moved)
    assert len(set(made.names)) == len(made.names)


def test_joints_beyond_a_motors_first_are_geared_to_it(model: Model) -> None:
    made, _ = model
    position = made.home + 0.1
    joints = joints_at(made, position)
    assert len(made.gears) == sum(len(motor.moves) - 1 for motor in made.motors)
    for gear in made.gears:
        assert joints[gear.second] == pytest.approx(gear.ratio * joints[gear.first])


def test_home_is_in_range_and_no_link_is_in_another(model: Model) -> None:
    made, body = model
    assert (made.lower <= made.home).all()
    assert (made.home <= made.upper).all()
    body.stand(joints_at(made, made.home))
    assert body.overlaps() == {}


def test_names_point_to_something(model: Model) -> None:
    made, body = model
    for link in (*(tip.link for tip in made.tips.values()), *made.grip_links):
        assert link in body.links
    if made.wrist:
        assert made.wrist in body.joints
    for tool in made.tools.values():
        assert set(tool.motors) <= set(made.names)


def test_the_text_is_read_whole(model: Model) -> None:
    made, body = model
    text = to_urdf(made.body)
    assert text == to_urdf(robot(made.name).body)
    assert max(map(len, text.splitlines())) < 1000
    assert len(ET.fromstring(text).findall("link")) == len(body.links)
    assert "mesh" not in text


def test_two_of_a_kind_have_no_name_in_common(model: Model) -> None:
    made, _ = model
    left, right = prefixed(made, "left_"), prefixed(made, "right_")
    assert not set(left.names) & set(right.names)
    assert not {link.name for link in left.body.links} & {link.name for link in right.body.links}
    for name, tool in left.tools.items():
        assert tool.motors == tuple("left_" + motor for motor in made.tools[name].motors)
        theirs = made.tools[name].chain.tool_point(made.home[made.places(made.tools[name].motors)])
        ours = tool.chain.tool_point(left.home[left.places(tool.motors)])
        np.testing.assert_array_equal(ours, theirs)


def test_a_robot_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match=r"puma(.|\n)*panda"):
        robot("puma")


def test_a_motor_that_is_not_there_is_named() -> None:
    with pytest.raises(HarnessError, match=r"joint8(.|\n)*joint7"):
        robot("panda").places(["joint8"])
