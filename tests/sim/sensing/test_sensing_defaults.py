"""The default sensors, and the page that says where their figures come from."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from sim.sensing.channel import Sampling
from sim.sensing.defaults import Defaults, load_defaults
from sim.sensing.imu import Imu
from sim.sensing.materials import load_materials
from sim.sensing.microphone import Microphone
from sim.sensing.tactile import Pad
from sim.sensing.tracker import Tracker
from sim.sensing.wrench import Wrench

PAGE = Path(__file__).parents[3] / "docs" / "sensors.md"
ROW = re.compile(r"^\| `([a-z_.]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def flat(table: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_the_page_has_every_default_with_its_value_and_a_source() -> None:
    text = files("sim.sensing").joinpath("defaults.toml").read_text(encoding="utf-8")
    table = dict(flat(tomllib.loads(text)))
    rows = {key: (value, source) for key, value, source in ROW.findall(PAGE.read_text())}
    assert rows.keys() == table.keys()
    for key, value in table.items():
        told, source = rows[key]
        wanted = value if isinstance(value, str) else json.loads(told)
        assert wanted == value, key
        assert told == value or not isinstance(value, str)
        assert source.strip()


def test_the_page_names_every_key_that_all_sensors_have() -> None:
    page = PAGE.read_text()
    assert [key for key in Sampling.model_fields if f"`{key}`" not in page] == []
    assert [name for name in load_materials() if name not in page] == []


def test_the_defaults_survive_plain_data() -> None:
    defaults = load_defaults()
    plain = json.loads(json.dumps(defaults.model_dump(mode="json")))
    assert Defaults.model_validate(plain) == defaults


def test_each_default_makes_a_sensor_whose_facts_fit() -> None:
    defaults, materials = load_defaults(), load_materials()
    sensors = [
        Wrench("w", defaults.wrench, 1),
        Pad("p", defaults.tactile, 1),
        Tracker("t", defaults.tracker, 1),
        Imu("i", defaults.imu, 1),
        Microphone("m", defaults.microphone, materials, 1),
    ]
    kinds = {sensor.facts.kind for sensor in sensors}
    assert len(kinds) == len(sensors)
    for sensor in sensors:
        facts = sensor.facts
        sample = sensor.channel.newest(0)
        assert len(facts.labels) == len(set(facts.labels)) == len(facts.units) == len(sample.value)
        assert facts.rate_hz > 0
        assert not sample.present.any()


@pytest.mark.parametrize("name", ["wrench", "tactile", "tracker", "imu", "microphone"])
def test_an_unknown_key_is_refused(name: str) -> None:
    plain = load_defaults().model_dump()
    plain[name]["delay_ms"] = 3.0
    with pytest.raises(ValueError, match="delay_ms"):
        Defaults.model_validate(plain)
