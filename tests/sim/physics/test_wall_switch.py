"""Self-check of the fixture: spring, trip, latch, and what the witness says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sim.robots import so101
from sim.tasks import press_scene
from sim.tasks.press_scene import Latch, SwitchScene, WallSwitch, pushing_direction, spring_force
from sim.world import World

DT = 0.001
YAW = 0.25


@pytest.fixture
def world() -> Iterator[World]:
    made = World(1000)
    made.rebuild()
    yield made
    made.close()


def _switch(world: World, trip_force: float = 3.5) -> WallSwitch:
    arm = world.place(so101.body(), (0.0, 0.0, 0.0))
    for index, angle in zip(arm.joints.values(), so101.HOME, strict=True):
        world.bullet.resetJointState(arm.uid, index, angle, physicsClientId=world.client)
    wanted = SwitchScene(
        at=(0.33, -0.02, 0.15), yaw=YAW, neighbour_side=-1, trip_force_n=trip_force
    )
    return WallSwitch(world, arm, wanted)


def _push(world: World, switch: WallSwitch, name: str, force: float, seconds: float) -> None:
    """Push a plate along the wall's normal with a force in N that is reached after 50 ms."""
    for step in range(round(seconds / DT)):
        switch.before_step()
        world.bullet.applyExternalForce(
            switch.solids[0].uid,
            switch.solids[0].joints[name],
            (min(1.0, step / 50) * force * pushing_direction(YAW)).tolist(),
            world.bullet.getLinkState(
                switch.solids[0].uid, switch.solids[0].joints[name], physicsClientId=world.client
            )[0],
            world.bullet.WORLD_FRAME,
            physicsClientId=world.client,
        )
        world.step()
        switch.after_step()


@pytest.mark.parametrize("trip_force", [2.5, 4.5])
def test_it_trips_at_the_force_of_its_spring(world: World, trip_force: float) -> None:
    switch = _switch(world, trip_force)
    _push(world, switch, "switch", trip_force * 0.97, 0.5)
    assert switch.witness()["switch_on"] == 0.0
    _push(world, switch, "switch", trip_force * 1.03, 0.5)
    seen = switch.witness()
    assert seen["switch_on"] == 1.0
    assert seen["switch_toggles"] == 1.0
    assert press_scene.TRIP <= seen["switch_travel_m"] < press_scene.TRAVEL


def test_the_preload_holds_it_out(world: World) -> None:
    switch = _switch(world)
    _push(world, switch, "switch", press_scene.PRELOAD_N * 0.9, 0.3)
    assert switch.witness()["switch_travel_m"] < 1e-4


def test_the_stop_holds_a_hard_push(world: World) -> None:
    switch = _switch(world)
    _push(world, switch, "switch", 20.0, 0.3)
    assert press_scene.TRAVEL < switch.witness()["switch_travel_m"] < press_scene.TRAVEL + 0.0021


def test_it_stays_on_when_let_go_and_toggles_again_only_then(world: World) -> None:
    switch = _switch(world)
    _push(world, switch, "switch", 8.0, 0.2)
    held = switch.witness()
    _push(world, switch, "switch", 0.0, 0.2)
    released = switch.witness()
    _push(world, switch, "switch", 8.0, 0.2)
    again = switch.witness()
    assert (held["switch_on"], released["switch_on"], again["switch_on"]) == (1.0, 1.0, 0.0)
    assert (held["switch_toggles"], again["switch_toggles"]) == (1.0, 2.0)
    assert released["switch_on_s"] == pytest.approx(0.2 + held["switch_on_s"])
    assert again["switch_on_s"] == 0.0


def test_the_neighbour_is_its_own_switch(world: World) -> None:
    switch = _switch(world)
    _push(world, switch, "neighbour", 8.0, 0.2)
    seen = switch.witness()
    assert seen["switch_on"] == 0.0
    assert seen["switch_travel_m"] < 1e-4
    assert seen["neighbour_toggles"] == 1.0
    assert seen["neighbour_travel_m"] > press_scene.TRIP


def test_peaks_are_since_the_last_call(world: World) -> None:
    switch = _switch(world)
    _push(world, switch, "switch", 8.0, 0.1)
    assert switch.witness()["switch_travel_m"] > press_scene.TRIP
    _push(world, switch, "switch", 0.0, 0.2)
    switch.witness()
    _push(world, switch, "switch", 0.0, 0.1)
    assert switch.witness()["switch_travel_m"] < 1e-3


def test_latch_needs_the_rearm_travel() -> None:
    latch = Latch()
    ways = (press_scene.TRIP, press_scene.REARM * 1.01, press_scene.TRIP, 0.0, press_scene.TRIP)
    states = []
    for travel in ways:
        latch.update(travel, DT)
        states.append(latch.on)
    assert states == [True, True, True, True, False]
    assert latch.toggles == 2


def test_spring_force_is_that_of_its_description() -> None:
    assert spring_force(0.0, 4.0) == press_scene.PRELOAD_N
    assert spring_force(press_scene.TRIP, 4.0) == pytest.approx(4.0)
    below, above = (spring_force(press_scene.TRAVEL + d, 4.0) for d in (0.0, 0.001))
    assert above - below == pytest.approx(8.0 + (4.0 - press_scene.PRELOAD_N) / 2.5, rel=1e-6)


def test_contact_force_on_the_wall_is_the_weight_that_lies_on_it(world: World) -> None:
    from sim.robots.urdf import Body, Box, Inertial, Joint, Link, Part

    slab = Part(Box((0.2, 0.2, 0.02)), (0.0, 0.0, 0.0))
    block = Part(Box((0.05, 0.05, 0.05)), (0.0, 0.0, 0.0))
    below = world.place(
        Body("slab", [Link("slab", Inertial.of(slab.shape, 1.0), (slab,))]), (0, 0, 0)
    )
    above = world.place(
        Body(
            "block",
            [
                Link("rail", Inertial.of(block.shape, 1.0)),
                Link("block", Inertial.of(block.shape, 0.5), (block,)),
            ],
            [Joint("slide", "prismatic", "rail", "block", lower=-1.0, upper=1.0, effort=1.0)],
        ),
        (0.0, 0.0, 0.036),
    )
    world.bullet.setJointMotorControl2(
        above.uid, 0, world.bullet.VELOCITY_CONTROL, force=0.0, physicsClientId=world.client
    )
    for _ in range(500):
        world.step()
    forces = world.contact_forces(above, below)
    np.testing.assert_allclose(forces[-1], 0.5 * so101.GRAVITY, rtol=0.02)
