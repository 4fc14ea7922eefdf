"""What a person reads when a file is wrong: the file, the keys, what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.catalogue import load_profile, load_rig, load_scenario, profile_files, rig_files
from hil.config import load_toml
from hil.errors import BadInput
from rigs.schema import Rig
from scenarios.schema import Loop, Scenario

ROOT = Path(__file__).parents[2]
RIG = (ROOT / "rigs" / "twin-so101.toml").read_text()


def fault(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rig.toml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_toml(path, Rig)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_shipped_files_are_valid() -> None:
    for name in rig_files():
        assert load_rig(name)[0].name == name
    for name in profile_files():
        for entry in load_profile(name)[0].scenarios:
            assert load_scenario(entry.id)[0].id == entry.id


def test_broken_toml_names_line_and_column(tmp_path: Path) -> None:
    assert "line 2" in fault(tmp_path, 'schema = 1\nname = "x\n')


def test_unknown_key_names_its_path_and_the_nearest_known(tmp_path: Path) -> None:
    text = RIG.replace('role = "arm"\ndriver =', 'role = "arm"\ndrivr =')
    said = fault(tmp_path, text)
    assert "devices.0.drivr: unknown key; did you mean 'driver'?" in said
    assert "devices.0.driver: missing" in said, "every fault is listed at once"


def test_wrong_unit_says_which_is_expected(tmp_path: Path) -> None:
    said = fault(tmp_path, RIG.replace("step_rad = 0.12", "step_deg = 7"))
    assert "limits.step_deg: unknown key; this value is expected in radians, as 'step_rad'" in said


def test_wrong_value_names_value_and_unit(tmp_path: Path) -> None:
    said = fault(tmp_path, RIG.replace("step_rad = 0.12", "step_rad = -1"))
    assert "limits.step_rad" in said
    assert "got -1 (in radians)" in said


def test_twin_port_that_is_not_served(tmp_path: Path) -> None:
    said = fault(tmp_path, RIG.replace('port = { twin = "terminal" }', 'port = { twin = "tty" }'))
    assert "wants twin port 'tty'" in said
    assert "servo-bus" in said


def test_a_port_is_named_in_exactly_one_way(tmp_path: Path) -> None:
    said = fault(
        tmp_path, RIG.replace('{ twin = "terminal" }', '{ twin = "terminal", by_path = "x" }')
    )
    assert "exactly one of usb_serial, by_path, url or twin" in said


def test_two_devices_in_one_role(tmp_path: Path) -> None:
    said = fault(tmp_path, RIG.replace('role = "terminal"', 'role = "arm"'))
    assert "used twice: arm" in said


def test_unknown_rig_lists_the_known_ones() -> None:
    with pytest.raises(BadInput, match="did you mean 'twin-so101'"):
        load_rig("twin-so100")


def test_budget_that_the_rate_cannot_hold_names_the_rate_that_would_do() -> None:
    budget = {"wake": 1000, "sense": 5000, "infer": 20000, "act": 1000, "reaction": 30000}
    with pytest.raises(ValueError, match=r"33.3 Hz would do"):
        Loop.model_validate({"rate_hz": 50, "infer_timeout_ms": 100, "budget_us": budget})


def test_claim_faults_are_named_without_pydantic_words(tmp_path: Path) -> None:
    _, path = load_scenario("care-light-switch-press")
    bad = tmp_path / "care-light-switch-press.toml"
    bad.write_text(path.read_text().replace("bound_us", "bound_ms"))
    with pytest.raises(BadInput) as caught:
        load_toml(bad, Scenario)
    assert "expected in microseconds, as 'bound_us'" in str(caught.value)
