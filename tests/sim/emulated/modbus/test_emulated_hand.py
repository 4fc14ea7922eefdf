"""The emulated hand on stamps alone."""

from __future__ import annotations

import pytest

from drivers.modbus import eb90
from drivers.modbus.eb90 import FROM_HAND, READ, WRITE, Decoder, Packet
from drivers.modbus.hand_table import load_hand
from hil.errors import BadInput
from sim.emulated.inspire import EMULATOR, Eb90Server, HandBank
from sim.emulated.inspire_hand import Hand
from sim.twin.pacing import wire_ns

S, MS = 1_000_000_000, 1_000_000
TABLE = load_hand("rh56dfx")
AT = TABLE.registers
INDEX = 3


class Bench:
    """A hand as Modbus sees it, and the time on its clock."""

    def __init__(self, refresh_ms: float = 31.0) -> None:
        self.hand = Hand(TABLE, refresh_ms)
        self.bank = HandBank(self.hand)
        self.now_ns = 50 * S
        self.hand.advance(self.now_ns)

    def words(self, address: int, count: int = 6) -> list[int]:
        found = self.bank.read("holding", address, count)
        assert isinstance(found, list)
        return found

    def send(self, *targets: int) -> None:
        words = [target & 0xFFFF for target in targets]
        assert self.bank.write("holding", AT.angle_set, words) is None

    def run(self, duration_ns: int) -> None:
        end_ns = self.now_ns + duration_ns
        while self.now_ns < end_ns:
            due_ns = self.hand.due_ns()
            self.now_ns = end_ns if due_ns is None else min(end_ns, due_ns)
            self.hand.advance(self.now_ns)


def test_new_hand_is_open_and_rests() -> None:
    bench = Bench()
    assert bench.words(AT.angle_act) == [1000] * 6
    assert bench.words(AT.status, 3) == [0x0202] * 3
    assert bench.words(AT.temperature, 3) == [0x2020] * 3
    assert bench.hand.due_ns() is None


def test_whole_way_takes_as_long_as_the_manual_says() -> None:
    bench = Bench(refresh_ms=1)
    bench.send(0, 0, 0, 0, 0, 0)
    bench.run(400 * MS)
    assert bench.words(AT.angle_act) == pytest.approx([500] * 6, abs=15)
    assert bench.words(AT.status, 3) == [0x0101] * 3
    bench.run(450 * MS)
    assert bench.words(AT.angle_act) == [0] * 6
    assert bench.words(AT.status, 3) == [0x0202] * 3


def test_registers_are_as_old_as_the_last_refresh() -> None:
    bench = Bench()
    bench.run(15 * MS)
    bench.send(0, 0, 0, 0, 0, 0)
    bench.run(10 * MS)
    assert bench.words(AT.angle_act) == [1000] * 6
    bench.run(40 * MS)
    assert max(bench.words(AT.angle_act)) < 1000


def test_no_action_leaves_a_finger_alone() -> None:
    bench = Bench(refresh_ms=1)
    bench.send(-1, -1, 500, -1, -1, -1)
    bench.run(S)
    assert bench.words(AT.angle_act) == [1000, 1000, 500, 1000, 1000, 1000]
    assert bench.words(AT.angle_set)[:3] == [0xFFFF, 0xFFFF, 500]


def test_object_stops_a_finger_at_its_threshold() -> None:
    bench = Bench(refresh_ms=1)
    bench.hand.control({"objects": {"index": 600}})
    assert bench.bank.write("holding", AT.force_set + 2 * INDEX, [480]) is None
    bench.send(0, 0, 0, 0, 0, 0)
    bench.run(S)
    assert bench.words(AT.force_act)[INDEX] == 480
    assert bench.words(AT.angle_act)[INDEX] == 560
    assert bench.words(AT.status, 3)[1] & 0xFF == 3  # low byte: the second of a pair
    assert bench.words(AT.current)[INDEX] > bench.words(AT.current)[0]
    bench.hand.control({"objects": {}})
    bench.run(S)
    assert bench.words(AT.angle_act)[INDEX] == 0


def test_errors_block_and_are_cleared_but_for_heat() -> None:
    bench = Bench(refresh_ms=1)
    bench.hand.control({"errors": {"index": 0b011}, "temperature_c": {"index": 70}})
    bench.send(0, 0, 0, 0, 0, 0)
    bench.run(S)
    assert bench.words(AT.angle_act)[INDEX] == 1000
    assert bench.words(AT.error, 3)[1] == 0b011
    assert bench.words(AT.status, 3)[1] & 0xFF == 7
    assert bench.words(AT.temperature, 3)[1] & 0xFF == 70
    assert bench.bank.write("holding", AT.clear_error, [1]) is None
    bench.run(5 * MS)
    assert bench.words(AT.error, 3)[1] == 0b010


