"""Element kind `cable`: its physics against formulas, and what it says of itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.robots.so101 import GRAVITY
from sim.robots.urdf import Body, Box, Inertial, Link, Part
from sim.scenery.cable import Cable, CableSpec, build
from sim.scenery.element import Stage
from sim.world import World

MASS_PER_M = 0.1


class Bench:
    """A cable in a world of its own."""

    def __init__(self, step_hz: int, *, table: bool = False, **table_of: object) -> None:
        self.world, self.steps = World(step_hz), 0
        self.world.rebuild()
        if table:
            top = Part(Box((2.0, 2.0, 0.02)), (0.0, 0.0, -0.01))
            self.world.place(
                Body("top", [Link("top", Inertial.of(top.shape, 5.0), (top,))]), (0, 0, 0)
            )
        self.stage = Stage(self.world, [], lambda: self.steps * self.world.step_s)
        given = {"name": "c", "at": (0, 0, 1), "diameter": 0.008, "mass_per_m": MASS_PER_M}
        self.cable: Cable = build(self.stage, CableSpec.model_validate({**given, **table_of}))

    def run(self, seconds: float) -> dict[str, float]:
        for _ in range(round(seconds / self.world.step_s)):
            self.cable.before_step()
            self.world.step()
            self.steps += 1
            self.cable.after_step()
        return dict(self.cable.witness())

    def pin(self, segment: int, along: float, at: FloatArray) -> None:
        """Hold a place of a segment where it is."""
        self.world.bullet.createConstraint(
            self.stage.things[f"c.{segment}"].uid,
            -1,
            -1,
            -1,
            self.world.bullet.JOINT_POINT2POINT,
            (0, 0, 0),
            (0, 0, along),
            tuple(at),
            physicsClientId=self.world.client,
        )

    def energy(self, stiffness: float) -> float:
        """Of motion, height and springs together, J."""
        bullet, client, whole, axes = self.world.bullet, self.world.client, 0.0, []
        for segment in range(len(self.cable.solids)):
            uid = self.stage.things[f"c.{segment}"].uid
            facts = bullet.getDynamicsInfo(uid, -1, physicsClientId=client)
            at, turn = bullet.getBasePositionAndOrientation(uid, physicsClientId=client)
            linear, angular = bullet.getBaseVelocity(uid, physicsClientId=client)
            axes.append(np.array(bullet.getMatrixFromQuaternion(turn)).reshape(3, 3))
            mass, inertia = facts[0], np.array(facts[2])
            whole += mass * (np.dot(linear, linear) / 2 + GRAVITY * at[2])
            whole += float(inertia @ (axes[-1].T @ angular) ** 2) / 2
        for number, (one, two) in enumerate(pairwise(axes)):
            angle = math.acos(min(1.0, float(one[:, 2] @ two[:, 2])))
            whole += stiffness * (2 if number == 0 else 1) * angle**2 / 2
        return whole


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(step_hz: int, **more: object) -> Bench:
        made.append(Bench(step_hz, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.world.close()


@pytest.mark.parametrize(
    ("segments", "segment", "stiffness", "tolerance"),
    [(8, 0.020, 3e-3, 0.02), (4, 0.025, 1e-3, 0.06)],
)
def test_a_cantilever_droops_as_the_beam_formula_says(
    bench: Callable[..., Bench], segments: int, segment: float, stiffness: float, tolerance: float
) -> None:
    made = bench(
        4000,
        headings=[0.0] * (segments + 1),
        segment=segment,
        stiffness=stiffness,
        twisting=1e-5,
        damping=1e-4,
        drag=12.0,
        anchored=True,
    )
    droop = 1.0 - made.run(1.0)[f"c.n{segments + 1}.z"]
    length = segments * segment
    expected = MASS_PER_M * GRAVITY * length**4 / (8 * stiffness)
    assert expected < 0.2 * length  # the formula is of small angles
    assert droop == pytest.approx(expected, rel=tolerance)


def test_a_hanging_cable_is_a_catenary(bench: Callable[..., Bench]) -> None:
    made = bench(
        1000,
        headings=np.linspace(1.2, -1.2, 24).tolist(),
        segment=0.025,
        stiffness=1e-4,
        twisting=2e-5,
        drag=4.0,
    )
    first, last = (np.array([made.run(0)[f"c.n{n}.{a}"] for a in "xyz"]) for n in (0, 24))
    made.pin(0, -0.0125, first)
    made.pin(23, 0.0125, last)
    seen = made.run(4.0)
    low = min(seen[f"c.n{node}.z"] for node in range(25))
    assert 1.0 - low == pytest.approx(_sag(0.6, float(np.linalg.norm(last - first))), rel=0.02)


def _sag(length: float, span: float) -> float:
    """Of a catenary, by bisection: length = 2 a sinh(span / 2a), sag = a (cosh(span / 2a) - 1)."""
    few, many = 0.01, 10.0
    for _ in range(60):
        a = (few + many) / 2
        few, many = (a, many) if 2 * a * math.sinh(span / (2 * a)) > length else (few, a)
    return a * (math.cosh(span / (2 * a)) - 1)


def test_a_swinging_cable_gains_no_energy(bench: Callable[..., Bench]) -> None:
    made = bench(
        1000,
        headings=[0.0] * 12,
        segment=0.025,
        stiffness=5e-4,
        twisting=2e-5,
        damping=0.0,
        drag=0.0,
        anchored=True,
    )
    begun, scale = made.energy(5e-4 / 0.025), MASS_PER_M * 0.275 * GRAVITY * 0.275 / 2
    for _ in range(20):
        made.run(0.1)
        assert made.energy(5e-4 / 0.025) <= begun + 0.02 * scale


def test_the_anchor_feels_the_weight(bench: Callable[..., Bench]) -> None:
    made = bench(1000, headings=[0.0] * 9, segment=0.025, stiffness=0.0, drag=2.0, anchored=True)
    weight = MASS_PER_M * 0.2 * GRAVITY
    swung = made.run(0.5)
    assert swung["c.tension_peak_n"] > max(1.2 * weight, swung["c.tension_n"])
    assert made.run(3.5)["c.tension_n"] == pytest.approx(weight, rel=0.03)
    assert made.run(0.1)["c.tension_peak_n"] == pytest.approx(weight, rel=0.05)


def test_it_yields_lengthwise_no_more_than_it_says(bench: Callable[..., Bench]) -> None:
    made = bench(1000, headings=[0.0] * 25, segment=0.025, stiffness=2e-4, drag=5.0, anchored=True)
    last, bullet = made.stage.things["c.24"], made.world.bullet
    made.world.bullet.setGravity(0, 0, 0, physicsClientId=made.world.client)
    for _ in range(500):
        bullet.applyExternalForce(
            last.uid,
            -1,
            (0.0, 0.0, 5.0),  # its z is along the cable
            (0.0, 0.0, 0.0),
            bullet.LINK_FRAME,
            physicsClientId=made.world.client,
        )
        made.run(made.world.step_s)
    seen = made.cable.witness()
    assert seen["c.tension_n"] == pytest.approx(5.0, rel=0.02)
    assert 0.625 <= seen["c.n25.x"] <= 0.625 * 1.01


def test_on_a_table_it_comes_to_rest_where_it_lay(bench: Callable[..., Bench]) -> None:
    made = bench(
        1000,
        table=True,
        at=(0.0, 0.0, 0.005),
        headings=np.linspace(0.0, 0.5, 24).tolist(),
        segment=0.025,
        stiffness=3e-4,
        twisting=2e-5,
        rolling=5e-4,
        markers=(0, 24),
    )
    before = made.cable.poses()
    seen = made.run(1.0)
    seen = made.run(0.01)
    assert seen["c.speed"] < 0.005
    assert seen["c.robot_n"] == 0.0
    assert "c.tension_n" not in seen
    for name, place in made.cable.poses().items():
        assert np.linalg.norm(place[:2] - before[name][:2]) < 0.02
        assert place[2] == pytest.approx(0.004, abs=0.0005)


def _spec(**more: object) -> CableSpec:
    given = {"name": "c", "at": (0, 0, 1), "diameter": 0.008, "mass_per_m": MASS_PER_M}
    return CableSpec.model_validate(
        {"headings": [0.0] * 5, "segment": 0.01, "stiffness": 0.0, **given, **more}
    )


@pytest.mark.parametrize("springs", [{"stiffness": 5e-3}, {"twisting": 1e-3}])
def test_what_would_be_unstable_is_refused(springs: dict[str, float]) -> None:
    _spec(**springs).refuse_unstable(1e-5)
    with pytest.raises(BadInput, match="too stiff for steps of 2 ms"):
        _spec(**springs).refuse_unstable(0.002)


def test_a_scene_refuses_it_too(bench: Callable[..., Bench]) -> None:
    made = bench(500, headings=[0.0] * 2, segment=0.1, stiffness=0.0)
    with pytest.raises(BadInput, match="too stiff"):
        build(made.stage, _spec(stiffness=5e-3))


def test_a_marker_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"nodes 0 to 5, and not \[7\]"):
        _spec(markers=[1, 7])
