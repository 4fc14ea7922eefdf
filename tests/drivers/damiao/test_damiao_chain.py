"""A chain of motors as a device, over a real pseudo-terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damiao_chains import emulated, soon, spec
from pump import Pump

from drivers.damiao.chain import DamiaoChain, build
from drivers.damiao.codec import from_code
from hil.clock import VirtualClock, WallClock
from hil.contracts import BenchContext, Finding, Joints, Rescue, SelfWatching
from hil.errors import BadInput, DeviceFault, HarnessError

STEP = 2 * 12.5 / 65535
TARGET = np.array([0.5, 0.6, 0.7, 0.8, 0.5, 0.4, 0.3, -0.5])


def motor(pump: Pump, number: int):  # type: ignore[no-untyped-def]
    return pump._emulator.motors[number - 1]  # type: ignore[attr-defined]


def register(pump: Pump, number: int, name: str) -> float:
    return motor(pump, number)._memory.get(name)


def set_register(pump: Pump, number: int, name: str, value: float) -> None:
    motor(pump, number)._memory.put(name, value)


def named(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def drive_to(chain: DamiaoChain, target: np.ndarray, ticks: int = 200) -> np.ndarray:
    position = chain.read(soon()).position
    for _ in range(ticks):
        if np.abs(position - target).max() < 3 * STEP:
            return position
        chain.command(target, soon())
        position = chain.read(soon()).position
    return position


def test_it_is_joints_that_watch_themselves_and_can_be_rescued(chain: DamiaoChain) -> None:
    assert isinstance(chain, Joints)
    assert isinstance(chain, SelfWatching)
    assert isinstance(chain, Rescue)
    assert chain.names[0] == "joint_1"
    assert chain.names[-1] == "gripper"


def test_read_gives_si_units_and_ages(chain: DamiaoChain) -> None:
    sample = chain.read(soon())
    assert sample.present.all()
    assert sample.position == pytest.approx(np.zeros(8), abs=STEP)
    assert (sample.age_ns > 0).all()
    assert (sample.age_ns < 3e9).all()
    assert (np.abs(sample.effort) <= 1).all()


def test_joints_go_where_they_are_told(chain: DamiaoChain) -> None:
    chain.enable(soon())
    assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)


def test_command_says_what_is_on_the_wire(chain: DamiaoChain, pump: Pump) -> None:
    applied = chain.command(TARGET, soon())
    chain.read(soon())
    codes = [
        int(line[5:9], 16)
        for line in bytes(pump.received).decode().split("\r")
        if line[:1] == "t" and line[1:4] != "7FF"
    ][-8:]
    assert applied == pytest.approx([from_code(code, -12.5, 12.5, 16) for code in codes])
    assert (np.abs(applied - TARGET) < STEP).all()
    assert (applied <= TARGET).all(), "cut off, as the motors' own code does"


def test_target_held_at_what_was_applied_does_not_creep(chain: DamiaoChain) -> None:
    applied = chain.command(TARGET, soon())
    for _ in range(50):
        again = chain.command(applied, soon())
        assert (again == applied).all()


@pytest.mark.parametrize("side", [-1, 1])
def test_command_is_clipped_to_the_limits(chain: DamiaoChain, side: int) -> None:
    applied = chain.command(np.full(8, 20.0 * side), soon())
    limits = chain.limits
    assert applied == pytest.approx(limits.upper if side > 0 else limits.lower, abs=1e-9)
    table = chain._robot.limits
    assert (limits.lower >= table.lower).all()
    assert (limits.upper <= table.upper).all()
    assert (limits.lower - table.lower < STEP).all()


def test_gains_are_those_of_the_table_or_of_the_rig_file(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    chain = chain_with(joints={"joint_1": {"kp": 100.0, "kd": 2.0}})
    chain.open(soon())
    chain.enable(soon())
    chain.read(soon())
    assert motor(pump, 1)._command.kp == pytest.approx(100.0, abs=500 / 4095)
    assert motor(pump, 1)._command.kd == pytest.approx(2.0, abs=5 / 4095)
    assert motor(pump, 5)._command.kp == pytest.approx(24.0, abs=500 / 4095)


def test_sign_and_offset_of_one_specimen(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    chain = chain_with(joints={"joint_5": {"sign": -1, "offset": 0.5}})
    chain.open(soon())
    assert chain.read(soon()).position[4] == pytest.approx(0.5, abs=STEP)
    chain.enable(soon())
    target = np.zeros(8)
    target[4] = 0.2
    drive_to(chain, target)
    assert motor(pump, 5)._position() == pytest.approx(0.3, abs=3 * STEP)


def test_ranges_of_the_motor_win_over_the_table(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    """Half the range: whoever goes by the table takes twice the angle."""
    set_register(pump, 5, "position_range", 6.25)
    set_register(pump, 5, "torque_range", 7.0)
    chain = chain_with()
    chain.open(soon())
    chain.enable(soon())
    assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)
    assert motor(pump, 5)._body.position == pytest.approx(TARGET[4], abs=3 * STEP)
    finding = named(list(chain.health(soon())))["ranges"]
    assert not finding.ok
    assert "joint_5 6.25 rad" in finding.detail
    assert "own ranges are used" in finding.remedy


def test_joint_out_of_its_motors_reach_is_refused(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    with pytest.raises(BadInput, match="joint_5") as caught:
        chain_with(joints={"joint_5": {"offset": 50.0}}).open(soon())
    assert "within 12.5 rad" in str(caught.value)


@pytest.mark.parametrize("target", [np.zeros(7), np.array([0, 0, np.nan, 0, 0, 0, 0, 0])])
def test_target_that_is_none_is_refused(chain: DamiaoChain, pump: Pump, target: np.ndarray) -> None:
    before = len(pump.received)
    with pytest.raises(HarnessError, match="targets"):
        chain.command(target, soon())
    assert len(pump.received) == before


def test_open_changes_nothing(chain: DamiaoChain, pump: Pump) -> None:
    status = pump.status()
    assert (status["torque_on"], status["stores"]) == (0, 0)
    kinds = {line[:1] for line in bytes(pump.received).decode().split("\r") if line}
    assert kinds == {"C", "V", "S", "O", "t"}
    written = [line for line in bytes(pump.received).decode().split("\r") if line[9:11] == "55"]
    assert written == []


def test_open_names_everything_that_is_wrong_at_once(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    pump.control({"faults": {"silent": [2, 5]}})
    set_register(pump, 3, "control_mode", 2)
    set_register(pump, 4, "velocity_range", -8.0)
    with pytest.raises(DeviceFault) as caught:
        chain_with().open(soon())
    message = str(caught.value)
    for part in (
        "no answer from motor 2 (joint_2)",
        "no answer from motor 5 (joint_5)",
        "motor 3 (joint_3) is in mode 2 and not in MIT mode",
        "motor 4 (joint_4) has no usable ranges",
        "ids that answer on this bus: 1 (master id 0x11), 3 (master id 0x13)",
    ):
        assert part in message
    set_register(pump, 3, "control_mode", 1)
    set_register(pump, 4, "velocity_range", 8.0)
    pump.control({"faults": {}})
    chain_with().open(soon())  # the port was released


def test_enable_holds_where_it_is(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    drive_to(chain, TARGET)
    chain.make_safe(soon())
    chain.enable(soon())
    assert pump.status()["torque_on"] == 8
    for _ in range(5):
        assert chain.read(soon()).position == pytest.approx(TARGET, abs=4 * STEP)


def test_joint_outside_its_range_does_not_jump_when_it_is_energised(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    """The motor reads 0 where the joint, by its offset, is far above its range."""
    chain = chain_with(joints={"joint_2": {"offset": -3.0}})
    chain.open(soon())
    chain.enable(soon())
    for _ in range(5):
        assert chain.read(soon()).position[1] == pytest.approx(3.0, abs=2 * STEP)
    assert chain.command(np.zeros(8), soon())[1] == pytest.approx(0.0, abs=STEP)


def test_enable_with_a_silent_joint_energises_nothing(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"silent": [8]}})
    with pytest.raises(DeviceFault, match="no answer from gripper"):
        chain.enable(soon())
    assert pump.status()["torque_on"] == 0


def test_enable_does_not_clear_a_fault_but_lost_comm(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {3: 0xB}}})
    with pytest.raises(DeviceFault, match=r"joint_3 \(mos overheat\)"):
        chain.enable(soon())
    assert pump.status()["torque_on"] == 0


def test_motor_that_does_not_come_on_is_named(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {3: 0}}})
    with pytest.raises(DeviceFault, match=r"not on: joint_3 \(off\)"):
        chain.enable(soon())


def test_time_out_is_armed_and_read_back(chain: DamiaoChain, pump: Pump) -> None:
    assert chain.arm_watchdog(0.5, soon()) == pytest.approx(0.5)
    assert [register(pump, n, "can_timeout") for n in range(1, 9)] == [10_000] * 8
    assert chain.arm_watchdog(0.12344, soon()) == pytest.approx(0.12345)


@pytest.mark.parametrize("timeout_s", [0.0, 1e-6])
def test_time_out_that_would_be_none_is_refused(
    chain: DamiaoChain, pump: Pump, timeout_s: float
) -> None:
    with pytest.raises(HarnessError, match="would be none"):
        chain.arm_watchdog(timeout_s, soon())
    assert register(pump, 1, "can_timeout") == 0


def test_motor_that_does_not_take_the_time_out_is_named(
    chain: DamiaoChain, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motor(pump, 4)._memory, "write", lambda number, value: None)
    with pytest.raises(DeviceFault, match="joint_4"):
        chain.arm_watchdog(0.5, soon())


def test_make_safe_is_proved_by_reading_back(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    for _ in range(2):
        proof = chain.make_safe(soon())
        assert proof.safe
        assert proof.state == "motors off"
        assert proof.readings == {f"status.{name}": "off" for name in chain.names}
        assert proof.proved_ns >= proof.started_ns
    assert pump.status()["torque_on"] == 0


def test_motor_that_stays_on_is_not_safe(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.control({"faults": {"status": {3: 1}}})
    proof = chain.make_safe(soon())
    assert not proof.safe
    assert proof.readings["status.joint_3"] == "on"
    assert proof.readings["status.joint_4"] == "off"


def test_status_without_a_name_proves_nothing(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {3: 5}}})
    proof = chain.make_safe(soon())
    assert not proof.safe
    assert proof.readings["status.joint_3"] == "status 5"


def test_motor_that_switched_itself_off_is_safe(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {3: 0xC}}})
    proof = chain.make_safe(soon())
    assert proof.safe
    assert proof.readings["status.joint_3"] == "rotor overheat"


def test_motor_that_cannot_be_read_is_not_safe(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.control({"faults": {"silent": [2]}})
    proof = chain.make_safe(soon(500))
    assert not proof.safe
    assert proof.readings["status.joint_2"] == "no answer"
    assert pump.status()["torque_on"] == 0, "it was told nevertheless"


def test_stop_leaves_even_after_the_deadline(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    assert not chain.make_safe(soon(0)).safe, "nothing was read in no time"
    limit = soon()
    while pump.status()["torque_on"] and not limit.expired:
        chain.read(soon(20))  # reads energise nothing and switch nothing off
    assert pump.status()["torque_on"] == 0


def test_identity(chain: DamiaoChain, pump: Pump) -> None:
    found = chain.identity(soon())
    assert (found.model, found.firmware) == ("openarm-right", "1.1")
    assert found.detail["motors"] == 8
    assert found.detail["motor.joint_1"] == "dm8009"
    assert found.detail["adapter"] == "slcan 1013"
    pump.control({"faults": {"silent": [6]}})
    with pytest.raises(DeviceFault, match="joint_6"):
        chain.identity(soon())


def test_health_of_a_good_chain(chain: DamiaoChain) -> None:
    found = named(list(chain.health(soon())))
    assert all(finding.ok for finding in found.values())
    assert found["answers"].detail == "all 8 motors answer"
    assert found["status"].detail == "off"
    assert "none until a run arms it" in found["can time-out"].detail
    chain.arm_watchdog(0.25, soon())
    assert named(list(chain.health(soon())))["can time-out"].detail == "250..250 ms"


def test_health_finds_what_a_motor_reports(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {4: 0xE}}})
    found = named(list(chain.health(soon())))["status"]
    assert (found.ok, found.detail) == (False, "joint_4 overload")
    assert found.remedy


def test_health_finds_heat_and_mixed_firmware(chain: DamiaoChain, pump: Pump) -> None:
    motor(pump, 6)._rotor = 99.6
    set_register(pump, 6, "sub_version", 9)
    found = named(list(chain.health(soon())))
    assert [name for name, each in found.items() if not each.ok] == ["temperature", "firmware"]
    assert "joint_6 100 degC" in found["temperature"].detail
    assert "dm4310 1.9 (joint_6)" in found["firmware"].detail


def test_health_names_silent_motors(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"silent": [1]}})
    answers = named(list(chain.health(soon())))["answers"]
    assert (answers.ok, "joint_1" in answers.detail) == (False, True)
    pump.control({"faults": {"silent": list(range(1, 9))}})
    assert not named(list(chain.health(soon())))["answers"].ok


@pytest.mark.parametrize(("timer_ms", "ok"), [(16, False), (1, True)])
def test_health_tells_of_a_slow_adapter(
    chain: DamiaoChain, monkeypatch: pytest.MonkeyPatch, timer_ms: int, ok: bool
) -> None:
    monkeypatch.setattr("drivers.transport.latency.latency_timer_ms", lambda *_: timer_ms)
    found = named(list(chain.health(soon())))["usb latency"]
    assert found.ok is ok
    assert bool(found.remedy) is not ok


def test_chain_that_is_not_open(chain_with: Callable[..., DamiaoChain]) -> None:
    chain = chain_with()
    assert chain.counters() == {}
    assert not chain.make_safe(soon()).safe
    with pytest.raises(HarnessError, match="not open"):
        chain.read(soon())


def test_chain_that_is_open_already(chain: DamiaoChain) -> None:
    with pytest.raises(HarnessError, match="open already"):
        chain.open(soon())


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ({"robot": "openarm-middle"}, "openarm-right"),
        ({"adaptor": "slcan"}, "parameters.adaptor"),
        ({"adapter": "usb"}, "parameters.adapter"),
        ({"answer_timeout_ms": 0}, "parameters.answer_timeout_ms"),
        ({"joints": {"elbow": {"sign": 1}}}, "joint_1"),
        ({"joints": {"joint_1": {"kp": 501}}}, "parameters.joints.joint_1.kp"),
    ],
)
def test_bad_parameters_are_named(parameters: dict, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        build(spec("/dev/null", **parameters), BenchContext(WallClock()))
    assert part in str(caught.value)


def test_chain_without_a_port_is_refused() -> None:
    with pytest.raises(BadInput, match="port"):
        build(spec(""), BenchContext(WallClock()))


def test_rate_that_slcan_lacks_is_named(pump: Pump) -> None:
    chain = build(spec(pump.path, bit_rate=123), BenchContext(WallClock()))
    with pytest.raises(BadInput, match="bit_rate = 123"):
        chain.open(soon())


def test_virtual_clock_is_refused(pump: Pump) -> None:
    chain = build(spec(pump.path), BenchContext(VirtualClock()))
    with pytest.raises(BadInput, match="wall clock"):
        chain.open(soon())


@pytest.mark.parametrize("options", [{"acks": "cr"}, {"acks": "none"}])
def test_other_adapters(options: dict) -> None:
    with emulated(**options) as path:
        chain = build(spec(path), BenchContext(WallClock()))
        chain.open(soon())
        chain.enable(soon())
        assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)
        assert chain.make_safe(soon()).safe
        chain.close()


def test_motors_on_a_fd_bus() -> None:
    with emulated(data_bit_rate=5_000_000) as path:
        chain = build(spec(path, data_bit_rate=5_000_000), BenchContext(WallClock()))
        chain.open(soon())
        chain.enable(soon())
        assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)
        assert chain.make_safe(soon()).safe
        chain.close()


def test_motors_behind_the_makers_bridge() -> None:
    line = emulated(adapter="damiao-bridge")
    with line as path:
        chain = build(spec(path, adapter="damiao-bridge"), BenchContext(WallClock()))
        chain.open(soon())
        chain.enable(soon())
        assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)
        line.control({"faults": {"corrupt": 1}})
        assert chain.read(soon()).present.sum() == 7
        line.control({"faults": {"naks": 1}})
        assert chain.read(soon()).present.sum() == 7
        assert chain.counters()["send_failed"] == 1
        assert not named(list(chain.health(soon())))["can channel"].ok
        assert chain.make_safe(soon()).safe
        chain.close()
        assert (
            build(spec(path, adapter="damiao-bridge"), BenchContext(WallClock()))
            .rescue(soon())
            .safe
        )


def test_bridge_has_no_fd(pump: Pump) -> None:
    parameters = {"adapter": "damiao-bridge", "data_bit_rate": 5_000_000}
    chain = build(spec(pump.path, **parameters), BenchContext(WallClock()))
    with pytest.raises(BadInput, match="no FD frames"):
        chain.open(soon())


def test_robot_file_beside_the_rig(pump: Pump, tmp_path: Path) -> None:
    (tmp_path / "pair.toml").write_text(
        'model = "pair"\njoints = [{ name = "a", motor = "dm8009", id = 1, master_id = 17,'
        " lower = -1.0, upper = 1.0, velocity = 5.0, kp = 20.0, kd = 1.0 }]\n",
        encoding="utf-8",
    )
    given = spec(pump.path, robot="pair.toml")
    chain = build(
        type(given)(given.role, given.driver, given.address, given.parameters, tmp_path),
        BenchContext(WallClock()),
    )
    chain.open(soon())
    assert chain.names == ("a",)
    assert chain.read(soon()).present.all()
    chain.close()
