"""Whether bodies are deeper in each other than the contact solver lets them be while it holds."""

from __future__ import annotations

from sim.world import World, blown_up

DEPTH_BOUND = 0.02
"""m: no two rigid bodies are as deep in each other in any credible contact.

Deepest contacts of an episode, at all ticks: with its expert, in every job 3.3 mm (a box dropped
into its bin), or 11.4 mm where a scoop jams balls of 25 mm; in 30 jobs with random motion, which
runs arms into things, 3.9 mm. What is thinner than the bound can be in another thing unnoticed.
"""

DEPTH_EVERY_S = 0.2
"""Of plant time between two looks: to ask PyBullet for every contact costs as much as a step where
there are many, and bodies that are in each other stay so for longer."""


def refuse_depth(world: World) -> None:
    """Look at every contact of the last step. Errors: HarnessError where two rigid bodies are
    deeper in each other than `DEPTH_BOUND`, or it is not a number.

    A surface that gives is as deep as its spring has it: a sponge that is pressed with all an arm
    has may well be pressed to nothing, and that is the policy's fault.
    """
    for point in world.bullet.getContactPoints(physicsClientId=world.client):
        if not point[8] >= -DEPTH_BOUND:
            sides = ((point[1], point[3]), (point[2], point[4]))
            if not any(_gives(world, *side) for side in sides):
                first, second = (_called(world, uid) for uid, _ in sides)
                raise blown_up(f"{first} and {second} are {-1e3 * point[8]:.0f} mm in each other")


def _gives(world: World, uid: int, link: int) -> bool:
    facts = world.bullet.getDynamicsInfo(uid, link, physicsClientId=world.client)
    return bool(facts[9] > 0.0)  # contact stiffness, -1 of what is rigid


def _called(world: World, uid: int) -> str:
    name: bytes = world.bullet.getBodyInfo(uid, physicsClientId=world.client)[1]
    return name.decode()
