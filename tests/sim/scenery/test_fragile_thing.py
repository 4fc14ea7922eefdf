"""A body that breaks where it is squeezed, and what bodies say they are made of."""

from __future__ import annotations

import numpy as np
import pytest

from hil.errors import BadInput
from sim.plants import panda
from sim.robots.gripper import angle_for
from sim.robots.kinematics import tool_pose
from sim.scenery.bodies import PartSpec
from sim.scenery.material import declared, largest_dimension
from sim.scenery.sight import hidden_share

EDGE = 0.04


def block(name: str, at: list[float], **more: object) -> dict[str, object]:
    return {
        "kind": "body",
        "name": name,
        "parts": [{"shape": "box", "size": [EDGE] * 3}],
        "at": at,
        **more,
    }


def squeezed(holds_n: float) -> list[dict[str, float]]:
    """Rows of a witness while the gripper closes on a block that hangs still."""
    plant = panda(500)
    try:
        start = plant.home.copy()
        start[7] = angle_for(EDGE + 0.002)
        at = tool_pose(plant.robots[0].tools["grip"].chain, start[:7]).position
        shell = {"kind": "fragile", "name": "shell", "of": "block", "holds_n": holds_n}
        plant.arrange({"elements": [block("block", at.tolist(), fixed=True), shell]}, start)
        plant.start_at(0)
        # a tenth of a millimetre of either pad is 6 N
        start[7] = angle_for(EDGE - 0.0002)
        plant.drive(start, plant.most_torque, np.ones(8, dtype=np.bool_))
        rows = []
        for tick in range(1, 41):
            plant.advance_to(tick * 20_000_000)
            rows.append(plant.witness())
        plant.picture()
        return rows
    finally:
        plant.close()


def test_it_breaks_once_it_is_squeezed_harder_than_it_holds_and_stays_broken() -> None:
    whole, broken = squeezed(100.0), squeezed(4.0)
    assert whole[0]["shell.squeeze_n"] == 0.0
    assert whole[-1]["shell.squeeze_n"] == pytest.approx(12.0, rel=0.15)
    assert not any(row["shell.broken"] for row in whole)
    states = [row["shell.broken"] for row in broken]
    assert states[0] == 0.0
    assert states == sorted(states)
    assert states[-1] == 1.0


def test_a_shell_needs_its_body() -> None:
    plant = panda(500)
    try:
        shell = {"kind": "fragile", "name": "shell", "of": "egg", "holds_n": 3.0}
        with pytest.raises(BadInput, match=r"shell[^\0]*egg"):
            plant.arrange({"elements": [shell]}, None)
    finally:
        plant.close()


def test_a_body_says_what_it_is_made_of_and_is_hidden_by_what_is_before_it() -> None:
    plant = panda(500)
    try:
        glass = block("cup", [0.5, 0.2, 0.02], material="glass", mass=0.3)
        lid = block("lid", [0.5, 0.2, 0.3], fixed=True)
        plant.arrange({"elements": [glass, lid]}, None)
        world = plant.truth(0)[0]
        bullet, client = world.bullet, world.client
        uids = {
            bullet.getBodyInfo(uid, physicsClientId=client)[1].decode(): uid
            for uid in range(bullet.getNumBodies(physicsClientId=client))
        }
        made = declared(world, uids["cup"])
        assert made is not None
        assert (made.material, made.size_m, made.mass_kg) == ("glass", EDGE, 0.3)
        assert declared(world, uids["lid"]) is None
        assert hidden_share(world, uids["cup"], (0.5, 0.2, 0.5)) == 1.0
        assert hidden_share(world, uids["cup"], (0.9, 0.2, 0.2)) == 0.0
    finally:
        plant.close()


def test_the_largest_dimension_is_that_of_all_parts_as_they_lie() -> None:
    plain = {"shape": "cylinder", "radius": 0.01, "length": 0.1, "rpy": (0.0, np.pi / 2, 0.0)}
    parts = [
        PartSpec.model_validate(plain),
        PartSpec.model_validate({"shape": "sphere", "radius": 0.02, "at": (0.06, 0.0, 0.0)}),
    ]
    assert largest_dimension(parts) == pytest.approx(0.05 + 0.08)
