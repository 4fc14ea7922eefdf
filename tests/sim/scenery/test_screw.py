"""Element kind `screw`: the thread as a mechanism, and what a bit on a gantry does to a screw."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gantry import Gantry
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.config import validate
from hil.errors import BadInput
from sim.scenery.element import Stage
from sim.scenery.screw import TWIST, Screw, build
from sim.scenery.screw_table import ScrewSpec
from sim.scenery.thread import JAM, LOOSEN, Thread, Threads
from sim.world import World

TURN = 2 * math.pi
M6 = Threads(
    pitch=0.001,
    free_m=0.004,
    start_rad=2.0,
    torque_nm=8.0,
    joint_rad=1.0,
    run_nm=0.1,
    free_nm=0.005,
    start_n=2.0,
    cross_n=40.0,
    cross_rad=0.083,
)
SEAT = 2.0 + 4 * TURN


def turned(
    thread: Thread, to: float, press: float = 10.0, lean: float = 0.0, step: float = 0.01
) -> float:
    """Turn a bit without play from the screw's own angle to `to` rad; the torque at last."""
    bit = thread.angle
    torque = 0.0
    while abs(to - bit) > 1e-9:
        bit += max(-step, min(step, to - bit))
        torque = thread.turn(bit - thread.angle, TWIST, press, lean)
    return torque


def test_it_starts_where_the_threads_meet_and_travels_by_its_pitch() -> None:
    thread = Thread(M6)
    turned(thread, 1.9)
    assert thread.travel == 0.0
    turned(thread, 2.0 + TURN)
    assert thread.begun == 2.0
    assert thread.travel == pytest.approx(0.001, rel=2e-3)
    assert thread.tight_nm == 0.0
    assert not thread.crossed


def test_torque_over_angle_is_a_linear_joints() -> None:
    thread = Thread(M6)
    assert turned(thread, 1.0) == pytest.approx(0.005)
    assert turned(thread, SEAT - 0.1) == pytest.approx(0.1)
    # bit and screw in series: 8.1 N·m a rad past the seat, and the bit wound up by that
    past = 0.5
    torque = 0.1 + 8.0 * past
    assert turned(thread, SEAT + past + torque / TWIST) == pytest.approx(torque, rel=1e-6)
    assert thread.past_seat == pytest.approx(past, rel=1e-6)
    assert thread.tight_nm == pytest.approx(torque, rel=1e-6)


def test_it_stays_tight_until_it_is_turned_back_with_enough() -> None:
    thread = Thread(M6)
    torque = turned(thread, SEAT + 0.5)
    angle = thread.angle
    turned(thread, angle)
    assert thread.angle == pytest.approx(angle)
    assert thread.tight_nm == pytest.approx(torque)
    turned(thread, angle - 0.99 * LOOSEN * torque / TWIST)
    assert thread.angle == pytest.approx(angle)
    turned(thread, angle - 1.5 * torque / TWIST)
    assert thread.angle < angle - 0.01
    assert thread.tight_nm < torque


@pytest.mark.parametrize(("press", "lean"), [(45.0, 0.0), (10.0, 0.1)])
def test_a_thread_started_askew_jams_for_good(press: float, lean: float) -> None:
    thread = Thread(M6)
    turned(thread, 2.5, press, lean)
    assert thread.crossed
    assert turned(thread, 2.0 + TURN) > 0.8 * JAM * M6.torque_nm
    assert thread.past_seat < 0
    assert thread.tight_nm == 0.0
    turned(thread, -5.0)
    assert thread.crossed


def test_pressed_too_lightly_it_starts_a_turn_later() -> None:
    thread = Thread(M6)
    turned(thread, 2.5, press=1.0)
    assert thread.begun is None
    turned(thread, 2.5 + TURN, press=5.0)
    assert thread.begun == pytest.approx(2.0 + TURN)


