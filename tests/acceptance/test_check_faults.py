"""Faults planted on emulated devices: `hil check` finds each, names it and says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from harming import twin_bench
from pump import pumped

from drivers.feetech.arm_table import load_arm
from drivers.feetech.registers import Table, load_table
from drivers.servo.chain import ServoChain
from hil.catalogue import load_rig, rig_files
from hil.check import hosts
from hil.check.examine import examine
from hil.check.model import Part, Report, Result, State
from hil.check.wanted import Wanted
from hil.loop.fitness import HostState
from hil.safety import StopRequest
from rigs.rights import udev_rules
from sim.emulated.feetech.bus import ServoBus
from sim.emulated.feetech.motor import MotorModel
from sim.emulated.feetech.servo import Mounting, Servo

RIG = "twin-so101"
ELBOW, ELBOW_ID = "elbow_flex", 3
BAUD = 1_000_000
OVERLOAD, OVERHEAT = 32, 4

HOLD = """
import sys
from drivers.transport.posix import open_serial
from hil.clock import WallClock
port = open_serial(sys.argv[1], 1_000_000, WallClock())
print("held", flush=True)
sys.stdin.read()
"""

Results = list[Result]


@pytest.fixture(scope="module", autouse=True)
def one_look_at_the_host() -> Iterator[None]:
    """It is the same host for all of these, and a look at it takes a second."""
    look, seen = hosts.self_test, list[HostState]()

    def once(*arguments: Any) -> HostState:
        if not seen:
            seen.append(look(*arguments))
        return seen[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hosts, "self_test", once)
        yield


def check(name: str, served: dict[str, str] | None = None, **changes: object) -> Results:
    """Everything found, at a rate that a busy host allows unless a test asks for another."""
    rig, path = load_rig(name)
    wanted = Wanted(rig, path, date(2026, 6, 1), trips=60, rate_hz=2.0)
    report = Report()
    examine(replace(wanted, **changes), report, StopRequest(), served)  # type: ignore[arg-type]
    for result in report.results:
        assert result.remedy or result.state is not State.BAD, result
    return report.results


def bad(results: Results, *parts: Part) -> Results:
    """Bad findings, but for those of a twin's host process or camera stream that a busy host held
    up."""
    return [
        one
        for one in results
        if one.state is State.BAD
        and one.name not in ("pace", "rate", "drops")
        and (not parts or one.part in parts)
    ]


def of(results: Results, role: str, name: str) -> Result:
    (found,) = [one for one in results if (one.role, one.name) == (role, name)]
    return found


@contextmanager
def planted(
    monkeypatch: pytest.MonkeyPatch,
    after_open: bool = False,
    rate_hz: float = 2.0,
    **faults: object,
) -> Iterator[Results]:
    """What is found on a twin whose bus has these faults, from the beginning or once the arm is
    open."""
    with twin_bench(RIG) as bench:

        def plant() -> None:
            bench.scene.fault(bench.soon(), **faults)  # type: ignore[arg-type]

        if after_open:
            opening = ServoChain.open

            def opened(chain: ServoChain, deadline: object) -> None:
                opening(chain, deadline)  # type: ignore[arg-type]
                plant()

            monkeypatch.setattr(ServoChain, "open", opened)
        else:
            plant()
        yield check(RIG, dict(bench.ports), rate_hz=rate_hz)


def assert_others_were_looked_at(results: Results) -> None:
    assert of(results, "terminal", "ping").state is State.OK
    assert of(results, "terminal", "made safe").state is State.OK
    assert of(results, "scene", "made safe").state is State.OK


def test_a_twin_in_order_is_ready() -> None:
    results = check(RIG)
    assert not bad(results)
    assert {one.part for one in results} >= {Part.HOST, Part.PORT, Part.DEVICE, Part.SAFE}
    assert of(results, "arm", "identity").figures["servos"] == 6
    assert of(results, "arm", "read").figures["answered"] == 60
    assert of(results, "arm", "made safe").detail.startswith("torque off, 6 values read back")


def test_a_twin_moves_every_joint_and_keeps_its_range() -> None:
    results = check(RIG, move=True)
    assert not bad(results)
    assert of(results, "arm", "reachable").detail.startswith("6 joints")
    beyond = of(results, "arm", "out of range")
    assert beyond.state is State.OK
    assert "not reached: gripper was sent to" in beyond.detail


def test_a_simulated_rig_is_ready_and_moves() -> None:
    results = check("sim-so101", move=True)
    assert not bad(results)
    assert of(results, "arm", "read").figures["p99_us"] == 1500.0
    assert of(results, "arm", "reachable").state is State.OK


@pytest.mark.parametrize("name", [name for name in rig_files() if name.startswith("twin-")])
def test_every_twin_of_the_catalogue_is_ready(name: str) -> None:
    results = check(name)
    assert not bad(results, Part.PORT, Part.DEVICE, Part.SCENE, Part.STOP, Part.SAFE)
    assert {one.role for one in results if one.part is Part.SAFE} == {
        device.role for device in load_rig(name)[0].devices
    }


def test_a_silent_servo(monkeypatch: pytest.MonkeyPatch) -> None:
    with planted(monkeypatch, silent=[ELBOW_ID]) as results:
        opened = of(results, "arm", "opened")
        assert "no answer from servo 3 (elbow_flex)" in opened.detail
        assert "ids that answer on this bus: 1, 2, 4, 5, 6" in opened.remedy
        safe = of(results, "arm", "made safe")
        assert "torque_enable.elbow_flex no answer" in str(safe.figures) or safe.figures.get(
            "torque_enable.elbow_flex", 0
        ) not in (0, 1)
        assert "cut the power" in safe.remedy
        assert len(bad(results)) == 2
        assert_others_were_looked_at(results)


def test_a_servo_that_falls_silent_once_the_arm_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with planted(monkeypatch, after_open=True, silent=[ELBOW_ID]) as results:
        assert "no answer from elbow_flex" in of(results, "arm", "answers").detail
        absent = of(results, "arm", "absent")
        assert absent.detail == "no answer of elbow_flex in 60 of 60 reads"
        assert ELBOW in absent.remedy
        assert_others_were_looked_at(results)


def test_a_servo_that_sends_damaged_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with planted(monkeypatch, after_open=True, corrupt={ELBOW_ID: 10_000}) as results:
        faults = of(results, "arm", "faults")
        assert faults.state is State.BAD
        assert "checksum_errors" in faults.detail
        assert "lost_answers.elbow_flex" in faults.detail
        assert "cable" in faults.remedy
        assert_others_were_looked_at(results)


@pytest.mark.parametrize(("bit", "word"), [(OVERHEAT, "overheat"), (OVERLOAD, "overload")])
def test_a_servo_that_protects_itself(monkeypatch: pytest.MonkeyPatch, bit: int, word: str) -> None:
    with planted(monkeypatch, errors={ELBOW_ID: bit}) as results:
        (found,) = bad(results)
        assert found.name == "errors"
        assert found.detail == f"{ELBOW} {word}"
        assert "cycle the power" in found.remedy


def test_a_servo_that_is_slow_for_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {"delay_us": {ELBOW_ID: 8000}}
    with planted(monkeypatch, after_open=True, rate_hz=50.0, **faults) as results:
        read = of(results, "arm", "read")
        assert read.state is State.BAD
        assert read.figures["p50_us"] > 6000
        assert "sense budget of 6 ms" in read.detail
        assert "it waits for elbow_flex" in read.detail
        assert "see to that joint first" in read.remedy
        assert "Hz or less" in read.remedy
        assert_others_were_looked_at(results)


def chain(**odd: Table) -> ServoBus:
    """The servos of an SO-101, some of them with another control table."""
    arm = load_arm("so101")
    return ServoBus(
        {
            joint.name: Servo(
                odd.get(joint.name, arm.servo),
                Mounting(joint.id, joint.zero_count, joint.sign),
                BAUD,
                MotorModel(),
            )
            for joint in arm.joints
        }
    )


def with_defaults(table: Table, **defaults: int) -> Table:
    registers = {
        name: replace(register, default=defaults.get(name, register.default))
        for name, register in table.registers.items()
    }
    return replace(table, registers=registers)


def real_rig(folder: Path, address: str, baud: int = BAUD, link: str = "") -> str:
    """A rig file of kind "real" with the arm behind this device path."""
    path = folder / "bench.toml"
    path.write_text(
        f"""
        schema = 1
        name = "bench"
        title = "An arm on a port"
        kind = "real"

        [[devices]]
        role = "arm"
        driver = "feetech-arm"
        port = {{ url = "file://{address}" }}
        parameters = {{ model = "so101", baud = {baud} }}
        {link}

        [limits]
        step_rad = 0.12
        velocity_rad_s = 1.5
        """
    )
    return str(path)


def checked_chain(folder: Path, **odd: Table) -> Results:
    with pumped(chain(**odd)) as address:
        return check(real_rig(folder, address))


def test_another_model_on_the_bus(tmp_path: Path) -> None:
    results = checked_chain(tmp_path, elbow_flex=load_table("sts3250"))
    opened = of(results, "arm", "opened")
    assert opened.state is State.BAD
    assert "servo 3 (elbow_flex) is model 2825 and not 777 (sts3215)" in opened.detail
    assert "put the servos that the robot's file names on this bus" in opened.remedy


def test_mixed_firmware(tmp_path: Path) -> None:
    other = with_defaults(load_table("sts3215"), firmware_minor=9)
    results = checked_chain(tmp_path, elbow_flex=other)
    (found,) = bad(results, Part.DEVICE)
    assert "firmware differs" in found.detail
    assert "3.9 on servo 3 (elbow_flex)" in found.detail
    assert found.remedy


def test_a_high_return_delay(tmp_path: Path) -> None:
    slow = with_defaults(load_table("sts3215"), return_delay=250)
    results = checked_chain(tmp_path, elbow_flex=slow)
    (found,) = bad(results, Part.DEVICE)
    assert (found.name, found.detail) == ("return delay", "elbow_flex 500 us")
    assert "register 7" in found.remedy


def test_an_arm_at_another_baud_rate(tmp_path: Path) -> None:
    with pumped(chain()) as address:
        results = check(real_rig(tmp_path, address, baud=500_000))
    (found,) = bad(results, Part.DEVICE)
    assert found.name == "opened"
    assert "at 500000 baud" in found.detail
    assert all(joint.name in found.detail for joint in load_arm("so101").joints)
    assert "baud rate" in found.remedy
    assert "answer on this bus: none" in found.remedy


def test_a_port_that_another_process_has_open(tmp_path: Path) -> None:
    with pumped(chain()) as address, ExitStack() as stack:
        other = subprocess.Popen(
            [sys.executable, "-P", "-c", HOLD, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(other.wait, 10)
        assert other.stdin is not None
        assert other.stdout is not None
        stack.callback(other.stdout.close)
        stack.callback(other.stdin.close)
        assert other.stdout.readline() == "held\n"
        results = check(real_rig(tmp_path, address))
    (found,) = bad(results)
    assert f"{address} is in use by" in found.detail
    assert f"pid {other.pid} (" in found.detail
    assert "end it" in found.remedy
    assert of(results, "arm", "made safe").state is State.SKIPPED


@pytest.mark.parametrize("seen", ["by looking", "by trying"])
def test_a_port_that_the_user_may_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: str
) -> None:
    def refused(path: str, *_: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    with pumped(chain()) as address:
        if seen == "by looking":
            monkeypatch.setattr("hil.check.ports.os.access", lambda path, mode: path != address)
        else:
            monkeypatch.setattr("drivers.transport.posix.os.open", refused)
        results = check(real_rig(tmp_path, address))
        monkeypatch.undo()
    (found,) = bad(results)
    assert address in found.detail
    assert "group that owns the port" in found.remedy
    assert str(udev_rules()) in found.remedy


def test_a_port_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    text = rig_files()["so101"].read_text()
    path.write_text(text)
    results = check(str(path))
    for role in ("arm", "terminal"):
        assert "candidates" in of(results, role, "port").detail
        assert of(results, role, "made safe").state is State.SKIPPED


OVERDUE = """
[[calibrations]]
role = "arm"
quantity = "joint-zero"
date = 2024-03-01
due = 2025-03-01
certificate = "LAB-17"
"""


def test_an_overdue_calibration(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.write_text(rig_files()["sim-so101"].read_text() + OVERDUE)
    (found,) = bad(check(str(path)))
    assert found.part is Part.CALIBRATION
    assert "overdue since 2025-03-01, by 457 days; LAB-17" in found.detail
    assert "a certified run is void" in found.remedy


def test_a_line_that_is_slow_for_the_rate(tmp_path: Path) -> None:
    link = 'link = { faults = [{ kind = "delay", delay_ms = 8 }] }'
    with pumped(chain()) as address:
        results = check(real_rig(tmp_path, address, link=link), rate_hz=125.0)
    read = of(results, "arm", "read")
    assert read.state is State.BAD
    assert "of the period of 8 ms" in read.detail
    assert "latency timer" in read.remedy


def test_a_fault_that_the_rig_file_puts_into_the_link(tmp_path: Path) -> None:
    link = 'link = { faults = [{ kind = "corrupt", after_bytes = 4000, every = 2 }] }'
    with pumped(chain()) as address:
        results = check(real_rig(tmp_path, address, link=link))
    assert of(results, "arm", "faults").state is State.BAD
    assert of(results, "arm", "made safe").state is State.OK, "faults are taken out before"
