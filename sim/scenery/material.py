"""What the bodies of a scene are made of, for who hears them: kept by the world with each body.

PyBullet stores words beside a body and forgets them with it, so that no list of bodies has to go
along with the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hil.kinematics import rotation
from sim.sensing.materials import load_materials, material_of
from sim.world import Placed, World

if TYPE_CHECKING:
    from sim.scenery.bodies import PartSpec

_KEY = "sounds-as"


@dataclass(frozen=True, slots=True)
class Made:
    """Material, by its name in `sim/sensing/materials.toml`, largest dimension in m, and mass
    in kg."""

    material: str
    size_m: float
    mass_kg: float


def declare(world: World, placed: Placed, made: Made) -> None:
    """Let a body be of a material. Errors: BadInput for one whose sound nobody knows."""
    material_of(load_materials(), made.material)
    world.bullet.addUserData(
        placed.uid,
        _KEY,
        f"{made.material} {made.size_m!r} {made.mass_kg!r}",
        physicsClientId=world.client,
    )


def declared(world: World, uid: int) -> Made | None:
    """What a body was declared to be of, None where nothing was said."""
    bullet, client = world.bullet, world.client
    number = bullet.getUserDataId(uid, _KEY, physicsClientId=client)
    if number < 0:
        return None
    material, size, mass = bullet.getUserData(number, physicsClientId=client).decode().split(" ")
    return Made(material, float(size), float(mass))


def largest_dimension(parts: Sequence[PartSpec]) -> float:
    """m; of the box along the body's axes that holds all its parts."""
    ends = [_ends(part) for part in parts]
    lowest = np.min([low for low, _ in ends], axis=0)
    highest = np.max([high for _, high in ends], axis=0)
    return float(np.max(highest - lowest))


def _ends(part: PartSpec) -> tuple[np.ndarray, np.ndarray]:
    if part.size is not None:
        half = np.array(part.size) / 2
    else:
        radius = part.radius or 0.0
        half = np.array([radius, radius, radius if part.length is None else part.length / 2])
    reach, at = np.abs(rotation(part.rpy)) @ half, np.array(part.at)
    return at - reach, at + reach
