"""Box and blocks: how many blocks a hand carries over a partition in the time allowed.

After the Box and Block Test (Mathiowetz et al., Am. J. Occup. Ther. 39, 386 (1985)): 60 s,
blocks of 25 mm, two boxes with a partition between them. Blocks that are carried together count
as one, and the fingertips have to cross the partition. This score is stricter in one point: a
block that does not lie in the target box at the end does not count, where the clinical test lets
one count that fell out after it was carried over. Its human norms are therefore no yardstick.

Positions are in m in the frame of the boxes: the partition is the plane x = 0, blocks go from
x < 0 to x > 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.errors import BadInput
from hil.metrology.series import Series, absent_samples, in_seconds
from hil.metrology.summary import CONFIDENCE, Measure, mean_measure

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Rules:
    """`target_low_m` and `target_high_m` are the corners of the target box, in which a block's
    middle has to lie at the end. A block is in the hand while its middle is within `reach_m` of
    the fingertips. The hand is back for the next block once it is `clear_m` behind the
    partition. Positions are not bridged over gaps longer than `longest_gap_s`."""

    target_low_m: Vector
    target_high_m: Vector
    reach_m: float
    time_s: float = 60.0
    clear_m: float = 0.01
    longest_gap_s: float = 0.2


class Fate(StrEnum):
    """What became of a block; only `CARRIED` counts."""

    CARRIED = "carried"
    STAYED = "stayed"  # never went over, or is back
    THROWN = "thrown"  # went over without the hand, or the hand let go of it before crossing
    TOGETHER = "together"  # a further block of one crossing of the hand
    DROPPED = "dropped"  # went over and does not lie in the target box
    HELD = "held"  # not let go of when the time was over
    UNSEEN = "unseen"  # not tracked where it went over, or at the end


@dataclass(frozen=True, slots=True)
class Tally:
    """The score of one episode: the fate of each block, and the time it took, which is the time
    allowed, or less where all blocks were carried before. `absent` counts lost samples."""

    fates: tuple[Fate, ...]
    elapsed_s: float
    absent: int

    @property
    def carried(self) -> int:
        """Blocks that count."""
        return self.fates.count(Fate.CARRIED)

    @property
    def per_minute(self) -> float:
        """Blocks that count, a minute."""
        return 60 * self.carried / self.elapsed_s


@dataclass(frozen=True, slots=True)
class _Passage:
    """Fate of a block so far, and when it went over for the last time."""

    fate: Fate
    over_ns: int = 0


def tally(start_ns: int, fingertips_m: Series, blocks_m: Sequence[Series], rules: Rules) -> Tally:
    """Score of one episode from where the fingertips (n, 3) and each block (n_b, 3) were.

    Errors: BadInput where a block does not begin on the source side, where nothing was recorded
    at `start_ns`, or where the record ends before the time allowed with blocks left: its rate
    would be that of its best part.
    """
    end_ns = start_ns + round(rules.time_s * NS_PER_S)
    ended_ns = min(end_ns, int(fingertips_m.stamp_ns[-1]))
    hand = fingertips_m.between(start_ns, end_ns)
    if len(hand.value) < 2 or fingertips_m.stamp_ns[0] > start_ns:
        raise BadInput(
            f"{fingertips_m.name}: not recorded from {start_ns} ns on",
            "begin the record before the test, and give its start on the record's clock",
        )
    passages = [_passage(hand, one, start_ns, ended_ns, rules) for one in blocks_m]
    passages = _one_at_a_time(passages, _returns(hand, rules.clear_m))
    fates = tuple(passage.fate for passage in passages)
    last_ns = max((passage.over_ns for passage in passages), default=0)
    done = bool(fates) and set(fates) == {Fate.CARRIED}
    if in_seconds(end_ns - ended_ns) > rules.longest_gap_s and not done:
        raise BadInput(
            f"{fingertips_m.name}: the record ends {in_seconds(end_ns - ended_ns):.3g} s before"
            f" the {rules.time_s:g} s allowed, with blocks left",
            "record the whole time, or set the time allowed before the test",
        )
    elapsed_s = in_seconds(last_ns - start_ns) if done else rules.time_s
    return Tally(fates, elapsed_s, absent_samples([fingertips_m, *blocks_m]))


def tally_measures(
    tallies: Sequence[Tally], confidence: float = CONFIDENCE
) -> tuple[Measure, Measure]:
    """Blocks carried and blocks a minute, means over episodes; `method` tells what became of
    the blocks that do not count. Errors: BadInput for fewer than three episodes."""
    lost: Counter[Fate] = Counter(
        fate for one in tallies for fate in one.fates if fate is not Fate.CARRIED
    )
    told = ", ".join(f"{lost[fate]} {fate}" for fate in Fate if lost[fate])
    said = "box and blocks" + (f"; not counted: {told}" if told else "")
    absent = sum(one.absent for one in tallies)
    parts = [
        ("blocks carried", [float(one.carried) for one in tallies], "1"),
        ("blocks a minute", [one.per_minute for one in tallies], "1/min"),
    ]
    carried, rate = (
        mean_measure(name, values, unit, confidence=confidence, method=said, absent=absent)
        for name, values, unit in parts
    )
    return carried, rate


def _passage(hand: Series, block: Series, start_ns: int, end_ns: int, rules: Rules) -> _Passage:
    """The fate of one block, but for whether others went with it."""
    seen = block.between(start_ns, end_ns)
    if len(seen.value) < 2 or seen.value[0, 0] > 0:
        raise BadInput(
            f"{block.name}: {len(seen.value)} samples in the time, the first beyond the partition",
            "begin with every block in the source box, tracked",
        )
    if in_seconds(end_ns - int(seen.stamp_ns[-1])) > rules.longest_gap_s:
        return _Passage(Fate.UNSEEN)
    across = np.flatnonzero((seen.value[:-1, 0] <= 0) & (seen.value[1:, 0] > 0))
    if not len(across) or seen.value[-1, 0] <= 0:
        return _Passage(Fate.STAYED)
    row = int(across[-1])
    tips = hand.at(seen.stamp_ns, rules.longest_gap_s)
    away = np.linalg.norm(seen.value - tips, axis=1)
    gap_s = in_seconds(int(seen.stamp_ns[row + 1] - seen.stamp_ns[row]))
    if np.isnan(away[row : row + 2]).any() or gap_s > rules.longest_gap_s:
        return _Passage(Fate.UNSEEN)
    free = row + 1 + np.flatnonzero(away[row + 1 :] > rules.reach_m)
    held = slice(row, int(free[0]) if len(free) else len(away))
    in_hand = away[row] <= rules.reach_m and held.stop > row + 1
    if not in_hand or not (tips[held, 0] > 0).any():
        return _Passage(Fate.THROWN)
    if not len(free):
        return _Passage(Fate.HELD)
    inside = _inside(seen.value[-1], rules)
    return _Passage(Fate.CARRIED if inside else Fate.DROPPED, int(seen.stamp_ns[row + 1]))


def _one_at_a_time(passages: Sequence[_Passage], returns_ns: FloatArray) -> list[_Passage]:
    """Of the blocks carried between two returns of the hand, only the first counts."""
    trips: set[int] = set()
    found = list(passages)
    carried = [at for at, one in enumerate(passages) if one.fate is Fate.CARRIED]
    for at in sorted(carried, key=lambda at: passages[at].over_ns):
        trip = int(np.searchsorted(returns_ns, passages[at].over_ns))
        if trip in trips:
            found[at] = replace(passages[at], fate=Fate.TOGETHER)
        trips.add(trip)
    return found


def _returns(hand: Series, clear_m: float) -> FloatArray:
    """Instants in ns at which the hand had come back from beyond the partition; jitter within
    `clear_m` of the partition is no return."""
    across = hand.value[:, 0]
    rows = np.flatnonzero(np.abs(across) > clear_m)
    side = np.sign(across[rows])
    back = rows[1:][(side[:-1] > 0) & (side[1:] < 0)]
    return hand.stamp_ns[back].astype(np.float64)


def _inside(point: FloatArray, rules: Rules) -> bool:
    low, high = np.array(rules.target_low_m), np.array(rules.target_high_m)
    return bool(((point >= low) & (point <= high)).all())
