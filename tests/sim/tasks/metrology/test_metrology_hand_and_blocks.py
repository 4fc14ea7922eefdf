from __future__ import annotations

from pathlib import Path

import pytest
from manipulation import Tried, changed, without
from metrology import figure, measured, varied
from pydantic import ValidationError

from sim.tasks.metrology.blocks import BLOCKS, BlocksParameters
from sim.tasks.metrology.hand import RANGE, RangeParameters


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    folder = tmp_path_factory.mktemp("hand")
    return measured(varied(folder, "char-in-hand-range", "cycles = 3"), "sim-hand4")


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    task = "blocks = 4\ntime_s = 14.0"
    folder = tmp_path_factory.mktemp("blocks")
    return measured(varied(folder, "char-box-and-blocks", task), "sim-panda")


def test_a_cube_is_turned_as_far_as_it_was_commanded(turned: Tried) -> None:
    assert turned.score.success is True, turned.score
    commanded = 2 * RangeParameters().swing_rad
    assert figure(turned, "in-hand range [rad]")[0] == pytest.approx(commanded, rel=0.25)


def test_a_cube_that_fell_has_the_range_from_before(turned: Tried) -> None:
    lost = changed(turned.episode, slice(-180, None), cube__z=0.0)
    score = RANGE.score(lost, turned.parameters)
    whole = figure(turned, "in-hand range [rad]")
    assert score.measures["in-hand range [rad]"] < whole[0]
    still = changed(turned.episode, slice(None), cube__qx=0.0, cube__qy=0.0)
    still = changed(still, slice(None), cube__qz=0.0, cube__qw=1.0)
    assert RANGE.score(still, turned.parameters).success is False
    assert RANGE.score(without(turned.episode, "cube.z"), turned.parameters).success is None


def test_blocks_are_carried_over(carried: Tried) -> None:
    found = carried.score.measures
    assert found["blocks carried [1]"] >= 2
    assert found["blocks a minute [1/min]"] >= 8


def test_a_block_that_nobody_carried_does_not_count(carried: Tried) -> None:
    found = carried.score.measures["blocks carried [1]"]
    # the last block stays where it was, and is over all at once, far from the hand
    thrown = changed(carried.episode, slice(None), block3__y=-0.2, block3__z=0.0125)
    thrown = changed(thrown, slice(-60, None), block3__y=0.2)
    score = BLOCKS.score(thrown, carried.parameters)
    assert score.measures["blocks carried [1]"] == found - 1
    assert score.measures["blocks thrown [1]"] == 1
    gone = changed(carried.episode, slice(-60, None), block0__y=0.9)
    assert BLOCKS.score(gone, carried.parameters).measures["blocks carried [1]"] == found - 1
    unseen = without(carried.episode, "block2.x")
    assert BLOCKS.score(unseen, carried.parameters).success is None


def test_nobody_carries_nothing(tmp_path: Path) -> None:
    task = "blocks = 2\ntime_s = 5.0"
    idle = measured(varied(tmp_path, "char-box-and-blocks", task), "sim-panda", "null")
    assert idle.score.success is False
    task = "cycles = 3\nmove_s = 0.4\nrest_s = 0.2"
    still = measured(varied(tmp_path, "char-in-hand-range", task), "sim-hand4", "null")
    assert still.score.success is False


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"less than or equal to 25"):
        BlocksParameters(blocks=40)
    with pytest.raises(ValidationError, match=r"less than or equal to 0\.8"):
        RangeParameters(swing_rad=1.5)
