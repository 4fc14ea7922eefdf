"""What faults do to bytes: pure, seeded, bounded."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from drivers.transport.lane import HELD_BYTES, NEVER_NS, Lane
from hil.clock import NS_PER_MS, NS_PER_S
from rigs.link import Fault

FAULT = TypeAdapter[Fault](Fault)
LATE_NS = 10**15


def fault(kind: str, **given: Any) -> Fault:
    return FAULT.validate_python({"kind": kind, **given})


def lane(*faults: Fault, seed: int = 1, origin_ns: int = 0) -> Lane:
    return Lane(faults, seed, "from-device", origin_ns)


def through(one: Lane, chunks: Sequence[bytes], now_ns: int = 0) -> bytes:
    for chunk in chunks:
        one.feed(chunk, now_ns)
    return one.take(LATE_NS)


def test_without_faults_bytes_pass_at_once() -> None:
    plain = lane()
    assert plain.feed(b"abc", 5)
    assert plain.take(5) == b"abc"
    assert plain.next_ns(5) == NEVER_NS
    assert not plain.counts


def test_other_direction_is_left_alone() -> None:
    assert through(lane(fault("drop", direction="to-device")), [b"abc"]) == b"abc"
    assert through(lane(fault("drop", direction="both")), [b"abc"]) == b""


def test_delay_keeps_the_order() -> None:
    one = lane(fault("delay", delay_ms=5, for_s=0.001))
    one.feed(b"late", 0)
    one.feed(b"r", 2 * NS_PER_MS)  # not delayed itself, and still behind
    assert one.take(2 * NS_PER_MS) == b""
    assert one.next_ns(2 * NS_PER_MS) == 5 * NS_PER_MS
    assert one.take(5 * NS_PER_MS) == b"later"
    assert one.counts == {"delay": 1}


def test_jitter_is_within_its_bound_and_keeps_the_order() -> None:
    one = lane(fault("jitter", up_to_ms=3))
    seen = []
    for number in range(200):
        one.feed(bytes([number]), number * NS_PER_MS)
        assert one.next_ns(number * NS_PER_MS) <= (number + 3) * NS_PER_MS
        seen += one.take(number * NS_PER_MS)
    seen += one.take(LATE_NS)
    assert seen == list(range(200))
    assert one.counts == {"jitter": 200}


def test_drop_truncate_duplicate() -> None:
    assert through(lane(fault("drop", every=3)), [b"a", b"b", b"c", b"d", b"e", b"f"]) == b"abde"
    cut = lane(fault("truncate", keep_bytes=2, every=2))
    assert through(cut, [b"abc", b"def", b"g"]) == b"abcdeg"
    assert cut.counts == {"truncate": 1, "lost_bytes": 1}
    assert through(lane(fault("duplicate", after_bytes=1)), [b"a", b"bc"]) == b"abcbc"


def test_corrupt_flips_as_many_bits_as_asked() -> None:
    for bits in (1, 3, 8):
        clean = bytes(20)
        spoilt = through(lane(fault("corrupt", bits=bits)), [clean])
        assert len(spoilt) == len(clean)
        assert int.from_bytes(spoilt, "big").bit_count() == bits
    assert through(lane(fault("corrupt", bits=64)), [b"\x00"]) == b"\xff"


def test_stall_holds_and_then_lets_go_in_order() -> None:
    one = lane(fault("stall", at_s=1, for_s=2))
    one.feed(b"before ", 0)
    one.feed(b"held ", NS_PER_S)
    one.feed(b"back", 3 * NS_PER_S - 1)
    assert one.take(3 * NS_PER_S - 1) == b"before "
    assert one.take(3 * NS_PER_S) == b"held back"


def test_stall_without_end_is_bounded() -> None:
    one = lane(fault("stall"))
    for _ in range(2 * HELD_BYTES // 4096):
        one.feed(bytes(4096), 0)
    assert one.take(LATE_NS) == b""
    assert one.counts["overflow_bytes"] == HELD_BYTES
    assert one.drop() == HELD_BYTES
    assert one.drop() == 0


def test_window_and_bytes_say_when() -> None:
    one = lane(fault("drop", at_s=1, for_s=1), origin_ns=NS_PER_S)
    said = [one.feed(b"x", at * NS_PER_S // 2) and one.take(LATE_NS) for at in range(2, 8)]
    assert said == [b"x", b"x", b"", b"", b"x", b"x"]
    late = lane(fault("drop", after_bytes=4))
    assert through(late, [b"ab", b"cd", b"ef"]) == b"abcd"


@pytest.mark.parametrize("after", range(7))
def test_unplugged_at_every_byte(after: int) -> None:
    one = lane(fault("unplug", after_bytes=after))
    passed, cut = b"", False
    for chunk in (b"ab", b"cdef"):
        if one.unplugged(0):
            break
        cut = not one.feed(chunk, 0)
        passed += one.take(0)
    assert passed == b"abcdef"[:after]
    assert cut == (after not in (0, 2, 6))
    assert one.unplugged(0)
    assert one.counts == {"unplug": 1}


def test_unplugged_by_time_and_back_again() -> None:
    one = lane(fault("unplug", at_s=1, for_s=2))
    assert [one.unplugged(at * NS_PER_S) for at in range(5)] == [False, True, True, False, False]
    assert one.counts == {"unplug": 1}
    assert lane(fault("unplug", at_s=1)).next_ns(0) == NS_PER_S


KINDS = st.one_of(
    st.builds(lambda p: fault("drop", probability=p), st.floats(0.01, 1)),
    st.builds(
        lambda p, b: fault("corrupt", probability=p, bits=b), st.floats(0.01, 1), st.integers(1, 9)
    ),
    st.builds(lambda p: fault("duplicate", probability=p), st.floats(0.01, 1)),
    st.builds(
        lambda p, k: fault("truncate", probability=p, keep_bytes=k),
        st.floats(0.01, 1),
        st.integers(0, 5),
    ),
    st.builds(lambda n: fault("drop", every=n), st.integers(1, 4)),
    st.builds(lambda ms: fault("delay", delay_ms=ms), st.floats(0.1, 10)),
    st.builds(lambda ms: fault("jitter", up_to_ms=ms), st.floats(0.1, 10)),
)
CHUNKS = st.lists(st.binary(min_size=1, max_size=20), max_size=20)


@given(st.lists(KINDS, max_size=4), CHUNKS, st.integers(0, 2**64 - 1))
@settings(max_examples=200)
def test_same_seed_same_bytes(faults: list[Fault], chunks: list[bytes], seed: int) -> None:
    first, second = lane(*faults, seed=seed), lane(*faults, seed=seed)
    assert through(first, chunks) == through(second, chunks)
    assert first.counts == second.counts


@given(CHUNKS, st.integers(0, 2**32))
@settings(max_examples=100)
def test_chances_belong_to_places_in_the_stream(chunks: list[bytes], seed: int) -> None:
    """A chunk that was split differently changes nothing for those after it."""
    faults = [fault("corrupt", probability=0.5)]
    split = [chunks[0][:1], chunks[0][1:], *chunks[1:]] if chunks and chunks[0][1:] else chunks
    one, other = (through(lane(*faults, seed=seed), cut) for cut in (chunks, split))
    rest = len(chunks[0]) if chunks else 0
    assert one[rest:] == other[rest:]


def test_another_seed_gives_other_bytes() -> None:
    chunks = [bytes(20)] * 20
    seen = {through(lane(fault("corrupt"), seed=seed), chunks) for seed in range(20)}
    assert len(seen) == 20


@given(st.lists(st.binary(max_size=30), max_size=30))
@settings(max_examples=100)
def test_delays_lose_nothing(chunks: list[bytes]) -> None:
    one = lane(fault("jitter", up_to_ms=7), fault("delay", delay_ms=2, probability=0.5))
    assert through(one, chunks) == b"".join(chunks)


def test_a_share_of_chunks_is_struck() -> None:
    one = lane(fault("drop", probability=0.3))
    left = through(one, [b"x"] * 5000)
    # 5000 draws of p = 0.7: six standard deviations are 194
    assert abs(len(left) - 3500) < 194
