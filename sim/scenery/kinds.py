"""The kinds of elements that a scene may name, and how a scene is built of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from hil.config import validate
from hil.errors import BadInput
from sim.scenery import (
    belt,
    bins,
    bodies,
    cable,
    fixtures,
    fragile,
    grains,
    holders,
    mechanisms,
    receiver,
    screw,
    screw_table,
    seam,
    shoves,
    vessel,
    wipeable,
)
from sim.scenery.element import Element, Stage
from sim.scenery.instruments import instruments
from sim.tasks.press_scene import SwitchScene, WallSwitch


@dataclass(frozen=True, slots=True)
class Kind:
    """Schema of an element's table, and its builder."""

    schema: type[BaseModel]
    build: Callable[[Stage, Any], Element]


def known() -> Mapping[str, Kind]:
    """Every kind by name."""
    return {
        **{name: Kind(*found) for name, found in instruments().items()},
        "belt": Kind(belt.BeltSpec, belt.build),
        "bin": Kind(bins.BinSpec, bins.build),
        "body": Kind(bodies.BodySpec, bodies.build),
        "cable": Kind(cable.CableSpec, cable.build),
        "fixture": Kind(fixtures.FixtureSpec, fixtures.build),
        "fragile": Kind(fragile.FragileSpec, fragile.build),
        "grains": Kind(grains.GrainsSpec, grains.build),
        "holders": Kind(holders.HoldersSpec, holders.build),
        "mechanism": Kind(mechanisms.MechanismSpec, mechanisms.build),
        "receiver": Kind(receiver.ReceiverSpec, receiver.build),
        "screw": Kind(screw_table.ScrewSpec, screw.build),
        "seam": Kind(seam.SeamSpec, seam.build),
        "shoves": Kind(shoves.ShovesSpec, shoves.build),
        "vessel": Kind(vessel.VesselSpec, vessel.build),
        "wipeable": Kind(wipeable.WipeableSpec, wipeable.build),
        "wall-switch": Kind(
            SwitchScene, lambda stage, spec: WallSwitch(stage.world, stage.robots[0], spec)
        ),
    }


def furnish(stage: Stage, scene: Mapping[str, object]) -> list[Element]:
    """Build the elements of `scene` in order. Errors: BadInput naming element and key."""
    return [_built(stage, number, table) for number, table in enumerate(_tables(scene))]


def _built(stage: Stage, number: int, table: Mapping[str, object]) -> Element:
    name = table.get("kind")
    kind = known().get(str(name))
    place = f"element {number} of the scene"
    if kind is None:
        raise BadInput(
            f"{place} is of kind {name!r}, which the plant does not know",
            f"known: {', '.join(known())}; the task's draw names it",
        )
    return kind.build(stage, validate(dict(table), kind.schema, f"{place}, {name}"))


def _tables(scene: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    tables = scene.get("elements", ())
    if not isinstance(tables, list | tuple) or not all(isinstance(one, Mapping) for one in tables):
        raise BadInput("elements of a scene are a list of tables", "see sim/scenery/kinds.py")
    return tables
