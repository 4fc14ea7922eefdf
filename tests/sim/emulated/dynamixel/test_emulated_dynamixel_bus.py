"""Several motors on one emulated bus: order, timing, faults, options."""

from __future__ import annotations

import pytest
from dynamixel_desk import Desk
from pydantic import ValidationError

from drivers.dynamixel import codec1
from drivers.dynamixel import instructions as ins
from drivers.dynamixel.codec2 import BROADCAST, STATUS, Decoder, HardwareError, Packet, encode
from drivers.dynamixel.fast import FastDecoder
from hil.errors import BadInput
from sim.emulated.dynamixel.bus import EMULATOR, BusOptions, build
from sim.twin.emulator import Hosted, JointEmulator

IDS = [1, 2, 3, 4, 5, 6]
POSITION, SIZE = 132, 4


@pytest.fixture
def desk() -> Desk:
    return Desk(robot="koch")


def positions(packets: list[Packet]) -> dict[int, int]:
    return {p.id: int.from_bytes(p.params, "little") for p in packets}


def test_it_is_what_the_twin_hosts() -> None:
    assert isinstance(EMULATOR, Hosted)
    bus = EMULATOR.build(EMULATOR.options.model_validate({"robot": "leap", "baud": 4_000_000}))
    assert isinstance(bus, JointEmulator)
    assert len(bus.joints) == 16


def test_sync_read_is_answered_in_the_order_asked(desk: Desk) -> None:
    found = desk.ask(ins.sync_read([3, 1, 2], POSITION, SIZE))
    assert [packet.id for packet in found] == [3, 1, 2]
    # 17 bytes of request, then 15 bytes of answer each, 10 us a byte
    assert desk.sent_ns == [170_000, 320_000, 470_000]


def test_return_delay_comes_before_every_answer() -> None:
    desk = Desk(robot="koch", return_delay_us=250)
    desk.ask(ins.sync_read([1, 2], POSITION, SIZE))
    assert desk.sent_ns == [160_000 + 250_000, 160_000 + 250_000 + 150_000 + 250_000]


def test_silent_motor_leaves_its_slot_empty(desk: Desk) -> None:
    desk.bus.control({"faults": {"silent": [2]}})
    found = desk.ask(ins.sync_read([1, 2, 3], POSITION, SIZE))
    assert [packet.id for packet in found] == [1, 3]
    assert desk.sent_ns[1] - desk.sent_ns[0] == 300_000


def test_motor_that_is_not_there_leaves_a_gap(desk: Desk) -> None:
    assert [p.id for p in desk.ask(ins.sync_read([1, 99, 3], POSITION, SIZE))] == [1, 3]


def test_bulk_read_gives_each_its_own(desk: Desk) -> None:
    found = desk.ask(ins.bulk_read([(1, 0, 2), (3, 6, 1)]))
    assert [(p.id, p.params) for p in found] == [(1, b"\x24\x04"), (3, b"\x2e")]


def test_fast_read_is_one_packet_of_all(desk: Desk) -> None:
    raw = desk.say(encode(ins.sync_read(IDS, POSITION, SIZE, fast=True)))
    assert len(desk.sent_ns) == 1
    assert [p.id for p in Decoder().feed(raw)] == [BROADCAST]
    found = FastDecoder([(servo, SIZE) for servo in IDS]).feed(raw)
    assert positions(found) == dict.fromkeys(IDS, 2048)
    raw = desk.say(encode(ins.bulk_read([(1, 0, 2), (3, 6, 1)], fast=True)))
    found = FastDecoder([(1, 2), (3, 1)]).feed(raw)
    assert [p.params for p in found] == [b"\x24\x04", b"\x2e"]


def test_fast_read_ends_at_the_first_who_is_silent(desk: Desk) -> None:
    desk.bus.control({"faults": {"silent": [3]}})
    raw = desk.say(encode(ins.sync_read(IDS, POSITION, SIZE, fast=True)))
    decoder = FastDecoder([(servo, SIZE) for servo in IDS])
    assert [p.id for p in decoder.feed(raw)] == [1, 2]
    assert not decoder.done
    desk.bus.control({"faults": {"silent": [1]}})
    assert desk.say(encode(ins.sync_read(IDS, POSITION, SIZE, fast=True))) == b""


