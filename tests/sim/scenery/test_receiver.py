"""Element kind `receiver`: when the hand takes hold, how it pulls, and what it says of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from hil.config import validate
from hil.errors import BadInput
from sim.robots.so101 import GRAVITY
from sim.scenery.bodies import BodySpec, Thing
from sim.scenery.element import Stage
from sim.scenery.kinds import furnish
from sim.scenery.receiver import LOST_M, Receiver, ReceiverSpec, build
from sim.scenery.receiver_arm import FREE_M, Pull
from sim.world import World

STEP_HZ = 1000
AT = (0.5, 0.0, 1.0)
PADS = ((0.02, 0.0, 0.02), (-0.02, 0.0, 0.02), (0.0, 0.02, -0.02), (0.0, -0.02, -0.02))
PULL: dict[str, object] = {"after_s": 0.4, "way": (2.0, 0.0, 0.0), "ramp_n_s": 40.0, "most_n": 12.0}


class Scene:
    """A block of 0.3 kg, fixed in a vice unless `fixed` is false, and a hand for it. Without a
    vice its weight is held up, and it is pushed by `push` N."""

    def __init__(
        self,
        world: World,
        *,
        fixed: bool = True,
        off: float = 0.0,
        mass: float = 0.3,
        **more: object,
    ) -> None:
        self.world, self.push = world, np.zeros(3)
        self.lift = np.array([0.0, 0.0, 0.0 if fixed else mass * GRAVITY])
        stage = Stage(world, [], lambda: 0.0)
        block = {
            "name": "block",
            "parts": [{"shape": "box", "size": [0.05, 0.05, 0.05]}],
            "mass": mass,
            "fixed": fixed,
            "at": [AT[0] - off, *AT[1:]],
        }
        self.block = Thing(stage, validate(block, BodySpec, "test"))
        self.uid = stage.things["block"].uid
        table = {"name": "hand", "takes": "block", "at": AT, "pads": PADS, "pull": PULL, **more}
        self.hand: Receiver = build(stage, validate(table, ReceiverSpec, "test"))

    def run(self, seconds: float) -> dict[str, float]:
        bullet, client = self.world.bullet, self.world.client
        for _ in range(round(seconds * STEP_HZ)):
            self.hand.before_step()
            at, _turn = bullet.getBasePositionAndOrientation(self.uid, physicsClientId=client)
            force = (self.lift + self.push).tolist()
            bullet.applyExternalForce(
                self.uid, -1, force, at, bullet.WORLD_FRAME, physicsClientId=client
            )
            self.world.step()
            self.hand.after_step()
        return dict(self.hand.witness())

    def move(self, velocity: tuple[float, float, float]) -> None:
        self.world.bullet.resetBaseVelocity(
            self.uid, velocity, (0, 0, 0), physicsClientId=self.world.client
        )


def test_a_hand_that_waits_stays_where_it_is_and_says_so(world: World) -> None:
    seen = Scene(world, off=0.2).run(1.0)
    assert (seen["hand.x"], seen["hand.y"]) == pytest.approx(AT[:2], abs=1e-9)
    assert seen["hand.z"] == pytest.approx(AT[2], abs=1e-4)
    assert (seen["hand.holds"], seen["hand.pulls"], seen["hand.force_peak_n"]) == (0.0, 0.0, 0.0)
    assert math.isnan(seen["hand.slip_m"])


def test_it_takes_hold_of_what_has_rested_in_its_reach(world: World) -> None:
    scene = Scene(world, off=0.015, grip_after_s=0.25)
    assert scene.run(0.24)["hand.holds"] == 0.0
    seen = scene.run(0.02)
    assert seen["hand.holds"] == 1.0
    assert seen["hand.grip_n"] < 0.2, "a thing is taken as it lies, and is not jerked"


def test_it_does_not_take_what_passes_by(world: World) -> None:
    scene = Scene(world, fixed=False, off=0.018, grip_after_s=0.05)
    scene.move((0.15, 0.0, 0.0))
    assert scene.run(0.2)["hand.holds"] == 0.0


def test_the_pull_rises_as_it_should_to_what_it_should(world: World) -> None:
    """The lead grows by 40 N/s over 300 N/m; the skin gives 12 N / 8000 N/m meanwhile."""
    scene = Scene(world, grip_after_s=0.1)
    assert scene.run(0.48)["hand.pulls"] == 0.0
    seen = scene.run(0.22)
    assert seen["hand.pulls"] == 1.0
    assert seen["hand.pull_n"] == pytest.approx(40.0 * 0.2, rel=0.1)
    seen = scene.run(1.0)
    assert seen["hand.pull_n"] == pytest.approx(12.0, rel=0.01)
    assert seen["hand.force_peak_n"] == pytest.approx(12.0, rel=0.03)
    assert seen["hand.slip_m"] == pytest.approx(12.0 / (4 * 2000.0), rel=0.02)
    assert seen["hand.x"] - AT[0] < FREE_M


def test_what_nobody_holds_any_more_goes_along_and_ends_where_the_hand_does(world: World) -> None:
    scene = Scene(world, fixed=False, grip_after_s=0.1, withdraw_m=0.12)
    seen = scene.run(2.5)
    block = scene.block.witness()
    assert seen["hand.x"] - AT[0] == pytest.approx(0.12, abs=0.002)
    assert block["block.x"] - AT[0] == pytest.approx(0.12, abs=0.002)
    assert seen["hand.slip_m"] < 1e-3
    assert block["block.speed"] < 1e-3


def test_a_bump_is_felt_with_its_force_and_is_no_pull(world: World) -> None:
    bump = {"after_s": 0.05, "lasts_s": 0.3, "force": (0.0, 3.0, 0.0)}
    scene = Scene(world, grip_after_s=0.0, bump=bump, pull={**PULL, "after_s": 5.0})
    seen = scene.run(0.6)
    # the arm's own spring takes its share, 300 of 8300 N/m
    assert seen["hand.force_peak_n"] == pytest.approx(3.0 * 8000 / 8300, rel=0.05)
    assert (seen["hand.holds"], seen["hand.pulls"]) == (1.0, 0.0)
    assert seen["hand.pull_n"] == pytest.approx(0.0, abs=0.01)


def test_a_thing_that_is_torn_out_of_the_hand_is_lost_for_good(world: World) -> None:
    scene = Scene(world, fixed=False, grip_after_s=0.0, strength_n=4.0, pull={**PULL, "after_s": 9})
    scene.run(0.05)
    for _ in range(30):
        scene.move((-0.5, 0.0, 0.0))
        scene.run(0.01)
    assert scene.hand.witness()["hand.holds"] == 0.0
    bullet, client = world.bullet, world.client
    bullet.resetBasePositionAndOrientation(scene.uid, AT, (0, 0, 0, 1), physicsClientId=client)
    scene.move((0.0, 0.0, 0.0))
    assert scene.run(0.5)["hand.holds"] == 0.0


def test_the_grip_is_never_stronger_than_the_hand(world: World) -> None:
    scene = Scene(world, grip_after_s=0.0, strength_n=5.0, pull={**PULL, "most_n": 30.0})
    worst = 0.0
    for _ in range(200):
        seen = scene.run(0.01)
        worst = max(worst, seen["hand.force_peak_n"])
    assert 4.5 < worst < 5.001
    assert scene.hand.witness()["hand.holds"] == 0.0, f"it slips by more than {LOST_M} m"


def test_what_is_pressed_against_the_palm_is_a_force_on_the_hand(world: World) -> None:
    scene = Scene(world, fixed=False, palm_m=0.03, grip_after_s=9.0)
    scene.push[0] = 5.0
    scene.run(1.5)
    seen = scene.run(0.001)
    assert seen["hand.force_peak_n"] == pytest.approx(5.0, rel=0.02)
    assert seen["hand.x"] - AT[0] == pytest.approx(5.0 / 300.0, rel=0.02), "and it gives way"
    assert seen["hand.holds"] == 0.0


def test_the_tracker_is_told_where_the_hand_grips(world: World) -> None:
    pose = Scene(world, off=0.2, yaw=0.6).hand.poses()["hand"]
    np.testing.assert_allclose(pose[:3], AT, atol=1e-6)
    np.testing.assert_allclose(pose[3:], [0, 0, math.sin(0.3), math.cos(0.3)])


def test_what_cannot_be_is_refused(world: World) -> None:
    with pytest.raises(BadInput, match="too light for the grip of hand"):
        Scene(world, fixed=False, mass=0.002)
    with pytest.raises(ValidationError, match="no direction"):
        Pull.model_validate({**PULL, "way": (0.0, 0.0, 0.0)})
    table = {"kind": "receiver", "name": "hand", "takes": "ghost", "at": AT, "pads": PADS}
    with pytest.raises(BadInput, match="'ghost', which is not there"):
        furnish(Stage(world, [], lambda: 0.0), {"elements": [{**table, "pull": PULL}]})
