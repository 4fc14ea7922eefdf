"""The robots by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from hil.errors import BadInput
from sim.robots import arm_hand, driver, hand3, hand4, knife, panda, scoop, six_axis, so101, wiper
from sim.robots.model import Robot

ROBOTS: Mapping[str, Callable[[], Robot]] = MappingProxyType(
    {
        "so101": so101.robot,
        "panda": panda.robot,
        "panda-wiper": wiper.robot,
        "six-axis": six_axis.robot,
        "six-axis-knife": knife.robot,
        "six-axis-driver": driver.robot,
        "six-axis-scoop": scoop.robot,
        "hand4": hand4.hand,
        "hand3": hand3.hand,
        "arm-hand": arm_hand.robot,
    }
)


def robot(name: str) -> Robot:
    """The robot called `name`. Errors: BadInput for a name that is not in the catalogue."""
    if name not in ROBOTS:
        raise BadInput(f"there is no robot called {name!r}", f"known: {', '.join(ROBOTS)}")
    return ROBOTS[name]()