def test_spoiled_block_of_a_fast_read_takes_the_rest_with_it(desk: Desk) -> None:
    desk.bus.control({"faults": {"corrupt": {"4": 1}}})
    raw = desk.say(encode(ins.sync_read(IDS, POSITION, SIZE, fast=True)))
    decoder = FastDecoder([(servo, SIZE) for servo in IDS])
    assert [p.id for p in decoder.feed(raw)] == [1, 2, 3]
    assert decoder.crc_errors == 1


def test_sync_and_bulk_write_reach_their_motors_and_nobody_answers(desk: Desk) -> None:
    assert desk.ask(ins.sync_write(65, {1: b"\x01", 3: b"\x01"})) == []
    assert desk.ask(ins.bulk_write([(2, 65, b"\x01"), (4, 98, b"\x05")])) == []
    led = desk.ask(ins.sync_read([1, 2, 3, 4], 65, 1))
    assert [p.params[0] for p in led] == [1, 1, 1, 0]


def test_faults_of_answers(desk: Desk) -> None:
    desk.bus.control(
        {
            "faults": {
                "corrupt": {"1": 1},
                "impostor": {"2": 9},
                "model_number": {"3": 1030},
                "hardware_error": {"4": 32},
                "delay_us": {"5": 700},
            }
        }
    )
    decoder = Decoder()
    decoder.feed(desk.say(encode(ins.ping(1))))
    assert decoder.crc_errors == 1
    assert desk.ask(ins.ping(1))[0].id == 1
    assert desk.ask(ins.ping(2))[0].id == 9
    assert desk.ask(ins.ping(3))[0].params[:2] == (1030).to_bytes(2, "little")
    assert desk.ask(ins.ping(4))[0].error == 0x80
    assert desk.ask(ins.read(4, 70, 1))[0].params == bytes((HardwareError.OVERLOAD,))
    desk.ask(ins.ping(5))
    assert desk.sent_ns == [100_000 + 700_000]


def test_flood_goes_on_until_it_is_stopped(desk: Desk) -> None:
    desk.bus.control({"faults": {"flood": 50_000}})
    for _ in range(5):
        desk.wait(2)
        assert len(desk.raw) == 50
    desk.bus.control({"faults": {}})
    assert desk.bus.due_ns() is None


def test_half_a_request_is_forgotten_after_a_while(desk: Desk) -> None:
    frame = encode(ins.ping(1))
    assert desk.say(frame[:6]) == b""
    desk.wait(100)
    assert [p.id for p in desk.ask(ins.ping(1))] == [1]
    assert desk.bus.status()["resync_bytes"] == 6


def test_torque_is_counted_and_its_end_stamped(desk: Desk) -> None:
    desk.ask(ins.sync_write(64, dict.fromkeys(IDS, b"\x01")))
    assert desk.bus.status()["torque_on"] == 6
    at_ns = desk.now_ns
    desk.ask(ins.sync_write(64, dict.fromkeys(IDS, b"\0")))
    assert (desk.bus.status()["torque_on"], desk.bus.status()["torque_off_ns"]) == (0, at_ns)


@pytest.mark.parametrize(
    "args",
    [
        {"nonsense": 1},
        {"faults": {"silent": [400]}},
        {"faults": {"loud": []}},
        {"power_cycle": [9]},
    ],
)
def test_control_that_is_none_is_refused(desk: Desk, args: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        desk.bus.control(args)


@pytest.mark.parametrize("options", [{}, {"robot": "koch", "motors": [{"model": "x", "id": 1}]}])
def test_options_need_exactly_one_way(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either robot or motors"):
        BusOptions.model_validate(options)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"robot": "kochs"}, "koch"),
        ({"robot": "koch", "baud": 9_601}, "57600"),
        ({"robot": "koch", "mode": 5}, "no operating mode 5"),
        ({"motors": [{"model": "xl330-m288", "id": 1}, {"model": "ax-12a", "id": 2}]}, "protocols"),
        ({"motors": [{"model": "xl330-m288", "id": 1}, {"model": "xl330-m288", "id": 1}]}, "two"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], part: str) -> None:
    with pytest.raises(BadInput, match=part):
        build(BusOptions.model_validate(options))


@pytest.fixture
def old() -> Desk:
    """Two motors of protocol 1."""
    motors = [{"model": "ax-12a", "id": 1, "zero_count": 512}, {"model": "mx-28", "id": 2}]
    return Desk(motors=motors)


