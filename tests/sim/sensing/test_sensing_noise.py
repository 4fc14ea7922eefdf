"""Statistics of a channel's noise, from fixed seeds.

Tolerances are four standard errors of the statistic where the noise is as the model says.
"""

from __future__ import annotations

import numpy as np
import pytest

from hil.contracts import NEVER
from sim.sensing.channel import Channel, ChannelModel, Noise

NS = 1_000_000_000
MANY = 20_000


def readings(model: ChannelModel, count: int, labels: int = 1, seed: int = 7) -> np.ndarray:
    """(count, labels) readings of a truth of 0, each as soon as it was measured."""
    channel = Channel("c", tuple(map(str, range(labels))), model, seed)
    rows = []
    for _ in range(count):
        stamp = channel.next_ns
        channel.offer(stamp, np.zeros(labels))
        rows.append(channel.newest(stamp).value)
    return np.array(rows)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_white_noise_has_its_deviation_no_mean_and_no_memory(seed: int) -> None:
    noise = readings(ChannelModel(rate_hz=500, noise=Noise(white=0.3)), MANY, seed=seed)[:, 0]
    assert abs(noise.std() / 0.3 - 1) < 4 / np.sqrt(2 * MANY)
    assert abs(noise.mean()) < 4 * 0.3 / np.sqrt(MANY)
    for lag in (1, 2, 10):
        correlation = np.corrcoef(noise[:-lag], noise[lag:])[0, 1]
        assert abs(correlation) < 4 / np.sqrt(MANY)
    # a Gaussian has a kurtosis of 3, whose standard error is sqrt(24 / n)
    assert abs((noise**4).mean() / noise.var() ** 2 - 3) < 4 * np.sqrt(24 / MANY)


def test_each_label_has_its_own_deviation_and_shares_nothing_with_the_others() -> None:
    noise = readings(ChannelModel(rate_hz=500, noise=Noise(white=(0.1, 2.0))), MANY, labels=2)
    np.testing.assert_allclose(noise.std(axis=0) / [0.1, 2.0], 1, atol=4 / np.sqrt(2 * MANY))
    assert abs(np.corrcoef(noise.T)[0, 1]) < 4 / np.sqrt(MANY)


@pytest.mark.parametrize("rate_hz", [10.0, 100.0])
def test_a_random_walk_spreads_with_the_root_of_time_at_any_rate(rate_hz: float) -> None:
    labels = 4000
    model = ChannelModel(rate_hz=rate_hz, noise=Noise(walk=0.05))
    walk = readings(model, round(4 * rate_hz) + 1, labels)
    assert (walk[0] == 0).all()
    for seconds in (1, 2, 4):
        spread = walk[round(seconds * rate_hz)].std()
        assert abs(spread / (0.05 * np.sqrt(seconds)) - 1) < 4 / np.sqrt(2 * labels)
    steps = np.diff(walk, axis=0)
    assert abs(np.corrcoef(steps[0], steps[1])[0, 1]) < 4 / np.sqrt(labels)


def test_a_bias_is_drawn_once() -> None:
    labels = 4000
    rows = readings(ChannelModel(rate_hz=10, noise=Noise(bias=2.0)), 5, labels)
    assert (rows == rows[0]).all()
    assert abs(rows[0].std() / 2.0 - 1) < 4 / np.sqrt(2 * labels)


def test_as_many_samples_are_lost_as_the_probability_says() -> None:
    channel = Channel("c", ("t",), ChannelModel(rate_hz=500, dropout=0.2), seed=11)
    for _ in range(MANY):
        channel.offer(channel.next_ns, np.zeros(1))
    lost = channel.counters()["lost"] / MANY
    assert abs(lost - 0.2) < 4 * np.sqrt(0.2 * 0.8 / MANY)


def test_jitter_is_spread_evenly_over_its_width() -> None:
    # samples are so far apart that none waits for another
    model = ChannelModel(rate_hz=10, delay_s=0.01, jitter_s=0.04)
    channel = Channel("c", ("t",), model, seed=13)
    count, late = 2000, []
    for k in range(count):
        stamp = k * NS // 10
        channel.offer(stamp, np.array([float(k)]))
        grid = range(stamp, stamp + 60_000_000, 500_000)
        seen = [t for t in grid if channel.newest(t).value[0] == k]
        late.append((seen[0] - stamp) / NS)
    assert min(late) >= 0.01
    assert max(late) <= 0.0505
    # a uniform distribution over w has the mean w/2 and the deviation w/sqrt(12)
    assert abs(np.mean(late) - 0.03 - 0.00025) < 4 * 0.04 / np.sqrt(12 * count)
    assert abs(np.std(late) / (0.04 / np.sqrt(12)) - 1) < 0.05


def test_nothing_is_known_before_the_first_delay_has_passed() -> None:
    channel = Channel("c", ("t",), ChannelModel(rate_hz=10, delay_s=0.25), seed=0)
    for k in range(3):
        channel.offer(k * NS // 10, np.ones(1))
    early = channel.newest(249_999_999)
    assert np.isnan(early.value[0])
    assert early.age_ns[0] == NEVER
    assert channel.newest(250_000_000).value[0] == 1.0