def test_turned_out_it_has_to_be_started_again() -> None:
    thread = Thread(M6)
    turned(thread, 4.0)
    assert thread.travel > 0.0
    turned(thread, 1.0)
    assert thread.travel == 0.0
    turned(thread, thread.angle + 1.5 * TURN)
    assert thread.begun is not None


@settings(deadline=None)
@given(
    st.lists(st.floats(-3.0, 12.0), min_size=1, max_size=6),
    st.floats(0.0, 60.0),
    st.floats(0.0, 0.12),
)
def test_whatever_is_done_to_it_travel_is_bound_to_its_turn(
    ways: list[float], press: float, lean: float
) -> None:
    thread, bit = Thread(M6), 0.0
    for way in ways:
        before, bit = thread.angle, bit + way
        torque = thread.turn(bit - before, TWIST, press, lean)
        assert thread.travel == pytest.approx(M6.pitch * thread.turned / TURN)
        assert thread.turned >= 0.0
        # it never turns against the bit, nor past it, and is left with what the bit is wound by
        assert (thread.angle - before) * (bit - before) >= -1e-12
        assert abs(thread.angle - before) <= abs(bit - before) + 1e-9
        assert torque == pytest.approx(TWIST * (bit - thread.angle), abs=1e-6)


@settings(deadline=None, max_examples=15)
@given(st.floats(0.02, 2.0), st.floats(0.1, 1.0))
def test_large_and_small_steps_lead_to_the_same(step: float, past: float) -> None:
    fine, coarse = Thread(M6), Thread(M6)
    turned(fine, SEAT + past)
    turned(coarse, SEAT + past, step=step)
    assert coarse.angle == pytest.approx(fine.angle, abs=1e-6)


def screw(**table: Any) -> ScrewSpec:
    whole = {
        "name": "screw",
        "at": (0.1, 0.2, 0.3),
        "told": {"at": (0.1, 0.2, 0.31), "turn": (0, 0, 0, 1)},
        "bit": "bit",
        "diameter": 0.006,
        "pitch": M6.pitch,
        "head_radius": 0.005,
        "head_height": 0.006,
        "recess_depth": 0.003,
        "free_m": M6.free_m,
        "start_rad": M6.start_rad,
        "torque_nm": M6.torque_nm,
        "joint_rad": M6.joint_rad,
        "run_nm": M6.run_nm,
        "hold_nm": 24.0,
        **table,
    }
    return validate(whole, ScrewSpec, "test")


def set_up(world: World, x: float = 0.0, lean: float = 0.0, **table: Any) -> tuple[Screw, Gantry]:
    """A bit 1 mm over the middle of the head, `x` m beside it and leaning by `lean`."""
    spec = screw(**table)
    x0, y0, z0 = spec.at
    top = z0 + spec.free_m + spec.head_height
    gantry = Gantry(world, "bit", (x0 + x, y0, top + 0.001), (math.pi + lean, 0, 0), solid=False)
    return build(Stage(world, [gantry.placed], lambda: 0.0), spec), gantry


def pressed(
    element: Screw, gantry: Gantry, seconds: float, spin: float, newtons: float = 12.0
) -> None:
    """Turn at `spin` rad/s and keep the press, as a spring-loaded spindle does."""
    for _ in range(round(seconds / 0.005)):
        push = element.witness()["screw.press_n"]
        gantry.run(element, 0.005, z=max(-0.01, min(0.02, 2e-3 * (newtons - push))), spin=spin)


