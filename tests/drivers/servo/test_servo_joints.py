"""Robot files: joints, models, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivers.dynamixel.registers import load_motor
from drivers.dynamixel.robot_table import load_robot, robot_models
from drivers.servo import joints
from drivers.servo.joints import JointCalibration, RobotFolder
from hil.errors import BadInput

SEVERAL_TURNS = (4, 5)
"""Operating modes of joints that may turn further than once round."""
ROW = '{ name = "a", id = 1, lower = -1.0, upper = 1.0, velocity = 2.0, zero_count = 2048, sign = 1'


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    real = joints.resources.files
    monkeypatch.setattr(
        joints.resources, "files", lambda package: tmp_path if package == "here" else real(package)
    )
    folder = RobotFolder("here", "robot", load_motor)

    def write(*rows: str):  # type: ignore[no-untyped-def]
        listed = "\n".join(f"{row} }}," for row in rows)
        text = f'model = "r"\nservo = "xl330-m288"\njoints = [\n{listed}\n]\n'
        (tmp_path / "r.toml").write_text(text)
        return folder.load("r")

    return write


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ((ROW, ROW.replace('"a"', '"b"')), "same id twice: 1"),
        ((ROW, ROW.replace("id = 1", "id = 2")), "same name twice: a"),
        ((ROW.replace("-1.0", "1.0"),), "not below"),
        ((ROW + ', servo = "xl999"',), "xl999"),
        ((ROW + ", mode = 7",), "has no mode 7"),
        ((ROW + ', servo = "xl430-w250", current_limit = 0.5',), "cannot limit its current"),
        ((ROW + ", speed = 1",), "speed"),
    ],
)
def test_bad_files_are_named(load, rows: tuple[str, ...], part: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match=part):
        load(*rows)


def test_models_may_differ_from_joint_to_joint(load) -> None:  # type: ignore[no-untyped-def]
    second = ROW.replace('"a"', '"b"').replace("id = 1", "id = 2") + ', servo = "xl430-w250"'
    robot = load(ROW, second)
    assert [table.model for table in robot.servos.values()] == ["xl330-m288", "xl430-w250"]


def test_calibration_moves_zero_and_sign() -> None:
    robot = load_robot("koch").calibrated({"gripper": JointCalibration(zero_count=-100, sign=-1)})
    scale = robot.scale
    counts = scale.to_counts(np.full(6, 0.25))
    assert counts[5] == -100 - round(0.25 / scale.radians_per_count[5])
    assert scale.to_radians(counts) == pytest.approx(np.full(6, 0.25), abs=1e-3)
    with pytest.raises(BadInput, match="shoulder_pan"):
        robot.calibrated({"nonsense": JointCalibration()})


@pytest.mark.parametrize("model", robot_models())
def test_robots_of_the_folder_are_within_their_motors(model: str) -> None:
    robot = load_robot(model)
    low, high = robot.scale.counts_within(robot.limits.lower, robot.limits.upper)
    for joint, table, least, most in zip(robot.joints, robot.tables, low, high, strict=True):
        name = "goal_position" if joint.mode in SEVERAL_TURNS else "max_position_limit"
        ends = table[name if name in table else "goal_position"]
        assert ends.highest is not None
        assert ends.lowest <= least < most <= ends.highest
        assert table.motor is not None
    assert all(
        joint.velocity <= table.motor.no_load_speed + 0.01
        for joint, table in zip(robot.joints, robot.tables, strict=True)
        if table.motor is not None
    )
