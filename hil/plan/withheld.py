"""Sensors that a policy has to do without, to see what they are worth.

What is withheld is part of the plan, so that record, verdict and report say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hil.errors import BadInput
from scenarios.schema import Scenario

SENSING = ("force-torque", "tactile", "microphone", "imu", "tracker", "camera")
"""Capabilities of roles that are sampled in every tick."""


def senses_of(scenario: Scenario) -> Mapping[str, tuple[str, ...]]:
    """Roles of a scenario's sensors by their capability, both in the order of the file."""
    found: dict[str, tuple[str, ...]] = {}
    for role, needed in scenario.needs.items():
        if needed in SENSING:
            found[needed] = (*found.get(needed, ()), role)
    return found


def withheld_roles(scenario: Scenario, names: Sequence[str]) -> tuple[str, ...]:
    """The roles meant by `names`, each a role or a capability ("tactile": all roles that are).

    Errors: BadInput for a name that is no sensor of the scenario.
    """
    senses = senses_of(scenario)
    roles = [role for those in senses.values() for role in those]
    unknown = [name for name in names if name not in senses and name not in roles]
    if unknown:
        known = [f"{kind} ({', '.join(those)})" for kind, those in senses.items()]
        raise BadInput(
            f"scenario {scenario.id!r} has no sensor {', '.join(unknown)} to do without",
            f"its sensors are {', '.join(known)}" if known else "it needs none at all",
        )
    meant = {role for name in names for role in senses.get(name, (name,))}
    return tuple(role for role in roles if role in meant)
