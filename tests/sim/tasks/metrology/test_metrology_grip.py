from __future__ import annotations

from pathlib import Path

import pytest
from manipulation import Tried, changed, without
from metrology import figure, measured, varied
from pydantic import ValidationError

from sim.robots.gripper import GRIP
from sim.tasks.metrology.grip import STRENGTH, CycleParameters, StrengthParameters
from sim.tasks.metrology.slip import SlipParameters

RIG = "sim-panda"


@pytest.fixture(scope="module")
def squeezed(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    folder = tmp_path_factory.mktemp("strength")
    return measured(varied(folder, "char-grip-strength", "cycles = 5"), RIG)


def test_the_current_limit_of_the_gripper_is_its_strength(squeezed: Tried) -> None:
    assert squeezed.score.success is True, squeezed.score
    for name, wanted in (
        ("finger strength, left [N]", GRIP),
        ("finger strength, right [N]", GRIP),
        ("grasp strength [N]", 2 * GRIP),
    ):
        assert figure(squeezed, name)[0] == pytest.approx(wanted, rel=1e-3)


def test_the_same_record_fails_a_stronger_declaration(squeezed: Tried) -> None:
    asked = StrengthParameters(cycles=5, declared_finger_n=35.0)
    score = STRENGTH.score(squeezed.episode, asked)
    assert {one.name for one in score.conditions if one.ok is False} == {"finger strength"}


def test_a_finger_that_did_not_press_is_no_repeat(squeezed: Tried) -> None:
    weak = changed(squeezed.episode, slice(None), block__low_n=0.0)
    score = STRENGTH.score(weak, squeezed.parameters)
    assert score.success is False
    assert not score.measures
    unseen = without(squeezed.episode, "block.high_n")
    assert STRENGTH.score(unseen, squeezed.parameters).success is None


@pytest.mark.parametrize("friction", [0.3, 0.6])
def test_a_block_slips_where_coulomb_says(tmp_path: Path, friction: float) -> None:
    task = (
        f"cycles = 3\nfriction = {friction}\nrate_n_s = 10.0\nlongest_s = 5.0"
        "\ndeclared_slip_n = 20.0"
    )
    done = measured(varied(tmp_path, "char-slip-resistance", task), RIG)
    assert figure(done, "slip resistance [N]")[0] == pytest.approx(2 * friction * GRIP, rel=0.03)
    ratio = figure(done, "slip resistance over Coulomb friction [1]")[0]
    assert ratio == pytest.approx(1.0, abs=0.03)
    assert done.named()["slip resistance"] is (friction > 0.5)


def test_a_pull_that_ends_before_the_slip_is_a_lower_bound(tmp_path: Path) -> None:
    task = "cycles = 3\nfriction = 1.2\nrate_n_s = 5.0\nlongest_s = 3.0\ndeclared_slip_n = 10.0"
    done = measured(varied(tmp_path, "char-slip-resistance", task), RIG)
    name = "slip resistance [N]"
    assert done.score.measures[name] == pytest.approx(15.0, abs=0.5)
    assert f"{name} to" not in done.score.measures  # it is open above


def test_cycles_are_counted_by_force_and_opening(tmp_path: Path) -> None:
    done = measured(varied(tmp_path, "char-grasp-cycle", "cycles = 6\nlimit_s = 8.0"), RIG)
    assert done.score.success is True, done.score
    # 20 mm of opening at twice 50 mm/s, there and back, and the hold between them
    assert 0.5 < figure(done, "grasp cycle time [s]")[0] < 1.0
    idle = measured(varied(tmp_path, "char-grasp-cycle", "cycles = 3\nlimit_s = 5.0"), RIG, "null")
    assert idle.score.success is False


def test_what_the_stand_cannot_do_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"less than or equal to 0\.07"):
        StrengthParameters(width_m=0.09)
    with pytest.raises(ValidationError, match=r"within \[-0\.003, 0\.003\] m"):
        SlipParameters(off_m=(-0.01, 0.01))
    with pytest.raises(ValidationError, match="50 s or more would do"):
        CycleParameters(cycles=100, limit_s=20.0)
