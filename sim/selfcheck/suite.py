"""The checks, and running them in a world of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from sim.robots.model import Robot
from sim.selfcheck import contact, free, grasp
from sim.selfcheck.model import Check, Result
from sim.world import World

MakeWorld = Callable[[int, int], World]

BODIES = (
    Check("energy of a free fall", "", "m v²/2 over m g h", free.fall, 0.005),
    Check("period of a pendulum", "s", "2π √(I/mgl) / M(1, cos a/2)", free.pendulum, 5e-4),
    Check("slip force on a table", "N", "μ m g", contact.slide, 0.03),
    Check("weight by contact forces", "N", "m g", contact.weight, 0.001),
    Check("restitution, mean of 12", "", "as given: 0.8", contact.restitution, 0.06),
)
"""Of every world."""

GRASP = (
    Check("slip force in a grip, ball", "N", "2 μ F − m g", grasp.pulled_ball, 0.03),
    Check("slip force in a grip, cube", "N", "2 μ F − m g", grasp.pulled_cube, 0.03),
    Check("creep of a held cube in 3 s", "mm", "stays where it is", grasp.creep, 0.5),
)
"""Of a world in which the parallel gripper holds things."""


def checks_for(robots: Sequence[Robot]) -> tuple[Check, ...]:
    """Those that a plant with these robots has to pass: what it cannot do is not asked."""
    found = list(BODIES)
    if any(_has_gripper(robot) for robot in robots):
        found += GRASP
    found += [wrist_check(robot) for robot in robots if robot.wrist]
    return tuple(found)


def wrist_check(robot: Robot) -> Check:
    """The weight of all that is behind a robot's wrist."""
    measure = partial(grasp.wrist_weight, robot=robot)
    return Check(f"weight at the wrist, {robot.name}", "N", "m g", measure, 0.001)


def run_checks(
    checks: Sequence[Check], step_hz: int, iterations: int, make: MakeWorld = World
) -> list[Result]:
    """Each check in one world that is emptied before it; the same in any process.

    Errors: HarnessError where the physics blows up.
    """
    world = make(step_hz, iterations)
    try:
        return [_result(check, world, step_hz, iterations) for check in checks]
    finally:
        world.close()


def _result(check: Check, world: World, step_hz: int, iterations: int) -> Result:
    found = check.measure(world)
    return Result(
        check.name,
        check.unit,
        check.formula,
        found.value,
        found.expected,
        check.allowed(found.expected),
        step_hz,
        iterations,
    )


def _has_gripper(robot: Robot) -> bool:
    return any(joint.name.endswith("finger_left") for joint in robot.body.joints)