def test_groups_have_ends() -> None:
    bench = Bench()
    for address, count in ((AT.angle_act, 7), (AT.angle_act - 2, 1), (4000, 1)):
        assert bench.bank.read("holding", address, count) == 2
    assert bench.bank.read("coil", AT.angle_act, 1) == 2
    assert bench.bank.write("holding", AT.angle_act, [0]) == 2
    assert bench.bank.write("holding", AT.angle_set + 1, [0]) == 2
    assert bench.bank.write("holding", AT.angle_set + 2, [0] * 6) == 2


def test_speed_is_obeyed() -> None:
    bench = Bench(refresh_ms=1)
    assert bench.bank.write("holding", AT.speed_set, [500] * 6) is None
    bench.send(0, 0, 0, 0, 0, 0)
    bench.run(400 * MS)
    assert bench.words(AT.angle_act) == pytest.approx([750] * 6, abs=15)


def test_status_tells_what_moves() -> None:
    bench = Bench()
    bench.send(0, 0, 1000, 1000, 1000, 1000)
    assert bench.hand.status()["torque_on"] == 2
    bench.run(S)
    status = bench.hand.status()
    assert (status["torque_on"], status["count.little"], status["count.index"]) == (0, 0, 1000)
    assert 50 * S < int(status["torque_off_ns"]) <= bench.now_ns


def test_power_cycle_opens_it() -> None:
    bench = Bench()
    bench.send(0, 0, 0, 0, 0, 0)
    bench.run(S)
    bench.hand.control({"power_cycle": True})
    assert bench.words(AT.angle_act) == [1000] * 6


def test_control_that_it_does_not_know_is_named() -> None:
    with pytest.raises(BadInput, match="little, ring"):
        Bench().hand.control({"objects": {"pinky": 3}})
    with pytest.raises(BadInput, match="objects"):
        Bench().hand.control({"object": {}})


def native() -> Eb90Server:
    return Eb90Server(1, Hand(TABLE, 31.0), 115_200, 200_000)


def test_native_protocol_reads_writes_and_is_timed() -> None:
    server = native()
    data = eb90.encode(Packet(1, READ, AT.angle_act, b"\x0c"))
    (sent,) = server.receive(data, S, 115_200)
    assert sent.start_ns == S + wire_ns(len(data), 115_200) + 200_000
    assert Decoder(FROM_HAND).feed(sent.data) == [
        Packet(1, READ, AT.angle_act, (1000).to_bytes(2, "little") * 6)
    ]
    (done,) = server.receive(
        eb90.encode(Packet(1, WRITE, AT.angle_set, b"\x64\x00" * 6)), 2 * S, 115_200
    )
    assert Decoder(FROM_HAND).feed(done.data) == [Packet(1, WRITE, AT.angle_set, b"\x01")]
    assert server.due_ns() is not None
    server.wake(4 * S)
    assert server.status()["count.index"] == 100


def test_native_protocol_passes_over_what_is_not_for_it() -> None:
    server = native()
    for packet in (
        Packet(2, READ, AT.angle_act, b"\x0c"),
        Packet(1, READ, 40, b"\x02"),
        Packet(1, WRITE, AT.angle_act, b"\0\0"),
        Packet(1, 0x55, AT.angle_act),
    ):
        assert server.receive(eb90.encode(packet), S, 115_200) == []
    assert server.receive(b"\xeb\x90\x01", 2 * S, 115_200) == []
    good = eb90.encode(Packet(1, READ, AT.angle_act, b"\x02"))
    assert len(server.receive(good, 3 * S, 115_200)) == 1  # the broken one is long forgotten


def test_native_protocol_with_faults() -> None:
    server = native()
    request = eb90.encode(Packet(1, READ, AT.angle_act, b"\x02"))
    server.control({"faults": {"unit": 7}})
    (sent,) = server.receive(request, S, 115_200)
    assert Decoder(FROM_HAND).feed(sent.data)[0].id == 7
    server.control({"faults": {"corrupt": 1}})
    (sent,) = server.receive(request, 2 * S, 115_200)
    assert Decoder(FROM_HAND).feed(sent.data) == []
    for faults, part in (({"loud": True}, "loud"), ({"exception": 2}, "no exceptions")):
        with pytest.raises(BadInput, match=part):
            server.control({"faults": faults})


def test_options_are_checked() -> None:
    assert EMULATOR.build(EMULATOR.options()).baud == 115_200
    assert isinstance(EMULATOR.build(EMULATOR.options(protocol="eb90")), Eb90Server)
    with pytest.raises(BadInput, match="rh56dfx"):
        EMULATOR.build(EMULATOR.options(model="rh7"))
