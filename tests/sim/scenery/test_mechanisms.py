"""Element kind `mechanism`: what its joints, springs, catches and witnesses do, in the world."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hil.config import validate
from hil.errors import BadInput
from sim.robots.so101 import GRAVITY
from sim.robots.urdf import Body, Box, Inertial, Link, Part
from sim.scenery.element import Stage
from sim.scenery.mechanisms import Mechanism, MechanismSpec, build
from sim.scenery.movers import Mover, MoverSpec
from sim.world import Placed, Surface, World

STEP_HZ = 1000
BOX = {"shape": "box", "size": [0.1, 0.1, 0.1]}
DOWN = (0.0, 0.0, -1.0)


def mover(**table: Any) -> dict[str, Any]:
    slider = {"name": "part", "moves": "slides", "parts": [BOX], "mass": 1.0}
    return {**slider, "axis": DOWN, "lower": -1.0, "upper": 1.0, **table}


def mechanism(
    world: World, *movers: dict[str, Any], robots: list[Placed] | None = None, **table: Any
) -> Mechanism:
    whole = {"name": "thing", "at": (0, 0, 1), "frame": [BOX], "movers": movers, **table}
    spec = validate(whole, MechanismSpec, "test")
    return build(Stage(world, robots or [], lambda: 0.0), spec)


def run(world: World, element: Mechanism, seconds: float) -> dict[str, float]:
    for _ in range(round(seconds * STEP_HZ)):
        element.before_step()
        world.step()
        element.after_step()
    return dict(element.witness())


def weight(world: World, at: tuple[float, float, float], mass: float, turn: float = 0.0) -> Placed:
    """A free block that plays the robot."""
    part = Part(Box((0.05, 0.05, 0.05)))
    body = Body("block", [Link("block", Inertial.of(part.shape, mass), (part,))])
    placed = world.put(body, at, (0.0, math.sin(turn / 2), 0.0, math.cos(turn / 2)), fixed=False)
    world.surface(placed, -1, Surface(1.0))
    return placed


def test_friction_holds_up_to_its_force_and_no_further(world: World) -> None:
    element = mechanism(
        world,
        mover(name="held", friction=GRAVITY * 1.02),
        mover(name="slips", friction=GRAVITY / 2, at=(0.5, 0, 0)),
    )
    seen = run(world, element, 0.4)
    assert abs(seen["thing.held.travel"]) < 1e-6
    assert seen["thing.slips.speed"] == pytest.approx(GRAVITY / 2 * 0.4, rel=0.01)


def test_damping_and_spring_bring_a_weight_to_rest(world: World) -> None:
    element = mechanism(
        world,
        mover(name="sinks", damping=50.0),
        mover(name="hangs", stiffness=200.0, damping=20.0, at=(0.5, 0, 0)),
    )
    seen = run(world, element, 2.0)
    assert seen["thing.sinks.speed"] == pytest.approx(GRAVITY / 50, rel=0.01)
    assert seen["thing.hangs.travel"] == pytest.approx(GRAVITY / 200, rel=0.01)


def test_a_hinge_swings_as_the_formula_says(world: World) -> None:
    # a block on a bar without weight, 0.5 m from the axis: T = 2 pi sqrt(I / (m g r))
    bob = {**BOX, "at": [0.0, 0.0, -0.5]}
    table = mover(moves="turns", parts=[bob], axis=(0, 1, 0), start=0.05)
    element = mechanism(world, table)
    inertia = MoverSpec.model_validate(table).inertia
    assert inertia == pytest.approx(0.5**2 + 2 * 0.1**2 / 12)
    quarter_s = math.pi / 2 * math.sqrt(inertia / (GRAVITY * 0.5))
    seen = run(world, element, quarter_s)
    assert abs(seen["thing.part.travel"]) < 1e-3


def test_a_knob_rests_in_the_nearest_detent(world: World) -> None:
    knob = {"shape": "cylinder", "radius": 0.02, "length": 0.02}
    base = mover(moves="turns", parts=[knob], mass=0.1, axis=(0, 0, 1), damping=0.002)
    detent = {"pitch": math.pi / 6, "force": 0.1}
    element = mechanism(
        world,
        {**base, "name": "near", "start": 0.2, "detent": detent},
        {**base, "name": "far", "start": 0.3, "detent": detent},
    )
    seen = run(world, element, 1.0)
    assert seen["thing.near.travel"] == pytest.approx(0.0, abs=1e-3)
    assert seen["thing.far.travel"] == pytest.approx(math.pi / 6, abs=1e-3)


def test_several_turns_are_counted_on(world: World) -> None:
    wheel = {"shape": "cylinder", "radius": 0.08, "length": 0.02}
    table = mover(
        moves="turns", parts=[wheel], axis=(0, 0, 1), lower=-20, upper=20, rest=15.0, stiffness=0.05
    )
    seen = run(world, mechanism(world, {**table, "damping": 0.05}), 8.0)
    assert seen["thing.part.travel"] > 4 * math.pi


def test_a_cushion_gives_way(world: World) -> None:
    seen = run(
        world,
        mechanism(world, mover(cushion={"at": 0.1, "stiffness": 5000.0}, damping=50.0)),
        1.5,
    )
    assert seen["thing.part.travel"] == pytest.approx(0.1 + GRAVITY / 5000, abs=1e-4)


def test_a_preload_keeps_it_at_rest_and_adds_to_the_spring(world: World) -> None:
    spring = {"preload": 2 * GRAVITY, "ramp": 1e-3, "stiffness": 500.0, "damping": 40.0}
    element = mechanism(
        world,
        mover(name="holds", **spring),
        mover(name="yields", **{**spring, "preload": GRAVITY / 2}, at=(0.5, 0, 0)),
    )
    run(world, element, 1.0)
    seen = run(world, element, 0.5)
    assert seen["thing.holds.travel"] == pytest.approx(
        GRAVITY / (2 * GRAVITY / 1e-3 + 500), rel=0.01
    )
    assert abs(seen["thing.holds.speed"]) < 1e-4
    assert seen["thing.yields.travel"] == pytest.approx(GRAVITY / 2 / 500, rel=0.01)


def test_pushes_are_resultants_with_their_moments(world: World) -> None:
    # on a frame that leans by 0.3 rad normal force and friction together are the weight
    lean = 0.3
    block = weight(world, (0.0, 0.0, 1.0765), 2.0, lean)
    element = mechanism(
        world,
        mover(at=(0, 0, -0.5)),
        robots=[block],
        turn=(0, math.sin(lean / 2), 0, math.cos(lean / 2)),
        friction=1.0,
    )
    run(world, element, 0.5)
    seen = run(world, element, 0.1)
    assert seen["thing.push_peak_n"] == pytest.approx(2.0 * GRAVITY, rel=0.01)


def test_a_lever_feels_the_moment_of_what_lies_on_it(world: World) -> None:
    block = weight(world, (0.3, 0.0, 1.0755), 1.0)
    plate = {"shape": "box", "size": [0.8, 0.1, 0.1]}
    lever = mover(moves="turns", parts=[plate], axis=(0, 1, 0), friction=50.0)
    element = mechanism(world, lever, robots=[block], frame=[{**BOX, "at": [0, 0, -0.5]}])
    run(world, element, 0.5)
    seen = run(world, element, 0.1)
    assert seen["thing.part.twist_peak_nm"] == pytest.approx(GRAVITY * 0.3, rel=0.01)
    assert seen["thing.part.push_peak_n"] == pytest.approx(GRAVITY, rel=0.01)
    assert seen["thing.part.robot_n"] == pytest.approx(GRAVITY, rel=0.01)
    assert seen["thing.push_peak_n"] == 0.0


def test_a_yielding_surface_takes_the_blow_as_a_spring(world: World) -> None:
    def peak(give: dict[str, float] | None) -> float:
        world.rebuild()
        block = weight(world, (0.0, 0.0, 1.0755), 1.0)
        plate = mover(friction=500.0, give=give)
        frame = [{**BOX, "at": [0, 0, -0.5]}]
        element = mechanism(world, plate, robots=[block], frame=frame)
        world.bullet.resetBaseVelocity(block.uid, (0, 0, -0.1), physicsClientId=world.client)
        return run(world, element, 0.2)["thing.part.push_peak_n"]

    # v sqrt(k m) and the weight, of four corners that touch; rigid, it is m v / dt or more
    assert peak({"stiffness": 1e4, "damping": 1.0}) == pytest.approx(
        0.1 * math.sqrt(4 * 1e4) + GRAVITY, rel=0.2
    )
    assert peak(None) > 0.1 * STEP_HZ


def test_the_tracker_is_told_where_a_part_stands(world: World) -> None:
    quarter = math.sqrt(0.5)
    element = mechanism(
        world,
        mover(name="slid", axis=(1, 0, 0), at=(0, 0, 0.2), start=0.3, friction=100.0),
        mover(name="door", moves="turns", axis=(0, 0, 1), start=-0.5, at=(0.1, 0, 0)),
        turn=(0, 0, quarter, quarter),
    )
    told = element.poses()
    assert told["thing.slid"] == pytest.approx([0, 0.3, 1.2, 0, 0, quarter, quarter])
    half = (math.pi / 2 - 0.5) / 2
    assert told["thing.door"] == pytest.approx([0, 0.1, 1, 0, 0, math.sin(half), math.cos(half)])
    # and it is where PyBullet has the part
    placed = element.solids[0]
    state = world.bullet.getLinkState(
        placed.uid, placed.joints["door"], computeForwardKinematics=1, physicsClientId=world.client
    )
    assert np.array([*state[4], *state[5]]) == pytest.approx(told["thing.door"], abs=1e-6)


def followed(travels: list[float], **table: Any) -> Mover:
    part = Mover.at_start(MoverSpec.model_validate(mover(lower=-1, upper=1, **table)), 0)
    for travel in travels:
        part.follow(travel, 0.0, 0.1)
    return part


TRIP = {"trip": 0.5, "rearm": 0.2}


@pytest.mark.parametrize(
    ("travels", "way", "on", "toggles"),
    [
        ([0.4, 0.6, 0.4, 0.6], "toggles", True, 1),  # not let back far enough
        ([0.6, 0.1, 0.6], "toggles", False, 2),
        ([0.6, 0.1], "toggles", True, 1),
        ([0.6, 0.3], "follows", True, 1),  # hysteresis
        ([0.6, 0.1], "follows", False, 2),
        ([0.3], "follows", False, 0),
    ],
)
def test_latches(travels: list[float], way: str, on: bool, toggles: int) -> None:
    part = followed(travels, latch={**TRIP, "way": way})
    assert (part.on, part.toggles) == (on, toggles)


def test_a_breaker_that_starts_on_is_on_and_has_not_toggled() -> None:
    part = followed([0.9, 0.9], start=0.9, latch={**TRIP, "way": "follows"})
    assert (part.on, part.toggles) == (True, 0)
    assert part.on_s == pytest.approx(0.2)


def test_what_happened_between_rows_is_told_once() -> None:
    part = followed([0.3, -0.2, 0.1])
    assert part.told("m")["m.least"] == -0.2
    again = part.told("m")
    assert again["m.least"] == again["m.most"] == 0.1


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"start": 2.0}, "start = 2 is not within"),
        ({"latch": {"trip": 0.1, "rearm": 0.2}}, "rearm = 0.2 must be below"),
        ({"preload": 1.0}, "needs a ramp"),
        ({"axis": (0, 0, 0)}, "no direction"),
    ],
)
def test_tables_that_make_no_sense(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        MoverSpec.model_validate(mover(**table))


@pytest.mark.parametrize(
    ("table", "complaint"),
    [({"stiffness": 2e6}, "its springs"), ({"damping": 2e3}, "its damping")],
)
def test_what_the_step_is_too_long_for_is_refused(
    world: World, table: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(BadInput, match=f"thing.part is too light .* {complaint}"):
        mechanism(world, mover(**table))