def test_it_is_driven_home_and_the_spindle_feels_it(world: World) -> None:
    element, gantry = set_up(world)
    pressed(element, gantry, 0.4, 5.0)
    assert element.witness()["screw.bit_in"] == 1.0
    while element.witness()["screw.past_seat"] < -0.2:
        pressed(element, gantry, 0.05, 10.0)
    while element.witness()["screw.torque_nm"] < 4.0:
        pressed(element, gantry, 0.01, 1.0)
    felt, seen = gantry.loads(), element.witness()
    assert felt[3] == pytest.approx(seen["screw.torque_nm"], rel=0.02)
    # z points down, against the weight of what hangs on it
    assert felt[2] == pytest.approx(seen["screw.press_n"] - 1.5 * 9.81, rel=0.15)
    assert seen["screw.travel"] == pytest.approx(M6.pitch * seen["screw.turned"] / TURN)
    assert (seen["screw.crossed"], seen["screw.slips"]) == (0.0, 0.0)
    gantry.run(element, 0.1, spin=-2.0)
    gantry.run(element, 0.3, z=-0.05)
    seen = element.witness()
    assert seen["screw.tight_nm"] == pytest.approx(4.0, rel=0.05)
    assert (seen["screw.bit_in"], seen["screw.torque_nm"]) == (0.0, 0.0)
    assert seen["screw.bit_gap"] > 0.008


def test_without_turning_it_finds_the_recess_only_where_its_flats_match(world: World) -> None:
    for lies, inside in ((0.02, 1.0), (0.3, 0.0)):
        world.rebuild()
        element, gantry = set_up(world, recess_rad=lies)
        pressed(element, gantry, 0.5, 0.0)
        assert element.witness()["screw.bit_in"] == inside


@pytest.mark.parametrize(("x", "lean"), [(0.001, 0.0), (0.0, 0.1)])
def test_beside_or_leaning_it_stays_on_the_head(world: World, x: float, lean: float) -> None:
    element, gantry = set_up(world, x, lean)
    pressed(element, gantry, 0.6, 5.0)
    seen = element.witness()
    assert (seen["screw.bit_in"], seen["screw.angle"]) == (0.0, 0.0)
    assert seen["screw.press_n"] == pytest.approx(12.0, abs=2.0)
    assert seen["screw.bit_gap"] == pytest.approx(-12.0 / 5e4, abs=1e-4)


def test_past_the_head_there_is_nothing(world: World) -> None:
    element, gantry = set_up(world, 0.007)
    gantry.run(element, 0.5, z=0.01, spin=5.0)
    seen = element.witness()
    assert (seen["screw.press_peak_n"], seen["screw.bit_in"]) == (0.0, 0.0)


def test_a_shallow_bit_slips_out_of_a_recess_that_holds_too_little(world: World) -> None:
    element, gantry = set_up(world, hold_nm=1.0, free_m=0.0005)
    pressed(element, gantry, 3.0, 5.0)
    seen = element.witness()
    assert seen["screw.slips"] >= 1.0
    assert seen["screw.tight_nm"] < 1.1


def test_a_bit_pulled_aside_is_centred_and_leaves_when_it_is_too_far(world: World) -> None:
    element, gantry = set_up(world)
    pressed(element, gantry, 0.4, 3.0)
    gantry.run(element, 0.02, x=0.02)
    assert element.witness()["screw.bit_in"] == 1.0
    assert gantry.loads()[0] == pytest.approx(5e4 * 0.0004, rel=0.3)
    gantry.run(element, 0.1, x=0.02)
    assert element.witness()["screw.bit_in"] == 0.0


def test_the_tracker_tells_what_is_told(world: World) -> None:
    element, _ = set_up(world)
    np.testing.assert_allclose(element.poses()["screw"], [0.1, 0.2, 0.31, 0, 0, 0, 1])


def test_what_is_seen_goes_down_with_it(world: World) -> None:
    element, _ = set_up(world)
    bullet, client = world.bullet, world.client

    def head() -> float:
        element.show()
        place, _ = bullet.getBasePositionAndOrientation(element._looks[0], physicsClientId=client)
        return float(place[2])

    before = head()
    turned(element.thread, 2.0 + TURN)
    assert before - head() == pytest.approx(element.thread.travel, abs=1e-6)


def test_a_plant_without_the_bit_is_refused(world: World) -> None:
    with pytest.raises(BadInput, match="'key', which no robot"):
        build(Stage(world, [], lambda: 0.0), screw(bit="key"))


def test_a_screw_crosses_at_half_a_pitch_over_its_width() -> None:
    assert screw().threads == replace(M6, cross_rad=math.atan(0.001 / 0.012))
