"""The twin's servo bus driven by the vendor's own SDK, which shares no code with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import scservo_sdk

from hil.clock import Deadline
from sim.twin.launch import ProcessTwin
from sim.twin.scene import PlantScene

Within = Callable[[float], Deadline]
OK = scservo_sdk.COMM_SUCCESS
PATIENCE_S = 10.0


@pytest.fixture
def sdk(running_twin: ProcessTwin) -> Iterator[scservo_sdk.sms_sts]:
    port = scservo_sdk.PortHandler(running_twin.ports["servo-bus"])
    assert port.openPort()
    handler = scservo_sdk.sms_sts(port)
    yield handler
    for servo_id in range(1, 7):
        handler.write1ByteTxRx(servo_id, 40, 0)
    port.closePort()


def until(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def test_every_servo_answers_a_ping_with_its_model(sdk: scservo_sdk.sms_sts) -> None:
    for servo_id in range(1, 7):
        assert sdk.ping(servo_id) == (777, OK, 0)
    assert sdk.ping(7)[1] == scservo_sdk.COMM_RX_TIMEOUT


def test_a_joint_moves_and_is_read_back(sdk: scservo_sdk.sms_sts) -> None:
    start, result, error = sdk.ReadPos(1)
    assert (result, error) == (OK, 0)
    goal = start + 300
    assert sdk.write1ByteTxRx(1, 40, 1) == (OK, 0)
    assert sdk.WritePosEx(1, goal, 1500, 50) == (OK, 0)
    assert until(lambda: abs(sdk.ReadPos(1)[0] - goal) <= 8)
    assert until(lambda: sdk.ReadMoving(1)[0] == 0)
    speed, result, error = sdk.ReadSpeed(1)
    assert (result, error) == (OK, 0)
    assert abs(speed) <= 10


def test_sync_write_moves_and_sync_read_sees_it(sdk: scservo_sdk.sms_sts) -> None:
    starts = {servo_id: sdk.ReadPos(servo_id)[0] for servo_id in (1, 5)}
    for servo_id, start in starts.items():
        assert sdk.write1ByteTxRx(servo_id, 40, 1) == (OK, 0)
        assert sdk.SyncWritePosEx(servo_id, start - 150, 1500, 0)
    assert sdk.groupSyncWrite.txPacket() == OK
    sdk.groupSyncWrite.clearParam()
    group = scservo_sdk.GroupSyncRead(sdk, 56, 4)
    for servo_id in starts:
        assert group.addParam(servo_id)

    def arrived() -> bool:
        return group.txRxPacket() == OK and all(
            group.isAvailable(servo_id, 56, 2)[0]
            and abs(group.getData(servo_id, 56, 2) - (start - 150)) <= 8
            for servo_id, start in starts.items()
        )

    assert until(arrived)


def test_registered_writes_wait_for_action(sdk: scservo_sdk.sms_sts) -> None:
    assert sdk.regWriteTxRx(4, 41, 1, [33]) == (OK, 0)
    assert sdk.read1ByteTxRx(4, 41) == (0, OK, 0)
    assert sdk.RegAction() == OK
    assert sdk.read1ByteTxRx(4, 41) == (33, OK, 0)
    assert sdk.write1ByteTxRx(4, 41, 0) == (OK, 0)


def test_a_goal_energises_a_limp_joint_as_in_the_vendors_examples(
    sdk: scservo_sdk.sms_sts,
) -> None:
    """They write positions and never switch the torque on."""
    assert sdk.write1ByteTxRx(1, 40, 0) == (OK, 0)
    goal = sdk.ReadPos(1)[0] + 300
    assert sdk.read1ByteTxRx(1, 40) == (0, OK, 0)
    assert sdk.WritePosEx(1, goal, 1500, 0) == (OK, 0)
    assert sdk.read1ByteTxRx(1, 40) == (1, OK, 0)
    assert until(lambda: abs(sdk.ReadPos(1)[0] - goal) <= 8)


def test_the_lock_decides_what_survives_a_power_cycle(
    sdk: scservo_sdk.sms_sts, scene: PlantScene, within: Within
) -> None:
    assert sdk.LockEprom(6) == (OK, 0)
    assert sdk.write1ByteTxRx(6, 21, 40) == (OK, 0)
    scene.power_cycle([6], within(5))
    assert sdk.read1ByteTxRx(6, 21) == (32, OK, 0)
    assert sdk.unLockEprom(6) == (OK, 0)
    assert sdk.write1ByteTxRx(6, 21, 40) == (OK, 0)
    scene.power_cycle([6], within(5))
    assert sdk.read1ByteTxRx(6, 21) == (40, OK, 0)
    assert sdk.unLockEprom(6) == (OK, 0)
    assert sdk.write1ByteTxRx(6, 21, 32) == (OK, 0)


def test_faults_look_to_the_sdk_as_faults_of_a_bus(
    sdk: scservo_sdk.sms_sts, scene: PlantScene, within: Within
) -> None:
    scene.fault(within(5), silent=[2], corrupt={3: 1}, errors={4: 32})
    assert sdk.ReadPos(2)[1] == scservo_sdk.COMM_RX_TIMEOUT
    assert sdk.ReadPos(3)[1] == scservo_sdk.COMM_RX_CORRUPT
    assert sdk.ReadPos(3)[1] == OK
    assert sdk.ReadPos(4)[1:] == (OK, 32)
    scene.fault(within(5))
    assert sdk.ReadPos(2)[1:] == (OK, 0)


def test_id_and_baud_rate_can_be_changed_and_changed_back(
    sdk: scservo_sdk.sms_sts,
) -> None:
    assert sdk.write1ByteTxRx(6, 5, 16) == (OK, 0)
    assert sdk.ping(6)[1] == scservo_sdk.COMM_RX_TIMEOUT
    assert sdk.ping(16) == (777, OK, 0)
    assert sdk.write1ByteTxRx(16, 6, 4) == (OK, 0)
    assert sdk.ping(16)[1] == scservo_sdk.COMM_RX_TIMEOUT
    assert sdk.portHandler.setBaudRate(115_200)
    assert sdk.ping(16) == (777, OK, 0)
    assert sdk.ping(1)[1] == scservo_sdk.COMM_RX_TIMEOUT
    assert sdk.write1ByteTxRx(16, 6, 0) == (OK, 0)
    assert sdk.portHandler.setBaudRate(1_000_000)
    assert sdk.write1ByteTxRx(16, 5, 6) == (OK, 0)
    assert sdk.ping(6) == (777, OK, 0)
