from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from hil.errors import BadInput
from sim.robots import so101
from sim.robots.urdf import Body, Box, Cylinder, Inertial, Link, Part, Sphere, to_urdf
from sim.world import World


def test_without_pybullet_the_remedy_names_the_python_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pybullet", None)
    with pytest.raises(BadInput, match=r"3\.10 and 3\.11"):
        World(1000)


def test_a_closed_world_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    world = World(1000)
    world.rebuild()
    world.place(so101.body(), (0.0, 0.0, 0.0))
    assert list(tmp_path.rglob("*.urdf"))
    world.close()
    world.close()
    assert not list(tmp_path.iterdir())


def test_a_placed_body_stands_where_it_was_put() -> None:
    world = World(1000)
    try:
        world.rebuild()
        box = Part(Box((0.1, 0.1, 0.1)))
        body = Body("box", [Link("box", Inertial.of(box.shape, 1.0), (box,))])
        placed = world.place(body, (0.1, 0.2, 0.3), 0.5)
        at, turn = world.bullet.getBasePositionAndOrientation(
            placed.uid, physicsClientId=world.client
        )
        np.testing.assert_allclose(at, [0.1, 0.2, 0.3], atol=1e-9)
        np.testing.assert_allclose(world.bullet.getEulerFromQuaternion(turn)[2], 0.5, atol=1e-9)
        near = world.place(body, (0.18, 0.2, 0.3), 0.5)
        far = world.place(body, (0.5, 0.2, 0.3), 0.5)
        assert world.overlap(placed, near) > 0.005
        assert world.overlap(placed, far) == 0.0
    finally:
        world.close()


def test_equal_bodies_give_equal_text_and_every_link_has_its_mass() -> None:
    text = to_urdf(so101.body())
    assert text == to_urdf(so101.body())
    robot = ET.fromstring(text)
    for link in robot.iter("link"):
        mass = link.find("inertial/mass")
        assert mass is not None, link.get("name")
        assert float(mass.get("value", "0")) > 0
    assert max(map(len, text.splitlines())) < 1000  # PyBullet cuts long lines


@pytest.mark.parametrize(
    ("shape", "moments"),
    [
        (Box((0.1, 0.2, 0.3)), (0.13 / 12, 0.10 / 12, 0.05 / 12)),
        (Cylinder(0.1, 0.3), (0.01, 0.01, 0.005)),
        (Sphere(0.1), (0.004, 0.004, 0.004)),
    ],
)
def test_inertia_of_primitives(
    shape: Box | Cylinder | Sphere, moments: tuple[float, float, float]
) -> None:
    np.testing.assert_allclose(shape.inertia(1.0), moments)
