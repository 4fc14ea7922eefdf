"""Kind `scoop` of tool-use: its scene fits together, and its score is that of what is there at
the end. The expert's episode is too long for here; the scenario's brackets tell of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hil.record.format import Channel
from sim.robots import scoop
from sim.scenery.grains import level_of
from sim.sensing.rotation import matrix
from sim.tasks.kit.seen import Seen
from sim.tasks.tool_scoop import BIN, JOB, TUB, Parameters

ROWS, TICK_S = 400, 0.01
ASKED = Parameters()
DRAW = JOB.draw(ASKED, np.random.default_rng(5))
PORTION = int(DRAW["portion"])  # type: ignore[call-overload]


def seen(**last: float) -> Seen:
    """A record of an empty tub that is filled in its second half; `last` changes the last row,
    `__` standing for a dot."""
    place = [float(one) for one in DRAW["poses"]["tub"][:3]]  # type: ignore[index]
    table = {
        "grains.in_tub": np.where(np.arange(ROWS) < ROWS / 2, 0.0, PORTION),
        "grains.spilled": np.zeros(ROWS),
        "grains.speed_max": np.zeros(ROWS),
        "tub.robot_n": np.zeros(ROWS),
        **{f"tub.{axis}": np.full(ROWS, at) for axis, at in zip("xyz", place, strict=True)},
    }
    for label, value in last.items():
        table[label.replace("__", ".")][-1] = value
    values = np.stack(list(table.values()), axis=1)
    age = np.zeros(values.shape, dtype=np.int64)
    channel = Channel(values, np.zeros(ROWS, dtype=np.int64), age, tuple(table), "")
    return Seen(channel, np.arange(ROWS, dtype=np.float64) * TICK_S, {})


def verdicts(record: Seen) -> dict[str, bool | None]:
    return {one.name: one.ok for one in JOB.conditions(record, DRAW, ASKED)}


def test_a_tub_filled_and_left_at_rest_is_done() -> None:
    assert set(verdicts(seen()).values()) == {True}


@pytest.mark.parametrize(
    ("last", "failed"),
    [
        ({"grains__in_tub": 0.85 * PORTION}, "fill, share of the portion"),
        ({"grains__spilled": 2.0}, "spilled, share of the portion"),
        ({"grains__speed_max": 0.4}, "filled and at rest at the end"),
        ({"tub__robot_n": 0.5}, "filled and at rest at the end"),
        ({"tub__x": 0.9}, "tub moved"),
    ],
)
def test_what_is_not_so_at_the_end_is_no_success(last: dict[str, float], failed: str) -> None:
    assert verdicts(seen(**last))[failed] is False


def test_a_ball_is_spilled_at_most() -> None:
    """5 % of a portion of 18 to 24 balls is one ball, or none."""
    assert (ASKED.spill_limit * np.array(ASKED.asked)).max() < 2


@pytest.mark.parametrize("label", ["grains.in_tub", "grains.spilled", "tub.x", "tub.robot_n"])
def test_what_was_not_observed_is_undecided(label: str) -> None:
    record = seen()
    assert record.witness is not None
    names = tuple("other" if name == label else name for name in record.witness.labels)
    witness = record.witness
    fewer = Channel(witness.value, witness.stamp_ns, witness.age_ns, names, "")
    found = verdicts(Seen(fewer, record.elapsed_s, {}))
    assert None in found.values()
    assert False not in found.values()


def test_balls_fit_into_the_bin_and_a_portion_into_the_tub() -> None:
    most, radius = round(Parameters().grains[1]), Parameters().diameter_m[1] / 2
    assert BIN.places(most, radius) is not None
    assert level_of(TUB, Parameters().asked[1], radius) < TUB.rim - 0.03
    assert level_of(BIN, most, radius) < BIN.rim - 0.03


def test_the_scoop_goes_into_the_bin_and_over_the_tub() -> None:
    assert 2 * BIN.apothem - 2 * 0.025 > scoop.WIDE + 0.01
    assert 2 * TUB.apothem > scoop.WIDE


def test_draws_are_of_the_bin_to_the_right_and_the_tub_to_the_left() -> None:
    for seed in range(50):
        draw: Any = JOB.draw(ASKED, np.random.default_rng(seed))
        assert draw["poses"]["bin"][1] < -0.1 < 0.1 < draw["poses"]["tub"][1]
        assert matrix(np.array(draw["poses"]["tub"][3:])) == pytest.approx(np.eye(3))
        assert ASKED.asked[0] <= draw["portion"] <= ASKED.asked[1]
