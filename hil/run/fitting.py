"""Whether a bench has what a planned scenario asks of it, before anything is opened."""

from __future__ import annotations

from typing import cast

from hil.errors import CapabilityMissing
from hil.plan.freeze import PlannedScenario
from hil.rig import Bench
from hil.run.deciders import role_of
from hil.task import EmbodiedTask


def require(bench: Bench, planned: PlannedScenario) -> None:
    """Errors: CapabilityMissing naming every gap, or the joints that are others."""
    bench.require(planned.scenario.needs, planned.scenario.id)
    if planned.task.kind != "embodied":
        return
    task = cast(EmbodiedTask, planned.task)
    wanted = task.joint_names(planned.parameters)
    role = role_of(planned, "joints")
    found = bench.joints(role).names
    if found != wanted:
        raise CapabilityMissing(
            f"scenario {planned.scenario.id!r} commands the joints {', '.join(wanted)};"
            f" {role!r} of rig {bench.rig.name!r} has {', '.join(found)}",
            "use a rig with this robot, or name another robot in the scenario's [task] table",
        )
