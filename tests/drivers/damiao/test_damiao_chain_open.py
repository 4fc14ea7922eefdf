"""Opening a chain of motors over a real pseudo-terminal: what is refused, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from damiao_chains import set_register, soon, spec
from pump import Pump

from drivers.damiao.chain import DamiaoChain, build
from hil.clock import VirtualClock, WallClock
from hil.contracts import BenchContext, Joints, Rescue, SelfWatching
from hil.errors import BadInput, DeviceFault, HarnessError


def test_it_is_joints_that_watch_themselves_and_can_be_rescued(chain: DamiaoChain) -> None:
    assert isinstance(chain, Joints)
    assert isinstance(chain, SelfWatching)
    assert isinstance(chain, Rescue)
    assert chain.names[0] == "joint_1"
    assert chain.names[-1] == "gripper"


def test_joint_out_of_its_motors_reach_is_refused(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    with pytest.raises(BadInput, match="joint_5") as caught:
        chain_with(joints={"joint_5": {"offset": 50.0}}).open(soon())
    assert "within 12.5 rad" in str(caught.value)


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


def test_identity(chain: DamiaoChain, pump: Pump) -> None:
    found = chain.identity(soon())
    assert (found.model, found.firmware) == ("openarm-right", "1.1")
    assert found.detail["motors"] == 8
    assert found.detail["motor.joint_1"] == "dm8009"
    assert found.detail["adapter"] == "slcan 1013"
    pump.control({"faults": {"silent": [6]}})
    with pytest.raises(DeviceFault, match="joint_6"):
        chain.identity(soon())


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


def test_bridge_has_no_fd(pump: Pump) -> None:
    parameters = {"adapter": "damiao-bridge", "data_bit_rate": 5_000_000}
    chain = build(spec(pump.path, **parameters), BenchContext(WallClock()))
    with pytest.raises(BadInput, match="no FD frames"):
        chain.open(soon())


def test_virtual_clock_is_refused(pump: Pump) -> None:
    chain = build(spec(pump.path), BenchContext(VirtualClock()))
    with pytest.raises(BadInput, match="wall clock"):
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
