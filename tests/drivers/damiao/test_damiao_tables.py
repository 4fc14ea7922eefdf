"""Registers, motor models and robots as data."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from drivers.damiao.codec import Ranges
from drivers.damiao.motors import find_motor, load_motors
from drivers.damiao.registers import load_registers
from drivers.damiao.robots import JointSettings, load_robot
from hil.errors import BadInput, HarnessError

JOINT = """{{ name = "{name}", motor = "dm4310", id = {id}, master_id = {master},
    lower = -1.0, upper = 1.0, velocity = 5.0, kp = 20.0, kd = {kd} }}"""


def robot_file(folder: Path, *joints: str) -> Path:
    text = 'model = "mine"\njoints = [' + ",\n".join(j.replace("\n", "") for j in joints) + "]"
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def joint(name: str = "a", number: int = 1, master: int = 0x11, kd: float = 1.0) -> str:
    return JOINT.format(name=name, id=number, master=master, kd=kd)


def test_registers_that_the_driver_lives_by() -> None:
    registers = load_registers()
    by_name = {name: (each.number, each.type) for name, each in registers.items()}
    assert by_name["master_id"] == (7, "u32")
    assert by_name["can_timeout"] == (9, "u32")
    assert registers["can_timeout"].scale == pytest.approx(50e-6)
    assert by_name["control_mode"] == (10, "u32")
    assert [by_name[f"{what}_range"] for what in ("position", "velocity", "torque")] == [
        (21, "f32"),
        (22, "f32"),
        (23, "f32"),
    ]


def test_register_values_both_ways() -> None:
    registers = load_registers()
    assert registers["can_timeout"].encode(10_000) == b"\x10\x27\0\0"
    assert registers["can_timeout"].decode(b"\x10\x27\0\0") == 10_000
    assert registers["position_range"].decode(registers["position_range"].encode(12.5)) == 12.5


@pytest.mark.parametrize(("name", "value"), [("can_timeout", -1), ("can_timeout", 2**32)])
def test_register_value_that_does_not_fit_is_refused(name: str, value: float) -> None:
    with pytest.raises(HarnessError, match=name):
        load_registers()[name].encode(value)


def test_every_model_has_ranges_and_knows_its_own() -> None:
    for model in load_motors().values():
        for ranges in model.ranges:
            assert model.knows(ranges)
            assert all(math.isfinite(x) and x > 0 for x in (ranges.position, ranges.velocity))
            assert model.peak_torque is None or model.peak_torque <= ranges.torque
        assert not model.knows(Ranges(1.0, 1.0, 1.0))


def test_unknown_motor_is_named_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="dm4711") as caught:
        find_motor("dm4711", load_motors())
    assert "dm4310" in caught.value.remedy


@pytest.mark.parametrize("name", ["openarm-right", "openarm-left"])
def test_known_robot(name: str) -> None:
    robot = load_robot(name)
    assert robot.ids == tuple(range(1, 9))
    assert [each.master_id for each in robot.joints] == [0x10 + motor for motor in robot.ids]
    assert robot.names[-1] == "gripper"
    assert (robot.limits.lower < robot.limits.upper).all()


def test_arms_mirror_each_other_in_joint_2() -> None:
    right, left = load_robot("openarm-right").limits, load_robot("openarm-left").limits
    assert left.lower[1] == -right.upper[1]
    assert left.upper[1] == -right.lower[1]


def test_unknown_robot_is_named_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="openarm-middle") as caught:
        load_robot("openarm-middle")
    assert "openarm-left, openarm-right" in caught.value.remedy


def test_robot_of_ones_own_lies_beside_the_rig_file(tmp_path: Path) -> None:
    robot_file(tmp_path, joint("a", 1, 0x11), joint("b", 2, 0x12))
    robot = load_robot("mine.toml", tmp_path)
    assert (robot.names, robot.ids) == (("a", "b"), (1, 2))
    assert robot.motors[0].name == "dm4310"


@pytest.mark.parametrize(
    ("joints", "part"),
    [
        ([joint("a", 1, 0x11), joint("a", 2, 0x12)], "name is used twice"),
        ([joint("a", 1, 0x11), joint("b", 1, 0x12)], "id is used twice"),
        ([joint("a", 1, 0x11), joint("b", 17, 0x11)], "lower four bits"),
        ([joint("a", 1, 0x11), joint("b", 2, 0x01)], "would take its answers for commands"),
        ([joint("a", 1, 0)], "master_id"),
        ([joint("a", 1, 0x11, kd=0.0)], "kp without kd"),
        ([joint("a", 1, 0x11, kd=5.1)], "kd"),
    ],
)
def test_robot_that_cannot_work_is_refused(tmp_path: Path, joints: list[str], part: str) -> None:
    robot_file(tmp_path, *joints)
    with pytest.raises(BadInput, match=part):
        load_robot("mine.toml", tmp_path)


def test_joints_of_one_specimen_are_adjusted() -> None:
    robot = load_robot("openarm-right").adjusted(
        {"joint_3": JointSettings(sign=-1, offset=0.25, kp=50.0, kd=2.0)}
    )
    assert (robot.joints[2].kp, robot.joints[2].kd) == (50.0, 2.0)
    angles = np.zeros(8)
    angles[2] = 0.5
    motor = robot.to_motor(angles)
    assert motor[2] == pytest.approx(-0.25)
    assert robot.to_joint(motor) == pytest.approx(angles)


def test_adjusted_joint_that_there_is_not_is_named() -> None:
    with pytest.raises(BadInput, match="joint_9"):
        load_robot("openarm-right").adjusted({"joint_9": JointSettings(sign=-1)})


def test_adjusted_gains_are_checked_together() -> None:
    with pytest.raises(BadInput, match="kp without kd"):
        load_robot("openarm-right").adjusted({"joint_1": JointSettings(kd=0.0)})
