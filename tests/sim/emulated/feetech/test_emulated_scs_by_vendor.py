"""A hand of emulated SCS servos driven by the vendor's own SDK, which shares no code with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import scservo_sdk
from pump import Pump, pumped

from sim.emulated.feetech.bus import BusOptions, build

OK = scservo_sdk.COMM_SUCCESS
TIMEOUT = scservo_sdk.COMM_RX_TIMEOUT
IDS = range(1, 9)
MODEL = 1284
PATIENCE_S = 10.0
LATENCY_MS = 300
"""What the SDK waits beyond the time on the wire: its own 50 ms are short for a busy host."""


@pytest.fixture
def line() -> Iterator[Pump]:
    pump = pumped(build(BusOptions(joints="amazing_hand")))
    with pump:
        yield pump


@pytest.fixture
def sdk(line: Pump, monkeypatch: pytest.MonkeyPatch) -> Iterator[scservo_sdk.scscl]:
    monkeypatch.setattr(scservo_sdk.port_handler, "LATENCY_TIMER", LATENCY_MS)
    port = scservo_sdk.PortHandler(line.path)
    assert port.openPort()
    yield scservo_sdk.scscl(port)
    port.closePort()


def until(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def test_every_servo_answers_a_ping_with_its_model(sdk: scservo_sdk.scscl) -> None:
    for servo in IDS:
        assert sdk.ping(servo) == (MODEL, OK, 0)
    assert sdk.ping(9)[1] == TIMEOUT


def test_a_servo_moves_and_is_read_back(sdk: scservo_sdk.scscl) -> None:
    """As in the vendor's examples: positions are written, and nobody switches the torque on."""
    assert sdk.ReadPos(1) == (511, OK, 0)
    assert sdk.read1ByteTxRx(1, scservo_sdk.SCSCL_TORQUE_ENABLE) == (0, OK, 0)
    assert sdk.WritePos(1, 811, 0, 1500) == (OK, 0)
    assert sdk.read1ByteTxRx(1, scservo_sdk.SCSCL_TORQUE_ENABLE) == (1, OK, 0)
    assert until(lambda: sdk.ReadPos(1)[0] == 811)
    assert until(lambda: sdk.ReadMoving(1)[0] == 0)
    assert sdk.ReadSpeed(1) == (0, OK, 0)


@pytest.mark.parametrize(("goal", "sign"), [(900, 1), (100, -1)])
def test_speed_and_its_sign_are_read_alike(sdk: scservo_sdk.scscl, goal: int, sign: int) -> None:
    assert sdk.WritePos(2, goal, 0, 150) == (OK, 0)
    assert until(lambda: abs(sdk.ReadSpeed(2)[0] - sign * 150) <= 2)
    position, speed, result, error = sdk.ReadPosSpeed(2)
    assert (result, error) == (OK, 0)
    assert abs(speed - sign * 150) <= 2
    assert 100 < position < 900


def test_a_move_by_time_is_under_way_for_that_time(sdk: scservo_sdk.scscl) -> None:
    began = time.monotonic()
    assert sdk.WritePos(3, 711, 400, 0) == (OK, 0)
    assert until(lambda: sdk.ReadPos(3)[0] == 711)
    assert time.monotonic() - began > 0.3, "no sooner than told; a busy host may be later"


def test_sync_write_moves_several_at_once(sdk: scservo_sdk.scscl) -> None:
    goals = {servo: 500 + 10 * servo for servo in IDS}
    for servo, goal in goals.items():
        assert sdk.SyncWritePos(servo, goal, 0, 1000)
    assert sdk.groupSyncWrite.txPacket() == OK
    sdk.groupSyncWrite.clearParam()
    assert until(lambda: [sdk.ReadPos(servo)[0] for servo in IDS] == list(goals.values()))


def test_registered_positions_wait_for_action(sdk: scservo_sdk.scscl) -> None:
    assert sdk.RegWritePos(4, 600, 0, 1000) == (OK, 0)
    assert sdk.read2ByteTxRx(4, scservo_sdk.SCSCL_GOAL_POSITION_L) == (0, OK, 0)
    assert sdk.RegAction() == OK
    assert until(lambda: sdk.ReadPos(4)[0] == 600)


def test_sync_read_is_unknown_to_the_series(sdk: scservo_sdk.scscl) -> None:
    group = scservo_sdk.GroupSyncRead(sdk, scservo_sdk.SCSCL_PRESENT_POSITION_L, 2)
    for servo in (1, 2):
        assert group.addParam(servo)
    assert group.txRxPacket() != OK
    assert sdk.ReadPos(1) == (511, OK, 0)


def test_the_lock_decides_what_survives_a_power_cycle(line: Pump, sdk: scservo_sdk.scscl) -> None:
    dead = scservo_sdk.SCSCL_CW_DEAD
    assert sdk.LockEprom(6) == (OK, 0)
    assert sdk.write1ByteTxRx(6, dead, 5) == (OK, 0)
    line.control({"power_cycle": [6]})
    assert sdk.read1ByteTxRx(6, dead) == (1, OK, 0)
    assert sdk.unLockEprom(6) == (OK, 0)
    assert sdk.write1ByteTxRx(6, dead, 5) == (OK, 0)
    line.control({"power_cycle": [6]})
    assert sdk.read1ByteTxRx(6, dead) == (5, OK, 0)


def test_motor_mode_of_the_vendor_leaves_the_twins_servo_unpowered(sdk: scservo_sdk.scscl) -> None:
    assert sdk.PWMMode(7) == (OK, 0)
    assert sdk.read4ByteTxRx(7, scservo_sdk.SCSCL_MIN_ANGLE_LIMIT_L) == (0, OK, 0)
    assert sdk.WritePWM(7, 500) == (OK, 0)
    assert sdk.ReadPos(7) == (511, OK, 0)


def test_faults_look_to_the_sdk_as_faults_of_a_bus(line: Pump, sdk: scservo_sdk.scscl) -> None:
    line.control({"faults": {"silent": [2], "corrupt": {"3": 1}, "errors": {"4": 33}}})
    assert sdk.ReadPos(2)[1] == TIMEOUT
    assert sdk.ReadPos(3)[1] == scservo_sdk.COMM_RX_CORRUPT
    assert sdk.ReadPos(3)[1] == OK
    assert sdk.ReadPos(4)[1:] == (OK, 33)
    line.control({"faults": {}})
    assert sdk.ReadPos(2) == (511, OK, 0)


@pytest.mark.parametrize(
    ("code", "rate"),
    [
        (scservo_sdk.SCSCL_0_5M, 500_000),
        (scservo_sdk.SCSCL_115200, 115_200),
        (scservo_sdk.SCSCL_57600, 57_600),
        (scservo_sdk.SCSCL_38400, 38_400),
    ],
)
def test_id_and_rate_can_be_changed_by_the_vendors_codes(
    sdk: scservo_sdk.scscl, code: int, rate: int
) -> None:
    assert sdk.write1ByteTxRx(8, scservo_sdk.scs_id, 18) == (OK, 0)
    assert sdk.ping(8)[1] == TIMEOUT
    assert sdk.write1ByteTxRx(18, scservo_sdk.SCSCL_BAUD_RATE, code) == (OK, 0)
    assert sdk.ping(18)[1] == TIMEOUT
    assert sdk.portHandler.setBaudRate(rate)
    assert sdk.ping(18) == (MODEL, OK, 0)
    assert sdk.ping(1)[1] == TIMEOUT
