"""The bus over a real pseudo-terminal, against servos with faults."""

import pytest
from servo_chain import ServoChain, frame

from drivers.feetech.bus import FeetechBus
from drivers.feetech.codec import ServoError
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.errors import DeadlineMissed, HarnessError, LinkLost

IDS = (1, 2, 3, 4, 5, 6)
POSITION = 56


def soon(ms: int = 2000) -> Deadline:
    """Far enough for an answer that comes; short where none is to come."""
    return Deadline.after(WallClock(), ms * NS_PER_MS)


def positions(answer) -> dict[int, int]:
    return {servo: int.from_bytes(data, "little") for servo, data in answer.payloads.items()}


def test_ping_reads_and_writes(bus: FeetechBus, chain: ServoChain) -> None:
    assert bus.ping(4, soon()) == ServoError.NONE
    assert bus.read(1, 3, 2, soon()) == b"\x09\x03"
    assert bus.write(2, 42, b"\x00\x08", soon()) == ServoError.NONE
    assert chain.register(2, 42, 2) == 2048
    assert bus.counters().lost_answers == {}


def test_broadcast_ping_finds_all(bus: FeetechBus) -> None:
    assert bus.broadcast_ping(soon(200)) == list(IDS)


def test_error_bits_come_with_valid_data(bus: FeetechBus, chain: ServoChain) -> None:
    chain.errors = {3: 0x20}
    answer = bus.sync_read(IDS, POSITION, 2, soon())
    assert answer.errors[3] == ServoError.OVERLOAD
    assert positions(answer)[3] == 2078
    assert bus.ping(3, soon()) == ServoError.OVERLOAD


def test_sync_read_returns_with_the_last_answer(bus: FeetechBus) -> None:
    deadline = soon(60_000)
    answer = bus.sync_read(IDS, POSITION, 15, deadline)
    assert not deadline.expired
    assert answer.lost == ()
    assert [len(data) for data in answer.payloads.values()] == [15] * 6


def test_sync_write_reaches_each(bus: FeetechBus, chain: ServoChain) -> None:
    bus.sync_write(42, {servo: bytes((servo, 8)) for servo in IDS}, soon())
    bus.ping(1, soon())  # the chain obeys in order, so the write is done
    assert [chain.register(servo, 42, 2) for servo in IDS] == [0x800 + servo for servo in IDS]
    with pytest.raises(HarnessError, match="lengths"):
        bus.sync_write(42, {1: b"\0", 2: b"\0\0"}, soon())


@pytest.mark.parametrize("fault", ["silent", "corrupted"])
def test_one_lost_answer_leaves_the_others(bus: FeetechBus, chain: ServoChain, fault: str) -> None:
    getattr(chain, fault).add(3)
    answer = bus.sync_read(IDS, POSITION, 2, soon(60))
    assert answer.lost == (3,)
    assert 3 not in answer.payloads
    assert positions(answer) == {s: 2048 + 10 * s for s in IDS if s != 3}
    assert bus.counters().lost_answers == {3: 1}
    assert bus.checksum_errors == (1 if fault == "corrupted" else 0)
    assert bus.sync_read([1, 2], POSITION, 2, soon()).lost == ()


def test_silent_servo_costs_its_deadline_and_says_which(bus: FeetechBus, chain: ServoChain) -> None:
    chain.silent.add(2)
    deadline = soon(30)
    with pytest.raises(DeadlineMissed, match="servo 2"):
        bus.read(2, POSITION, 2, deadline)
    assert deadline.expired
    assert bus.counters().lost_answers == {2: 1}


def test_answer_of_another_servo_is_not_taken(bus: FeetechBus, chain: ServoChain) -> None:
    chain.renamed = {2: 9}
    answer = bus.sync_read([1, 2], POSITION, 2, soon(60))
    assert answer.lost == (2,)
    assert bus.counters().wrong_id == 1


def test_answer_of_another_length_is_not_taken(bus: FeetechBus, chain: ServoChain) -> None:
    chain.silent.add(1)
    bus.ping(2, soon())
    chain.noise = frame(1, 0, b"\x07")  # arrives with the answer of servo 2
    answer = bus.sync_read([1, 2], POSITION, 2, soon(60))
    assert answer.lost == (1,)
    assert bus.counters().wrong_length == 1


def test_pending_answer_is_dropped_before_the_next_request(
    bus: FeetechBus, chain: ServoChain
) -> None:
    chain.silent.add(1)
    with pytest.raises(DeadlineMissed):
        bus.read(1, POSITION, 2, soon(20))
    chain.say(frame(1, 0, b"\xad\xde"))  # the old answer, after its deadline
    chain.silent.clear()
    assert bus.read(1, POSITION, 2, soon()) == (2058).to_bytes(2, "little")
    assert bus.counters().late_answers == 1
    assert bus.counters().stale_bytes == 8


@pytest.mark.parametrize("slow", [1, 3])
def test_servo_one_request_behind_is_told_by_the_length_asked(
    bus: FeetechBus, chain: ServoChain, slow: int
) -> None:
    """The protocol has no numbers: of two equal requests a late answer in its turn cannot be
    told from the right one. Whoever reads in a loop asks for another length each time."""
    chain.hold_back.add(slow)
    assert bus.sync_read([1, 2, 3], POSITION, 6, soon(40)).lost == (slow,)
    assert bus.sync_read([1, 2, 3], POSITION, 7, soon(40)).lost == (slow,)
    assert bus.counters().wrong_length == 1


def test_late_answer_out_of_turn_is_unmasked(bus: FeetechBus, chain: ServoChain) -> None:
    old = frame(3, 0, b"\xad\xde")
    real_answer = chain._answer

    def late_three_first(servo: int, params: bytes) -> None:
        if servo == 1:
            chain.say(old)
        real_answer(servo, params)

    chain._answer = late_three_first  # type: ignore[method-assign]
    answer = bus.sync_read([1, 2, 3], POSITION, 2, soon())
    assert positions(answer) == {1: 2058, 2: 2068, 3: 2078}
    assert bus.counters().late_answers == 1
    chain.silent.add(3)
    answer = bus.sync_read([1, 2, 3], POSITION, 2, soon(60))
    assert answer.lost == (3,)
    assert positions(answer) == {1: 2058, 2: 2068}


def test_noise_between_answers_is_counted(bus: FeetechBus, chain: ServoChain) -> None:
    chain.noise = b"\xff\x00\xff"
    answer = bus.sync_read(IDS, POSITION, 2, soon())
    assert answer.lost == ()
    assert bus.resync_bytes >= 3 * 5


def test_unplugged_adapter_is_a_lost_link(bus: FeetechBus, chain: ServoChain) -> None:
    chain.unplug()
    for use in (
        lambda: bus.ping(1, soon()),
        lambda: bus.sync_read(IDS, POSITION, 2, soon()),
        lambda: bus.sync_write(42, {1: b"\0\0"}, soon()),
    ):
        with pytest.raises(LinkLost):
            use()