def test_protocol_1_ping_read_write(old: Desk) -> None:
    assert old.ask1(codec1.Packet(1, codec1.PING)) == [codec1.Packet(1, 0)]
    assert [p.id for p in old.ask1(codec1.Packet(codec1.BROADCAST, codec1.PING))] == [1, 2]
    model = codec1.Packet(1, codec1.READ, b"\x00\x02")
    assert old.ask1(model) == [codec1.Packet(1, 0, b"\x0c\x00")]
    assert old.ask1(codec1.Packet(1, codec1.WRITE, b"\x19\x01")) == [codec1.Packet(1, 0)]
    led = codec1.Packet(1, codec1.READ, b"\x19\x01")
    assert old.ask1(led)[0].params == b"\x01"


@pytest.mark.parametrize(
    ("params", "error"),
    [
        (bytes((36, 1, 2)), codec1.ErrorBit.RANGE),  # read only
        (bytes((30, 1)), codec1.ErrorBit.RANGE),  # half a register
        (bytes((34, 0xFF, 0x0F)), codec1.ErrorBit.RANGE),
    ],
)
def test_protocol_1_writes_are_judged(old: Desk, params: bytes, error: int) -> None:
    assert old.ask1(codec1.Packet(1, codec1.WRITE, params)) == [codec1.Packet(1, error)]


def test_protocol_1_goal_outside_the_angle_limits(old: Desk) -> None:
    old.ask1(codec1.Packet(1, codec1.WRITE, bytes((8, 0xF4, 0x01))))  # at most 500
    goal = codec1.Packet(1, codec1.WRITE, bytes((30, 0xF5, 0x01)))
    assert old.ask1(goal)[0].code == codec1.ErrorBit.ANGLE_LIMIT
    assert old.ask1(codec1.Packet(1, 0x77))[0].code == codec1.ErrorBit.INSTRUCTION


def test_protocol_1_motor_moves_and_tells(old: Desk) -> None:
    goals = codec1.Packet(
        codec1.BROADCAST, codec1.SYNC_WRITE, bytes((30, 2, 1, 0x58, 0x02, 2, 0xB8, 0x0B))
    )
    assert old.ask1(goals) == []
    old.steps(2000)
    found = old.ask1(codec1.bulk_read([(1, 36, 2), (2, 36, 2)]))
    assert [int.from_bytes(p.params, "little") for p in found] == [600, 3000]
    assert old.bus.status()["torque_on"] == 2


def test_protocol_1_shutdown_takes_the_torque_limit(old: Desk) -> None:
    old.ask1(codec1.Packet(1, codec1.WRITE, b"\x18\x01"))
    old.bus.control({"faults": {"hardware_error": {"1": 32}}})
    answer = old.ask1(codec1.Packet(1, codec1.READ, b"\x22\x02"))[0]
    assert (answer.code, answer.params) == (codec1.ErrorBit.OVERLOAD, b"\0\0")
    old.steps(1)
    assert not old.drives[0].enabled
    old.bus.control({"faults": {}, "power_cycle": [1]})
    answer = old.ask1(codec1.Packet(1, codec1.READ, b"\x22\x02"))[0]
    assert (answer.code, answer.params) == (0, b"\xff\x03")


def test_protocol_1_registered_write_lock_and_level(old: Desk) -> None:
    old.ask1(codec1.Packet(1, codec1.REG_WRITE, b"\x19\x01"))
    assert old.ask1(codec1.Packet(1, codec1.READ, b"\x2c\x01"))[0].params == b"\x01"
    assert old.ask1(codec1.Packet(codec1.BROADCAST, codec1.ACTION)) == []
    assert old.ask1(codec1.Packet(1, codec1.READ, b"\x19\x01"))[0].params == b"\x01"
    old.ask1(codec1.Packet(1, codec1.WRITE, b"\x10\x01"))  # reads are answered, writes not
    assert old.ask1(codec1.Packet(1, codec1.WRITE, b"\x19\x00")) == []
    old.ask1(codec1.Packet(1, codec1.WRITE, b"\x2f\x01"))
    old.ask1(codec1.Packet(1, codec1.WRITE, b"\x10\x02"))
    assert old.ask1(codec1.Packet(1, codec1.READ, b"\x10\x01"))[0].params == b"\x01", "locked"


def test_status_packets_on_the_line_are_nobodys_instruction(desk: Desk) -> None:
    assert desk.ask(Packet(1, STATUS, b"\0\0")) == []
