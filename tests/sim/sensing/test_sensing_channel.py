"""A channel: what is sampled, when it is seen, and what is absent."""

from __future__ import annotations

import subprocess
import sys
from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.contracts import NEVER
from hil.errors import BadInput, HarnessError
from sim.sensing.channel import Channel, ChannelModel, Noise
from sim.sensing.conversion import Conversion
from sim.sensing.faults import Fault

NS = 1_000_000_000

rates = st.floats(1.0, 2000.0)
delays = st.floats(0.0, 0.2)


def fed(channel: Channel, stamps: list[int]) -> list[int]:
    """The stamps that were sampled; the truth is always the stamp itself, in s."""
    return [stamp for stamp in stamps if channel.offer(stamp, np.array([stamp / NS]))]


@given(rates, delays, delays, st.floats(0, 0.5), st.integers(0, 2**40), st.data())
@settings(max_examples=150, deadline=None)
def test_no_value_is_seen_before_its_delay_and_none_overtakes_another(
    rate: float, delay: float, jitter: float, dropout: float, origin: int, data: st.DataObject
) -> None:
    model = ChannelModel(rate_hz=rate, delay_s=delay, jitter_s=jitter, dropout=dropout)
    channel = Channel("c", ("t",), model, seed=3, origin_ns=origin)
    steps = data.draw(st.lists(st.integers(1, NS // 50), min_size=1, max_size=80))
    offered: list[int] = []
    newest = -1
    for step in steps:
        now = (offered[-1] if offered else origin) + step
        fed(channel, [now])
        offered.append(now)
        asked = now + data.draw(st.integers(0, NS // 10))
        sample = channel.newest(asked)
        assert sample.stamp_ns == asked
        if sample.age_ns[0] == NEVER:
            assert np.isnan(sample.value[0])
            continue
        measured = asked - int(sample.age_ns[0])
        assert measured in offered
        assert sample.value[0] == measured / NS
        assert sample.age_ns[0] >= round(delay * NS)
        # what was known at an offer is never taken back
        assert measured >= newest
        newest = max(newest, _at(channel, now, asked))
    counts = channel.counters()
    assert counts["samples"] <= len(offered)
    assert counts["lost"] <= counts["samples"]


def _at(channel: Channel, offered: int, asked: int) -> int:
    """Stamp of what is known at the last offer, which every later question must reach."""
    sample = channel.newest(min(offered, asked))
    return -1 if sample.age_ns[0] == NEVER else sample.stamp_ns - int(sample.age_ns[0])


@given(rates, delays, st.lists(st.integers(0, 2 * NS), min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_without_jitter_the_newest_is_that_of_a_plain_search(
    rate: float, delay: float, questions: list[int]
) -> None:
    channel = Channel("c", ("t",), ChannelModel(rate_hz=rate, delay_s=delay), seed=0)
    steps = range(0, 2 * NS + 1, NS // 1000)
    sampled: list[int] = []
    asked = sorted(questions)
    for step in steps:
        sampled += fed(channel, [step])
        while asked and asked[0] < step + NS // 1000:
            now = asked.pop(0)
            if now < step:
                continue
            place = bisect_right(sampled, now - round(delay * NS))
            seen = channel.newest(now)
            if place == 0:
                assert np.isnan(seen.value[0])
                assert seen.age_ns[0] == NEVER
            else:
                assert seen.value[0] == sampled[place - 1] / NS
                assert seen.age_ns[0] == now - sampled[place - 1]


@given(rates, st.integers(1, 50_000_000), st.integers(0, 2**50))
@settings(max_examples=100, deadline=None)
def test_samples_are_the_first_offers_at_or_after_the_instants_of_the_grid(
    rate: float, step: int, origin: int
) -> None:
    channel = Channel("c", ("t",), ChannelModel(rate_hz=rate), seed=0, origin_ns=origin)
    offers = [origin - step + k * step for k in range(200)]
    sampled = fed(channel, offers)
    instants = [origin + round(k * NS / rate) for k in range(int(199 * step * rate / NS) + 2)]
    firsts = {next((o for o in offers if o >= instant), None) for instant in instants}
    assert sampled == sorted(firsts - {None})
    passed = sum(instant <= offers[-1] for instant in instants)
    assert channel.counters() == {
        "samples": len(sampled),
        "missed": passed - len(sampled),
        "lost": 0,
    }


def test_a_grid_that_is_no_whole_number_of_nanoseconds_does_not_drift() -> None:
    channel = Channel("c", ("t",), ChannelModel(rate_hz=30.0), seed=0)
    for _ in range(30 * 3600):
        channel.offer(channel.next_ns, np.zeros(1))
    assert channel.next_ns == 3600 * NS


def test_offers_between_the_instants_are_not_looked_at() -> None:
    channel = Channel("c", ("t",), ChannelModel(rate_hz=100), seed=0)
    assert channel.offer(0, np.array([1.0]))
    assert not channel.offer(9_999_999, np.array([2.0]))
    assert channel.newest(9_999_999).value[0] == 1.0
    assert channel.offer(10_000_000, np.array([3.0]))
    assert channel.newest(10_000_000).value[0] == 3.0


def test_asking_takes_nothing_away() -> None:
    channel = Channel("c", ("t",), ChannelModel(rate_hz=10, delay_s=0.05), seed=0)
    fed(channel, [0])
    first, second = channel.newest(60_000_000), channel.newest(70_000_000)
    assert first.value[0] == second.value[0] == 0.0
    assert (int(first.age_ns[0]), int(second.age_ns[0])) == (60_000_000, 70_000_000)
    first.value[0] = 7.0
    assert channel.newest(60_000_000).value[0] == 0.0


def test_an_old_value_is_kept_with_its_age_or_for_as_long_as_the_model_says() -> None:
    for_ever = Channel("c", ("t",), ChannelModel(rate_hz=10), seed=0)
    a_while = Channel("c", ("t",), ChannelModel(rate_hz=10, keep_s=0.5), seed=0)
    for channel in (for_ever, a_while):
        fed(channel, [0])
    assert for_ever.newest(60 * NS).age_ns[0] == 60 * NS
    assert a_while.newest(NS // 2).value[0] == 0.0
    gone = a_while.newest(NS // 2 + 1)
    assert np.isnan(gone.value[0])
    assert gone.age_ns[0] == NEVER


@given(
    st.lists(st.sampled_from([np.nan, 0.0, -0.3, 12.0, 1e9]), min_size=1, max_size=8),
    st.floats(0, 2),
    st.floats(0, 2),
    st.just(0.0) | st.floats(1e-12, 2),
)
@settings(max_examples=200, deadline=None)
def test_what_is_no_number_stays_none_and_becomes_never_zero(
    truth: list[float], noise: float, deadband: float, resolution: float
) -> None:
    labels = tuple(map(str, range(len(truth))))
    conversion = Conversion(deadband=deadband, lower=-5, upper=5, resolution=resolution)
    model = ChannelModel(
        rate_hz=10,
        noise=Noise(white=noise, bias=noise, walk=noise),
        conversion=conversion,
        faults=(Fault(kind="offset", value=1.0),),
    )
    channel = Channel("c", labels, model, seed=1)
    for k in range(3):
        channel.offer(k * NS // 10, np.array(truth))
    sample = channel.newest(NS)
    assert (np.isnan(sample.value) == np.isnan(truth)).all()
    assert ((sample.age_ns == NEVER) == np.isnan(truth)).all()
    assert (sample.present == ~np.isnan(truth)).all()


def test_a_lost_sample_leaves_the_one_before_and_all_lost_leave_nothing() -> None:
    lossy = Channel("c", ("t",), ChannelModel(rate_hz=100, dropout=0.5), seed=5)
    deaf = Channel("c", ("t",), ChannelModel(rate_hz=100, dropout=1.0), seed=5)
    stamps = list(range(0, NS, NS // 100))
    ages = set()
    for stamp in stamps:
        fed(lossy, [stamp])
        fed(deaf, [stamp])
        seen = lossy.newest(stamp)
        if seen.age_ns[0] != NEVER:
            assert seen.value[0] == (stamp - int(seen.age_ns[0])) / NS
            ages.add(int(seen.age_ns[0]))
        assert np.isnan(deaf.newest(stamp).value[0])
        assert deaf.newest(stamp).age_ns[0] == NEVER
    assert {0, 10_000_000, 20_000_000} <= ages
    assert deaf.counters()["lost"] == len(stamps)


def test_a_sample_waits_for_those_before_it() -> None:
    """With jitter of 100 periods the slowest sample holds up all that follow: they are nearly as
    late as any can be. If samples could overtake, the newest would be some sqrt(2 * period *
    jitter) = 0.14 s old."""
    channel = Channel("c", ("t",), ChannelModel(rate_hz=100, jitter_s=1.0), seed=6)
    ages = []
    for stamp in range(0, 20 * NS, NS // 100):
        fed(channel, [stamp])
        ages.append(channel.newest(stamp).age_ns[0] / NS)
    assert 0.75 < np.mean(ages[300:]) < 1.0
    assert max(ages) <= 1.01


def test_noise_leaves_the_fate_of_a_sample_alone() -> None:
    fate = {"rate_hz": 100, "jitter_s": 0.02, "dropout": 0.3}
    plain = Channel("c", ("t",), ChannelModel.model_validate(fate), seed=9)
    noisy = Channel("c", ("t",), ChannelModel(**fate, noise=Noise(white=1, walk=1)), seed=9)
    for stamp in range(0, NS, NS // 100):
        for channel in (plain, noisy):
            channel.offer(stamp, np.zeros(1))
        assert plain.newest(stamp).age_ns[0] == noisy.newest(stamp).age_ns[0]


@pytest.mark.parametrize("faulty", [True, False])
def test_jitter_dropout_and_faults_leave_the_noise_of_a_sample_alone(faulty: bool) -> None:
    noise = Noise(white=1.0, walk=0.2)
    plain = Channel("c", ("t",), ChannelModel(rate_hz=100, noise=noise), seed=9)
    faults = (Fault(kind="stuck", value=4.0, at_s=0.2, for_s=0.2),) if faulty else ()
    model = ChannelModel(rate_hz=100, noise=noise, jitter_s=0.02, dropout=0.3, faults=faults)
    other = Channel("c", ("t",), model, seed=9)
    values = {}
    for stamp in range(0, NS, NS // 100):
        plain.offer(stamp, np.zeros(1))
        other.offer(stamp, np.zeros(1))
        values[stamp] = plain.newest(stamp).value[0]
    seen = other.newest(2 * NS)
    assert seen.value[0] == values[seen.stamp_ns - int(seen.age_ns[0])]


def read(model: ChannelModel, labels: tuple[str, ...] = ("a", "b"), seconds: int = 1) -> np.ndarray:
    """Readings of a truth that counts the samples, one row a sample; NaN rows were not sent."""
    channel = Channel("c", labels, model, seed=2)
    rows = []
    for k in range(round(seconds * model.rate_hz)):
        stamp = round(k * NS / model.rate_hz)
        channel.offer(stamp, np.full(len(labels), float(k)))
        sample = channel.newest(stamp)
        fresh = sample.age_ns == 0
        rows.append(np.where(fresh, sample.value, np.nan))
    return np.array(rows)


def test_a_frozen_channel_repeats_itself_with_fresh_stamps() -> None:
    fault = Fault(kind="frozen", at_s=0.3, for_s=0.4)
    rows = read(ChannelModel(rate_hz=10, faults=(fault,)))[:, 0]
    assert rows.tolist() == [0, 1, 2, 2, 2, 2, 2, 7, 8, 9]


def test_faults_strike_the_labels_they_name() -> None:
    faults = (
        Fault(kind="stuck", value=5.5, at_s=0.2, for_s=0.2, labels=("b",)),
        Fault(kind="silent", at_s=0.6, for_s=0.2, labels=("a",)),
        Fault(kind="offset", value=100.0, at_s=0.9, labels=("b",)),
    )
    rows = read(ChannelModel(rate_hz=10, faults=faults))
    assert rows[:, 1].tolist() == [0, 1, 5.5, 5.5, 4, 5, 6, 7, 8, 109]
    np.testing.assert_array_equal(rows[:, 0], [0, 1, 2, 3, 4, 5, np.nan, np.nan, 8, 9])


def test_a_silent_channel_sends_nothing_and_what_was_sent_grows_old() -> None:
    model = ChannelModel(rate_hz=10, faults=(Fault(kind="silent", at_s=0.2),))
    channel = Channel("c", ("t",), model, seed=0)
    fed(channel, [k * NS // 10 for k in range(10)])
    seen = channel.newest(NS)
    assert seen.value[0] == 0.1
    assert seen.age_ns[0] == 9 * NS // 10
    assert channel.counters()["lost"] == 8


def test_an_offset_saturates_and_a_stuck_value_is_told_as_it_is() -> None:
    conversion = Conversion(lower=-20, upper=20)
    offset = ChannelModel(
        rate_hz=10, conversion=conversion, faults=(Fault(kind="offset", value=50.0),)
    )
    stuck = ChannelModel(
        rate_hz=10, conversion=conversion, faults=(Fault(kind="stuck", value=50.0),)
    )
    assert (read(offset) == 20).all()
    assert (read(stuck) == 50).all()


def test_what_cannot_be_is_refused() -> None:
    model = ChannelModel(rate_hz=10)
    channel = Channel("c", ("a", "b"), model, seed=0)
    with pytest.raises(HarnessError, match=r"\(2,\) values are expected"):
        channel.offer(0, np.zeros(3))
    with pytest.raises(HarnessError, match="infinite"):
        channel.offer(0, np.array([0.0, np.inf]))
    assert channel.counters()["samples"] == 0
    with pytest.raises(BadInput, match="white noise: 3 numbers for 2 labels"):
        Channel("c", ("a", "b"), ChannelModel(rate_hz=1, noise=Noise(white=(1, 2, 3))), seed=0)
    elsewhere = ChannelModel(rate_hz=1, faults=(Fault(kind="frozen", labels=("z",)),))
    with pytest.raises(BadInput, match="strikes z, which it does not have"):
        Channel("c", ("a", "b"), elsewhere, seed=0)


@pytest.mark.parametrize(
    "table",
    [
        {"rate_hz": 0},
        {"rate_hz": 10, "delay_s": -1},
        {"rate_hz": 10, "delay_ms": 3},
        {"rate_hz": 10, "dropout": 1.5},
        {"rate_hz": 10, "noise": {"white": -1.0}},
        {"rate_hz": 10, "noise": {"white": [0.1, float("nan")]}},
        {"rate_hz": 10, "conversion": {"lower": 3, "upper": 3}},
        {"rate_hz": 10, "conversion": {"resolution": [0.1, 1e-300]}},
        {"rate_hz": 10, "conversion": {"lower": [0, 0], "upper": [1, 1, 1]}},
        {"rate_hz": 10, "faults": [{"kind": "stuck"}]},
        {"rate_hz": 10, "faults": [{"kind": "frozen", "value": 2}]},
        {"rate_hz": 10, "faults": [{"kind": "frozen", "for_s": 0}]},
    ],
)
def test_a_table_that_makes_no_sense_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        ChannelModel.model_validate(table)


_PRINTED = """
import hashlib, numpy as np
from sim.sensing.channel import Channel, ChannelModel, Noise
model = ChannelModel(rate_hz=90, delay_s=.01, jitter_s=.02, dropout=.1,
                     noise=Noise(white=.1, bias=1., walk=.3))
channel = Channel("wrist", tuple("abc"), model, seed=41)
digest = hashlib.sha256()
for step in range(2000):
    now = step * 1_000_000
    channel.offer(now, np.array([step, 1.0, -2.0]))
    sample = channel.newest(now)
    digest.update(sample.value.tobytes() + sample.age_ns.tobytes())
print(digest.hexdigest())
"""


def test_two_processes_give_the_same_bytes_whatever_their_hash_seed() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", _PRINTED],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(said) == 1


def test_seed_and_name_decide_on_the_noise() -> None:
    def first(name: str, seed: int) -> float:
        model = ChannelModel(rate_hz=10, noise=Noise(white=1.0))
        channel = Channel(name, ("t",), model, seed)
        channel.offer(0, np.zeros(1))
        return float(channel.newest(0).value[0])

    assert first("left", 1) == first("left", 1)
    assert len({first("left", 1), first("left", 2), first("right", 1)}) == 3
