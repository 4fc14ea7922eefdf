"""Whether a bench has what a scenario asks of it, before anything is opened."""

from __future__ import annotations

from typing import Any, cast

from hil.config import validate
from hil.errors import CapabilityMissing
from hil.plan.freeze import PlannedScenario
from hil.plugins import TASKS, load
from hil.rig import Bench
from hil.task import EmbodiedTask, Task
from scenarios.schema import Scenario


def require(bench: Bench, planned: PlannedScenario) -> None:
    """Errors: CapabilityMissing naming every gap, or the joints that are others."""
    bench.require(planned.scenario.needs, planned.scenario.id)
    unlike = _other_joints(bench, planned.scenario, planned.task, planned.parameters)
    if unlike:
        raise CapabilityMissing(
            f"scenario {planned.scenario.id!r} {unlike}",
            "use a rig with this robot, or name another robot in the scenario's [task] table",
        )


def fits(bench: Bench, scenario: Scenario) -> bool:
    """Whether the bench has the devices, and the joints, of a scenario. Errors: BadInput for a
    scenario whose archetype is not known or refuses its parameters."""
    if bench.missing(scenario.needs):
        return False
    task: Task = load(TASKS, scenario.archetype)
    parameters = validate(scenario.task, task.Parameters, scenario.id, "task")
    return not _other_joints(bench, scenario, task, parameters)


def _other_joints(bench: Bench, scenario: Scenario, task: Task, parameters: Any) -> str:
    """What joints a job commands that are not those of the bench; empty where they are."""
    roles = [role for role, needed in scenario.needs.items() if needed == "joints"]
    if task.kind != "embodied" or not roles:
        return ""
    wanted = cast(EmbodiedTask, task).joint_names(parameters)
    found = bench.joints(roles[0]).names
    if found == wanted:
        return ""
    return (
        f"commands the joints {', '.join(wanted)}; {roles[0]!r} of rig {bench.rig.name!r} has"
        f" {', '.join(found)}"
    )
