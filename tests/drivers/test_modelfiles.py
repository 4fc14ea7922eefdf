"""Models as files: those of the package, one of the user's own, and names that there are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from drivers.modelfiles import ModelFolder, refuse_unknown
from hil.errors import BadInput


class Pen(BaseModel):
    """Schema of the models here."""

    model_config = ConfigDict(extra="forbid")
    colour: str


@pytest.fixture
def pens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFolder:
    """A package with two pens, and files beside them that are none."""
    folder = tmp_path / "stationery" / "pens"
    folder.mkdir(parents=True)
    (tmp_path / "stationery" / "__init__.py").touch()
    (folder / "red.toml").write_text('colour = "red"\n')
    (folder / "blue-2.toml").write_text('colour = "blue"\n')
    (folder / "broken.toml").write_text('color = "red"\n')
    (folder / "README").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    return ModelFolder("stationery", "pens", "pen")


def test_models_of_the_package_by_name(pens: ModelFolder) -> None:
    assert pens.names() == ["blue-2", "broken", "red"]
    assert pens.load("red", Pen) == Pen(colour="red")
    assert pens.load("blue-2", Pen, Path()) == Pen(colour="blue")


def test_a_folder_that_is_a_package_by_itself(pens: ModelFolder) -> None:
    alone = ModelFolder("stationery.pens", "", "pen")
    assert alone.names() == pens.names()
    assert alone.load("red", Pen) == Pen(colour="red")


@pytest.mark.parametrize("name", ["green", "../pens/red", "red.toml", ""])
def test_names_that_there_are_not(pens: ModelFolder, name: str) -> None:
    with pytest.raises(BadInput, match=f"no pen is called {name!r}") as caught:
        pens.load(name, Pen)
    assert caught.value.remedy == "known: blue-2, broken, red"


def test_one_of_the_user_s_own_lies_beside_the_rig_file(pens: ModelFolder, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('colour = "ochre"\n')
    assert pens.load("mine.toml", Pen, tmp_path) == Pen(colour="ochre")
    with pytest.raises(BadInput, match="no such file"):
        pens.load("yours.toml", Pen, tmp_path)
    with pytest.raises(BadInput) as caught:
        pens.load("mine", Pen, tmp_path)
    assert "NAME.toml of your own" in caught.value.remedy


def test_a_file_that_is_wrong_is_named_with_its_keys(pens: ModelFolder) -> None:
    with pytest.raises(
        BadInput, match=r"pen broken: 2 faults\n  colour: missing\n  color: unknown"
    ):
        pens.load("broken", Pen)


def test_parts_that_a_device_does_not_have() -> None:
    refuse_unknown("calibration", ["index"], "the hand", "fingers", ("index", "thumb"))
    with pytest.raises(BadInput, match="calibration names unknown fingers: ring, toe") as caught:
        refuse_unknown("calibration", ["toe", "thumb", "ring"], "the hand", "fingers", ("thumb",))
    assert caught.value.remedy == "the hand has: thumb"
