"""A surface is wiped where a pad presses on it with a force within the band, and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hil.errors import BadInput
from sim.robots.urdf import Body, Box, Inertial, Joint, Link, Part
from sim.scenery.element import Stage
from sim.scenery.skin import Blob, Skin, cells
from sim.scenery.wipeable import FAR_M, Wipeable, WipeableSpec, build
from sim.world import Placed, View, World

FACE, SIZE, MASS = 0.02, (0.06, 0.08), 0.2
WEIGHT = MASS * 9.80665
STIFFNESS = 1500.0
TELLING = {"at": [0.004, 0.0, 0.003], "turn": [0.0, 0.0, 0.0, 1.0]}
FLAT = {"shape": "box", "size": [0.4, 0.4, 0.04], "at": [0.0, 0.0, -0.02]}
BALL = {"shape": "sphere", "radius": 0.1, "at": [0.0, 0.0, -0.1]}


class Press:
    """A pad on a vertical slide at the middle of the surface, pressed with a known force."""

    def __init__(self, world: World) -> None:
        self._world = world
        thick = Part(Box((*SIZE, FACE)), (0.0, 0.0, FACE / 2))
        body = Body(
            "press",
            (
                Link("rail", Inertial.of(Box((0.01, 0.01, 0.01)), 1.0)),
                Link("pad", Inertial.of(thick.shape, MASS, thick.at), (thick,)),
            ),
            (
                Joint(
                    "slide",
                    "prismatic",
                    "rail",
                    "pad",
                    rpy=(math.pi, 0.0, 0.0),
                    lower=-1.0,
                    upper=1.0,
                    effort=100.0,
                    velocity=1.0,
                ),
            ),
        )
        self.placed: Placed = world.place(body, (0.0, 0.0, FACE + 0.002))
        world.bullet.changeDynamics(
            self.placed.uid, 0, lateralFriction=1.0, physicsClientId=world.client
        )
        self.hold(0.0)

    def hold(self, speed: float) -> None:
        """Hold still, or move down at `speed` m/s."""
        self._set(self._world.bullet.VELOCITY_CONTROL, targetVelocity=speed, force=100.0)

    def press(self, force: float) -> None:
        """Push with `force` N down, its own weight among it."""
        self._set(self._world.bullet.VELOCITY_CONTROL, targetVelocity=0.0, force=0.0)
        self._set(self._world.bullet.TORQUE_CONTROL, force=force - WEIGHT)

    def _set(self, mode: int, **more: float) -> None:
        self._world.bullet.setJointMotorControl2(
            self.placed.uid, 0, mode, physicsClientId=self._world.client, **more
        )


def spec(**more: object) -> WipeableSpec:
    marks = [{"at": [0.0, 0.0], "half": [0.02, 0.02]}, {"at": [0.1, 0.0], "half": [0.02, 0.03]}]
    table = {
        "name": "top",
        "parts": [FLAT],
        "at": [0.0, 0.0, 0.0],
        "marks": marks,
        "band": [2.0, 15.0],
        "pad": {"link": "pad", "face": FACE, "size": SIZE},
        "stiffness": STIFFNESS,
        "damping": 30.0,
        "told": TELLING,
    }
    return WipeableSpec.model_validate({**table, **more})


def placed_in(world: World, **more: object) -> tuple[Wipeable, Press]:
    press = Press(world)
    return build(Stage(world, (press.placed,), lambda: 0.0), spec(**more)), press


def pressed(world: World, top: Wipeable, press: Press, force: float, steps: int) -> None:
    for _ in range(steps):
        press.press(force)  # a force is given for one step
        world.step()
        top.after_step()


def test_what_is_under_the_pad_is_wiped_by_a_force_within_the_band(world: World) -> None:
    top, press = placed_in(world)
    first = top.poses()
    pressed(world, top, press, 8.0, 500)
    seen = top.witness()
    assert seen["top.force_n"] == pytest.approx(8.0, rel=0.02)
    _, owners = cells([mark.blob for mark in spec().marks], spec().cell)
    assert seen["top.cleaned"] == pytest.approx(float((owners == 0).mean()))
    left = top.poses()
    np.testing.assert_array_equal(left["top.mark0.low"], left["top.mark0.high"])
    np.testing.assert_array_equal(left["top.mark1.low"], first["top.mark1.low"])
    assert left["top.mark1.low"] == pytest.approx([0.08, -0.03, 0.0], abs=0.006)
    assert left["top"].tolist() == [*TELLING["at"], *TELLING["turn"]]


@pytest.mark.parametrize(("force", "band"), [(1.5, [10.0, 15.0]), (20.0, [2.0, 15.0])])
def test_a_force_outside_the_band_wipes_nothing_and_is_counted(
    world: World, force: float, band: list[float]
) -> None:
    top, press = placed_in(world, band=band, damping=300.0)
    pressed(world, top, press, force, 400)
    top.witness()
    cleaned = top.witness()["top.cleaned"]
    pressed(world, top, press, force, 100)
    seen = top.witness()
    assert seen["top.contact_s"] == pytest.approx(0.1)
    assert seen["top.out_s"] == pytest.approx(0.1)
    assert seen["top.excursion_s"] > 0.3  # it has gone on since before the last row
    assert seen["top.force_peak_n"] == pytest.approx(force, rel=0.02)
    assert seen["top.cleaned"] == cleaned
    if force < band[0]:  # a heavy hand passes the band as it lands
        assert cleaned == 0.0


def test_peak_and_times_are_of_the_steps_since_the_last_row(world: World) -> None:
    top, press = placed_in(world)
    pressed(world, top, press, 8.0, 500)
    first, second = top.witness(), top.witness()
    assert first["top.force_peak_n"] > 8.0
    assert first["top.contact_s"] > 0.3
    assert second["top.force_peak_n"] == second["top.contact_s"] == second["top.out_s"] == 0.0
    press.hold(-1.0)
    for _ in range(300):
        world.step()
        top.after_step()
    away = top.witness()
    assert away["top.force_n"] == 0.0
    assert away["top.gap_m"] == FAR_M


def test_a_round_surface_is_wiped_where_the_face_is_in_it(world: World) -> None:
    """A ball of radius r meets the face at depth d = F / k in a circle of radius
    sqrt(2 r d - d^2)."""
    force = 4.0
    top, press = placed_in(
        world,
        parts=[BALL],
        radius=0.1,
        marks=[{"at": [0.0, 0.0], "half": [0.05, 0.05]}],
        cell=0.003,
        damping=300.0,
    )
    pressed(world, top, press, force, 800)
    depth = force / STIFFNESS
    patch = math.sqrt(2 * 0.1 * depth - depth**2)
    seen = top.witness()
    assert seen["top.force_n"] == pytest.approx(force, rel=0.02)
    assert seen["top.cleaned"] == pytest.approx((patch / 0.05) ** 2, abs=0.05)


def test_a_picture_changes_with_what_is_wiped(world: World) -> None:
    top, press = placed_in(world)
    view = View(eye=(0.25, -0.25, 0.25), target=(0.05, 0.0, 0.0), width=80, height=60)
    press.hold(-1.0)
    world.step(300)
    before = world.picture(view)
    top._left[:] = False
    top.show()
    assert (before != world.picture(view)).any()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"band": [5.0, 2.0]}, "not a range of forces"),
        ({"marks": []}, "at least 1"),
        ({"radius": 0.05, "marks": [{"at": [0.04, 0.0], "half": [0.02, 0.02]}]}, "a mark reaches"),
    ],
)
def test_what_cannot_be_wiped_is_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        spec(**more)


def test_a_pad_that_is_not_there_is_refused(world: World) -> None:
    with pytest.raises(BadInput, match="link 'pad' of robot 0"):
        build(Stage(world, (), lambda: 0.0), spec())


@given(
    radius=st.floats(0.08, 0.5),
    x=st.floats(-0.05, 0.05),
    y=st.floats(-0.05, 0.05),
)
def test_places_on_a_ball_are_on_it_and_their_normals_stand_on_it(
    radius: float, x: float, y: float
) -> None:
    skin, place = Skin(radius), np.array([[x, y]])
    centre = np.array([0.0, 0.0, -radius])
    away = skin.points(place)[0] - centre
    assert np.linalg.norm(away) == pytest.approx(radius)
    np.testing.assert_allclose(skin.normals(place)[0], away / radius)
    assert Skin().points(place)[0].tolist() == [x, y, 0.0]


@given(
    a=st.floats(0.02, 0.05),
    b=st.floats(0.02, 0.05),
    turn=st.floats(0.0, math.pi),
)
def test_cells_of_a_mark_have_its_area_and_are_within_its_reach(
    a: float, b: float, turn: float
) -> None:
    blob, pitch = Blob((0.03, -0.02), (a, b), turn), 0.002
    places, owners = cells([blob, blob], pitch)
    assert len(places) * pitch**2 == pytest.approx(math.pi * a * b, rel=0.1)
    assert (owners == 0).all()
    assert (np.abs(places - np.array(blob.at)) <= np.array(blob.reach) + 1e-9).all()
