"""Box and blocks played out by a hand that keeps the rules, or breaks one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrology_data import SECOND, stamps

from hil.errors import BadInput
from hil.metrology.blocks import Fate, Rules, Tally, tally, tally_measures
from hil.metrology.series import Series

RULES = Rules((0.0, -0.13, 0.0), (0.26, 0.13, 0.15), reach_m=0.05, time_s=20.0)
START_NS = 5 * SECOND
RATE_HZ = 50.0
HEIGHT_M = 0.25
SOURCE, TARGET, FLOOR = (-0.1, 0.0, 0.02), (0.1, 0.0, 0.02), (0.5, 0.0, -0.1)


@dataclass
class Game:
    """A hand that moves in straight lines; blocks in it move along."""

    blocks: int
    hand: list[np.ndarray] = field(default_factory=lambda: [np.array([-0.2, 0.0, HEIGHT_M])])
    places: list[np.ndarray] = field(default_factory=list)
    held: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        rows = np.arange(self.blocks)[:, None] * [0.0, 0.0, 0.0]
        self.places = [np.array(SOURCE) + rows]

    def move(self, *to: float, seconds: float = 0.3) -> None:
        """The hand goes there, and with it what it holds."""
        start, goal = self.hand[-1], np.array(to)
        for share in np.arange(1, round(seconds * RATE_HZ) + 1) / round(seconds * RATE_HZ):
            self._tick(start + share * (goal - start), {})

    def put(self, block: int, *to: float) -> None:
        """A block is somewhere else, at once."""
        self.held.discard(block)
        self._tick(self.hand[-1], {block: np.array(to)})

    def carry(self, *blocks: int, to: tuple[float, float, float] = TARGET) -> None:
        """Down to the blocks, over the partition, down, let go, and back."""
        self.move(-0.1, 0.0, HEIGHT_M)
        self.move(*SOURCE)
        self.held = set(blocks)
        self.move(-0.1, 0.0, HEIGHT_M)
        self.move(0.1, 0.0, HEIGHT_M)
        self.move(*TARGET)
        self.held = set()
        self.move(0.1, 0.0, HEIGHT_M)
        for block in blocks:
            self.put(block, *to)
        self.move(-0.1, 0.0, HEIGHT_M)

    def _tick(self, hand: np.ndarray, put: dict[int, np.ndarray]) -> None:
        places = self.places[-1].copy()
        for block in self.held:
            places[block] += hand - self.hand[-1]
        for block, where in put.items():
            places[block] = where
        self.hand.append(hand)
        self.places.append(places)

    def record(self, seconds: float = 20.0) -> tuple[Series, list[Series]]:
        """Fingertips and blocks, at rest once the game is over."""
        count = round(seconds * RATE_HZ) + 1
        rows = np.minimum(np.arange(count), len(self.hand) - 1)
        times = stamps(np.arange(count) / RATE_HZ)
        places = np.array(self.places)[rows]
        return Series.of("fingertips", times, np.array(self.hand)[rows]), [
            Series.of(f"block {at}", times, places[:, at]) for at in range(self.blocks)
        ]

    def score(self, rules: Rules = RULES, seconds: float = 20.0) -> Tally:
        return tally(START_NS, *self.record(seconds), rules)


def test_three_carried_and_one_left() -> None:
    game = Game(4)
    for block in (2, 0, 3):
        game.carry(block)
    found = game.score()
    assert found.fates == (Fate.CARRIED, Fate.STAYED, Fate.CARRIED, Fate.CARRIED)
    assert (found.carried, found.elapsed_s) == (3, 20.0)
    assert found.per_minute == pytest.approx(9.0)


def test_all_carried_before_the_time_is_over() -> None:
    """The rate is over the time until the last went over, and the record may end there."""
    game = Game(2)
    game.carry(0)
    game.carry(1)
    seconds = (len(game.hand) - 1) / RATE_HZ
    found = game.score(seconds=seconds)
    over = max(np.argmax(np.array(game.places)[:, block, 0] > 0) for block in (0, 1)) / RATE_HZ
    assert found.elapsed_s == pytest.approx(over)
    assert found.per_minute == pytest.approx(60 * 2 / over)
    assert game.score(seconds=20.0) == found


def test_two_at_once_count_as_one() -> None:
    game = Game(3)
    game.carry(0, 2)
    game.carry(1)
    assert sorted(game.score().fates) == sorted([Fate.CARRIED, Fate.CARRIED, Fate.TOGETHER])


def test_jitter_over_the_partition_is_no_second_crossing() -> None:
    """The hand takes two over, lets go of one, and comes back by 5 mm only with the other: the
    first to go over counts."""
    game = Game(2)
    game.move(*SOURCE)
    game.held = {0, 1}
    game.move(-0.1, 0.0, HEIGHT_M)
    game.move(0.02, 0.0, HEIGHT_M)
    game.put(1, *TARGET)
    for across in (-0.005, 0.1):
        game.move(across, 0.0, HEIGHT_M)
    game.put(0, *TARGET)
    assert game.score().fates == (Fate.TOGETHER, Fate.CARRIED)
    assert game.score(replace(RULES, clear_m=0.001)).carried == 2


def test_a_block_that_falls_out_of_the_target_box_does_not_count() -> None:
    game = Game(2)
    game.carry(0, to=FLOOR)
    game.carry(1)
    assert game.score().fates == (Fate.DROPPED, Fate.CARRIED)


def test_a_block_dropped_on_the_near_side_does_not_count() -> None:
    game = Game(1)
    game.move(*SOURCE)
    game.held = {0}
    game.move(-0.05, 0.0, HEIGHT_M)
    game.put(0, -0.05, 0.0, 0.02)
    game.move(0.1, 0.0, HEIGHT_M)
    assert game.score().fates == (Fate.STAYED,)


def test_a_dropped_block_may_be_carried_again() -> None:
    game = Game(1)
    game.carry(0, to=SOURCE)
    assert game.score().fates == (Fate.STAYED,)
    game.carry(0)
    assert game.score().fates == (Fate.CARRIED,)


def test_a_block_that_flies_over_without_the_hand_does_not_count() -> None:
    game = Game(1)
    game.move(*SOURCE)
    game.held = {0}
    game.move(-0.1, 0.0, HEIGHT_M)
    game.put(0, 0.1, 0.0, 0.1)
    game.put(0, *TARGET)
    assert game.score().fates == (Fate.THROWN,)
    game.put(0, *SOURCE)
    game.carry(0)
    assert game.score().fates == (Fate.CARRIED,)


def test_the_hand_itself_has_to_cross() -> None:
    """The block hangs 4 cm before the fingertips and goes over, and the tips stop short."""
    game = Game(1)
    game.move(*SOURCE)
    game.put(0, -0.06, 0.0, 0.02)
    game.held = {0}
    game.move(-0.1, 0.0, HEIGHT_M)
    game.move(-0.01, 0.0, HEIGHT_M)
    assert game.score().fates == (Fate.THROWN,)
    game.held = set()
    game.move(-0.2, 0.0, HEIGHT_M)
    game.put(0, *TARGET)
    assert game.score().fates == (Fate.THROWN,)


def test_a_block_still_in_the_hand_does_not_count() -> None:
    game = Game(1)
    game.move(*SOURCE)
    game.held = {0}
    game.move(-0.1, 0.0, HEIGHT_M)
    game.move(0.1, 0.0, 0.1)
    assert game.score().fates == (Fate.HELD,)


def test_what_comes_after_the_time_does_not_count() -> None:
    game = Game(2)
    game.carry(0)
    game.move(-0.1, 0.0, HEIGHT_M, seconds=20.0)
    game.carry(1)
    assert game.score(seconds=30.0).fates == (Fate.CARRIED, Fate.STAYED)


def test_a_block_lost_from_sight_is_said_to_be() -> None:
    game = Game(2)
    game.carry(0)
    game.carry(1)
    hand, (first, second) = game.record()
    value = first.value.copy()
    over = int(np.argmax(value[:, 0] > 0))
    value[over - 10 : over + 10] = math.nan
    at_crossing = Series.of("block 0", first.stamp_ns, value)
    assert tally(START_NS, hand, [at_crossing, second], RULES).fates[0] is Fate.UNSEEN
    value = first.value.copy()
    value[-30:] = math.nan
    at_end = Series.of("block 0", first.stamp_ns, value)
    found = tally(START_NS, hand, [at_end, second], RULES)
    assert (found.fates[0], found.absent) == (Fate.UNSEEN, 30)
    tips = hand.value.copy()
    tips[over - 10 : over + 10] = math.nan
    unseen_hand = Series.of("fingertips", hand.stamp_ns, tips)
    assert tally(START_NS, unseen_hand, [first, second], RULES).fates[0] is Fate.UNSEEN


@given(st.permutations(range(4)), st.integers(-(10**15), 10**15), st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_order_clock_and_size_do_not_matter(order: list[int], shift: int, scale: float) -> None:
    game = Game(4)
    game.carry(1)
    game.carry(0, 3)
    hand, blocks = game.record()
    wanted = tally(START_NS, hand, blocks, RULES)

    def changed(series: Series) -> Series:
        return replace(series, stamp_ns=series.stamp_ns + shift, value=scale * series.value)

    low, high = (
        tuple(scale * one for one in corner) for corner in (RULES.target_low_m, RULES.target_high_m)
    )
    rules = replace(
        RULES,
        target_low_m=low,
        target_high_m=high,
        reach_m=scale * RULES.reach_m,
        clear_m=scale * RULES.clear_m,
    )
    found = tally(START_NS + shift, changed(hand), [changed(blocks[at]) for at in order], rules)
    assert found.carried == wanted.carried == 2
    assert sorted(found.fates) == sorted(wanted.fates)


def test_records_that_cannot_be_scored_are_refused() -> None:
    game = Game(2)
    game.carry(0)
    hand, blocks = game.record()
    with pytest.raises(BadInput, match=r"ends 10 s before the 20 s allowed"):
        game.score(seconds=10.0)
    with pytest.raises(BadInput, match="not recorded from"):
        tally(START_NS - 1, hand, blocks, RULES)
    with pytest.raises(BadInput, match=r"block 0: .* beyond the partition"):
        tally(START_NS + 5 * SECOND, hand, blocks, replace(RULES, time_s=15.0))


def test_scores_over_episodes() -> None:
    tallies = []
    for count in (1, 2, 3):
        game = Game(5)
        for block in range(count):
            game.carry(block)
        game.carry(4, to=FLOOR)
        tallies.append(game.score())
    carried, rate = tally_measures(tallies)
    assert (carried.value, carried.n, carried.unit) == (pytest.approx(2.0), 3, "1")
    assert (rate.value, rate.unit) == (pytest.approx(6.0), "1/min")
    assert "6 stayed, 3 dropped" in carried.method
    with pytest.raises(BadInput, match="2 repeats"):
        tally_measures(tallies[:2])
