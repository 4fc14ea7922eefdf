"""Robots made of robots: a gripper or a hand on an arm's flange, two of a kind in one plant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.robots.chains import tool_on
from sim.robots.model import Motor, Robot, Tool
from sim.robots.urdf import Body, Joint, Vector


def prefixed(robot: Robot, prefix: str) -> Robot:
    """`robot` with `prefix` before the names of its links, joints, motors and fingertips, so
    that several of a kind can stand in one plant. Tools keep their names: a tool is asked of
    one robot."""
    body = _renamed(robot.body, prefix)
    return replace(
        robot,
        name=prefix + robot.name,
        body=body,
        motors=tuple(_renamed_motor(motor, prefix) for motor in robot.motors),
        tools={name: _on(body, tool, prefix) for name, tool in robot.tools.items()},
        tips={
            prefix + name: replace(tip, link=prefix + tip.link) for name, tip in robot.tips.items()
        },
        wrist=prefix + robot.wrist if robot.wrist else "",
        grip_links=tuple(prefix + link for link in robot.grip_links),
    )


def mounted(
    arm: Robot,
    hand: Robot,
    link: str,
    at: Vector = (0.0, 0.0, 0.0),
    rpy: Vector = (0.0, 0.0, 0.0),
    name: str = "",
) -> Robot:
    """`hand` fixed to `link` of `arm`: its base frame is `at` (m), `rpy` (rad) in the link's.

    Links and joints of the two must have different names (see `prefixed`). The hand's tools
    come first, now moved by the arm as well; the friction of fingertips is the hand's. The
    body's own links collide with each other where the hand's do.
    """
    name = name or f"{arm.name}-{hand.name}"
    base = hand.body.links[0].name
    fixed = Joint(f"{base}_mount", "fixed", link, base, at, rpy)
    body = Body(
        name,
        (*arm.body.links, *hand.body.links),
        (*arm.body.joints, fixed, *hand.body.joints),
    )
    tools = {
        **hand.tools,
        **{key: tool for key, tool in arm.tools.items() if key not in hand.tools},
    }
    return replace(
        hand,
        name=name,
        body=body,
        motors=(*arm.motors, *hand.motors),
        home=np.concatenate([arm.home, hand.home]),
        tools={key: tool_on(body, tool.link, tool.placed) for key, tool in tools.items()},
        tips={**arm.tips, **hand.tips},
        wrist=arm.wrist or hand.wrist,
        grip_links=(*arm.grip_links, *hand.grip_links),
    )


def _renamed(body: Body, prefix: str) -> Body:
    return Body(
        body.name,
        tuple(replace(link, name=prefix + link.name) for link in body.links),
        tuple(
            replace(
                joint,
                name=prefix + joint.name,
                parent=prefix + joint.parent,
                child=prefix + joint.child,
            )
            for joint in body.joints
        ),
    )


def _renamed_motor(motor: Motor, prefix: str) -> Motor:
    moves = tuple((prefix + joint, ratio) for joint, ratio in motor.moves)
    return replace(motor, name=prefix + motor.name, moves=moves)


def _on(body: Body, tool: Tool, prefix: str) -> Tool:
    return tool_on(body, prefix + tool.link, tool.placed)
