"""Element kind `seam`: what a blade on a gantry cuts, and what that takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from gantry import Gantry

from hil.config import validate
from hil.errors import BadInput
from sim.scenery.element import Stage
from sim.scenery.seam import Seam, SeamSpec, build
from sim.world import World

STRENGTH, SPEED, HIGH = 3000.0, 0.1, 0.1
BEGIN = -0.095


def carton(**table: Any) -> SeamSpec:
    whole = {
        "name": "carton",
        "at": (0, 0, 0),
        "size": (0.2, 0.1, HIGH),
        "heights": (0.0, 0.0),
        "mass": 50.0,
        "give": 1e6,
        "damping": 5e3,
        "strength": STRENGTH,
        "blade": "tool",
        **table,
    }
    return validate(whole, SeamSpec, "test")


def set_up(
    world: World, depth: float, y: float = 0.0, yaw: float = 0.0, **table: Any
) -> tuple[Seam, Gantry]:
    """A carton on the ground, the blade's end `depth` m below its lid before the seam's start."""
    spec = carton(**table)
    ground = world.bullet.createCollisionShape(
        world.bullet.GEOM_PLANE, physicsClientId=world.client
    )
    world.bullet.createMultiBody(0, ground, physicsClientId=world.client)
    gantry = Gantry(world, "tool", (BEGIN, y, spec.height(BEGIN) - depth), (0, 0, yaw), solid=True)
    return build(Stage(world, [gantry.placed], lambda: 0.0), spec), gantry


def passed(element: Seam, gantry: Gantry, **speeds: float) -> dict[str, float]:
    """Over the whole lid, and what is so then."""
    gantry.run(element, 0.19 / SPEED, **(speeds or {"x": SPEED}))
    return dict(element.witness())


def test_a_seam_is_cut_by_a_blade_of_the_right_depth(world: World) -> None:
    element, gantry = set_up(world, 0.004)
    seen = passed(element, gantry)
    assert seen["carton.cut_share"] == 1.0
    assert seen["carton.deepest"] == pytest.approx(0.004, abs=3e-4)
    assert seen["carton.tip_over"] == pytest.approx(-0.004, abs=3e-4)
    assert seen["carton.cut_peak_n"] == pytest.approx(STRENGTH * 0.004, rel=0.08)
    assert seen["carton.robot_peak_n"] == 0.0, "the blade met the carton as a rigid body"


@pytest.mark.parametrize("depth", [-0.003, 0.001, 0.007])
def test_no_cell_is_cut_out_of_the_range_of_depths(world: World, depth: float) -> None:
    element, gantry = set_up(world, depth)
    seen = passed(element, gantry)
    assert seen["carton.cut_share"] == 0.0
    assert seen["carton.deepest"] == pytest.approx(max(0.0, depth), abs=4e-4)


def test_half_a_way_is_half_a_seam(world: World) -> None:
    element, gantry = set_up(world, 0.004)
    gantry.run(element, 0.095 / SPEED, x=SPEED)
    assert element.witness()["carton.cut_share"] == pytest.approx(0.5, abs=0.06)


def test_beside_the_seam_nothing_is_cut_and_it_takes_more(world: World) -> None:
    element, gantry = set_up(world, 0.004, y=0.005)
    seen = passed(element, gantry)
    assert seen["carton.cut_share"] == 0.0
    assert seen["carton.cut_peak_n"] == pytest.approx(2 * STRENGTH * 0.004, rel=0.08)


def test_a_blade_dragged_sideways_tears(world: World) -> None:
    yaw = 0.6
    element, gantry = set_up(world, 0.004, yaw=yaw)
    seen = passed(element, gantry, x=SPEED * math.cos(yaw), y=-SPEED * math.sin(yaw))
    assert seen["carton.cut_share"] == 0.0
    most = STRENGTH * 0.004 * math.hypot(math.cos(yaw), 3 * math.sin(yaw))
    assert seen["carton.cut_peak_n"] == pytest.approx(most, rel=0.08)


def test_what_is_cut_resists_less_and_what_stands_still_not_at_all(world: World) -> None:
    element, gantry = set_up(world, 0.004)
    passed(element, gantry)
    gantry.run(element, 0.8, x=-SPEED)
    element.witness()
    gantry.run(element, 0.5, x=-SPEED)
    assert element.witness()["carton.cut_peak_n"] == pytest.approx(0.2 * STRENGTH * 0.004, rel=0.08)
    gantry.run(element, 0.05)
    element.witness()
    gantry.run(element, 0.2)
    assert element.witness()["carton.cut_peak_n"] < 0.1


def test_the_blade_feels_what_the_carton_is_pushed_by(world: World) -> None:
    """The gantry's motor gives the cutting force, and a carton on ice takes it up."""
    element, gantry = set_up(world, 0.004, friction=0.0)
    gantry.run(element, 0.05, x=SPEED)
    assert gantry.loads()[0] == pytest.approx(STRENGTH * 0.004, rel=0.08)
    before = element.witness()["carton.speed"]
    gantry.run(element, 0.1, x=SPEED)
    gained = element.witness()["carton.speed"] - before
    assert gained == pytest.approx(STRENGTH * 0.004 / 50.0 * 0.1, rel=0.1)


def test_depth_is_below_a_lid_that_is_not_flat(world: World) -> None:
    spec = carton(heights=(0.0, 0.004, -0.002))
    assert [spec.height(x) for x in (-0.1, -0.05, 0.0, 0.05, 0.1)] == pytest.approx(
        [HIGH, HIGH + 0.002, HIGH + 0.004, HIGH + 0.001, HIGH - 0.002]
    )
    element, gantry = set_up(world, 0.003, heights=(0.0, 0.004, -0.002))
    gantry.run(element, 0.095 / SPEED, x=SPEED)
    assert element.witness()["carton.deepest"] == pytest.approx(0.0068, abs=5e-4)


def test_the_lid_is_solid_where_it_is_drawn(world: World) -> None:
    element, _ = set_up(world, -0.05, heights=(0.0, 0.004, -0.002))
    (placed,) = element.solids
    for x in (-0.08, -0.03, 0.04, 0.09):
        hit = world.bullet.rayTest((x, 0.03, 0.3), (x, 0.03, 0.0), physicsClientId=world.client)[0]
        assert hit[0] == placed.uid
        assert hit[3][2] == pytest.approx(carton(heights=(0, 0.004, -0.002)).height(x), abs=2e-4)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"heights": (-0.01, 0.01)}, "differ by more than 0.012"),
        ({"size": (0.02, 0.1, 0.1)}, "no seam inside its margins"),
        ({"depth": (0.006, 0.002)}, "no range from low to high"),
        ({"colour": 1}, "unknown key"),
    ],
)
def test_what_is_no_carton_is_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        carton(**table)


def test_a_plant_without_the_blade_is_refused(world: World) -> None:
    with pytest.raises(BadInput, match="'sword', which no robot"):
        build(Stage(world, [], lambda: 0.0), carton(blade="sword"))


def test_marks_show_what_is_cut(world: World) -> None:
    element, gantry = set_up(world, 0.004)
    gantry.run(element, 0.095 / SPEED, x=SPEED)
    element.show()
    heights = [
        world.bullet.getBasePositionAndOrientation(uid, physicsClientId=world.client)[0][2]
        for uid in element._marks
    ]
    shown = np.array(heights) > 0
    assert shown[:3].all()
    assert not shown[-3:].any()
