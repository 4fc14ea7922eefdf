"""A fixture says what presses on it, and a tracker says where the drawing has it."""

from __future__ import annotations

import pytest

from sim.plant import Plant
from sim.plants import panda

GRAVITY = 9.81
MASS = 0.4


def _scene(**more: object) -> dict[str, object]:
    part = {"shape": "box", "size": [0.06, 0.06, 0.02]}
    return {
        "elements": [
            {"kind": "fixture", "name": "nest", "parts": [part], "at": [0.5, 0.1, 0.011], **more},
            {"kind": "body", "name": "load", "parts": [part], "mass": MASS, "at": [0.5, 0.1, 0.04]},
        ]
    }


@pytest.fixture
def plant() -> Plant:
    made = panda(1000)
    yield made  # type: ignore[misc]
    made.close()


@pytest.mark.parametrize("stiffness", [None, 5e4])
def test_it_feels_what_stands_on_it_and_the_blow_before(
    plant: Plant, stiffness: float | None
) -> None:
    plant.arrange(_scene(stiffness=stiffness), plant.home)
    for _ in range(1000):
        plant.step()
    first = plant.witness()
    assert first["nest.force_n"] == pytest.approx(MASS * GRAVITY, rel=0.02)
    assert first["nest.force_peak_n"] > 2 * MASS * GRAVITY
    plant.step()
    assert plant.witness()["nest.force_peak_n"] == pytest.approx(MASS * GRAVITY, rel=0.02)


def test_it_gives_as_its_stiffness_says(plant: Plant) -> None:
    """Four corners carry the load, so it sinks by m g / 4 k."""
    plant.arrange(_scene(stiffness=1e3, damping=20.0), plant.home)
    for _ in range(1000):
        plant.step()
    assert plant.witness()["load.z"] == pytest.approx(0.031 - MASS * GRAVITY / 4e3, abs=1e-4)


def test_it_is_told_where_it_is_not_and_untold_it_is_not_tracked(plant: Plant) -> None:
    told = {"at": [0.502, 0.098, 0.011], "turn": [0.0, 0.0, 0.0, 1.0]}
    plant.arrange(_scene(told=told), plant.home)
    assert plant.track()["nest"].tolist() == [*told["at"], *told["turn"]]
    plant.arrange(_scene(), plant.home)
    assert "nest" not in plant.track()
