"""Kind `cut-seam` of the archetype tool-use: slit the tape along the middle of a carton's lid.

The carton stands free on the table. Its lid is not flat: it bulges or sags by up to `bow_m`
between its ends, and one end may be higher than the other. Done is: every cell of the seam was
cut, the blade never reached deeper than allowed, wherever over the carton, and at the end it is
out of the carton, which stands still and is touched by nobody, for `hold_s`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import Field

from hil.contracts import FloatArray
from hil.task import Condition, Draw
from sim.robots import knife
from sim.robots.model import Robot
from sim.tasks.kit.draws import number
from sim.tasks.kit.job import Job
from sim.tasks.kit.poses import turned_down, yaw_of
from sim.tasks.kit.ranges import Range, TaskTable, Tracker, about_z, uniform, within
from sim.tasks.kit.script import Desk, Hand, Moves, Script
from sim.tasks.kit.seen import Seen, all_of, at_least, at_most, in_time, most
from sim.tasks.kit.wrist import Wrist

SHALLOWEST_M, DEEPEST_M = 0.002, 0.006
OUT_M = 0.010
"""The blade's end is over the whole lid by so much when it is out."""
REST_M_S = 0.005
KNOTS = 9

EDGE_M = 0.008
"""Before the carton's ends the blade goes in and comes out."""
CLEAR_M = 0.025
LOWER_M_S, CUT_M_S = 0.03, 0.08
TOUCH_N, PRESS_N = 3.0, 12.0
"""Felt when the knife meets the lid, and with what its shoe is pressed on."""
YIELD_M_S_N, FASTEST_M_S = 6e-4, 0.01
"""Upward speed for a newton too much, and the most of it."""
SETTLED_M_S, SETTLE_S = 6e-4, 1.5


class Parameters(TaskTable):
    """The carton's middle is at `x_m`, `y_m`, base frame; its seam is turned by `yaw_rad` from
    the base's y."""

    length_m: Range = within(0.15, 0.36, "m", 0.26, 0.34)
    width_m: Range = within(0.15, 0.26, "m", 0.18, 0.24)
    height_m: Range = within(0.06, 0.18, "m", 0.10, 0.16)
    bow_m: Range = within(-0.004, 0.004, "m", -0.004, 0.004)
    slope_m: Range = within(-0.004, 0.004, "m", -0.003, 0.003)
    mass_kg: Range = within(3.0, 20.0, "kg", 6.0, 12.0)
    friction: Range = within(0.4, 1.6, "", 0.8, 1.2)
    strength_n_m: Range = within(500.0, 8000.0, "N/m", 2000.0, 5000.0)
    x_m: Range = within(0.42, 0.56, "m", 0.45, 0.53)
    y_m: Range = within(-0.12, 0.12, "m", -0.08, 0.08)
    yaw_rad: Range = within(-0.6, 0.6, "rad", -0.4, 0.4)
    start_jitter_rad: float = Field(default=0.03, ge=0, le=0.1)
    press_limit_n: float = Field(default=50.0, gt=0, le=200, description="of the tool's contacts")
    hold_s: float = Field(default=0.5, gt=0, le=3)
    cycle_limit_s: float = Field(default=20.0, gt=0, le=60)
    tracker: Tracker = Tracker()


def _scene(asked: Parameters, rng: np.random.Generator, robot: Robot) -> dict[str, object]:
    size = [uniform(rng, span) for span in (asked.length_m, asked.width_m, asked.height_m)]
    bow, slope = uniform(rng, asked.bow_m), uniform(rng, asked.slope_m)
    part = np.linspace(-1.0, 1.0, KNOTS)
    heights = bow * (1.0 - part**2) + slope * part / 2
    at = [uniform(rng, asked.x_m), uniform(rng, asked.y_m), 0.0]
    turn = about_z(math.pi / 2 + uniform(rng, asked.yaw_rad))
    start = robot.home + rng.uniform(-1.0, 1.0, len(robot.home)) * asked.start_jitter_rad
    carton = {
        "kind": "seam",
        "name": "carton",
        "at": at,
        "turn": turn,
        "size": size,
        "heights": heights.tolist(),
        "mass": uniform(rng, asked.mass_kg),
        "friction": uniform(rng, asked.friction),
        "strength": uniform(rng, asked.strength_n_m),
        "depth": [SHALLOWEST_M, DEEPEST_M],
        "blade": knife.BLADE,
    }
    return {
        "poses": {"carton": [*at, *turn]},
        "length_m": size[0],
        "height_m": size[2],
        "elements": [carton],
        "tracker": asked.tracker.drawn(rng),
        "start": start.tolist(),
    }


def _script(draw: Draw, robot: Robot) -> Script:
    long, high = number(draw, "length_m"), number(draw, "height_m")

    def play(desk: Desk) -> Moves:
        hand = Hand(desk, robot)
        wrist = Wrist(desk, hand)
        carton = yield from desk.measured("carton", 0.6)
        yaw = float(yaw_of(carton[None, 3:])[0])
        # the nearer of the two ways along the seam: the wrist turns less
        if abs(math.remainder(yaw + math.pi / 2, 2 * math.pi)) < math.pi / 2:
            yaw += math.pi
        along = np.array([math.cos(yaw), math.sin(yaw), 0.0])
        axes, up = turned_down(yaw), np.array([0.0, 0.0, 1.0])
        middle, half = np.array([*carton[:2], 0.0]), long / 2 - EDGE_M
        begin, top = middle - half * along, (high + CLEAR_M) * up
        yield from hand.reach(begin + top + 0.03 * up, axes)
        yield from hand.reach(begin + top, axes, 0.1)
        yield from wrist.tare()
        low = begin + (high - CLEAR_M) * up
        yield from hand.reach(low, axes, LOWER_M_S, until=lambda: wrist.force()[2] > TOUCH_N)
        here, _ = hand.where(measured=False)
        place = np.array([*begin[:2], here[2]])
        yield from _press(hand, wrist, place, axes)
        gone = 0.0
        while gone < 2 * half:
            gone += CUT_M_S * desk.tick_s
            place[:2] = (begin + min(gone, 2 * half) * along)[:2]
            place[2] += _lift(wrist) * desk.tick_s
            hand.aim(place, axes)
            yield
        yield from hand.reach(place + 0.05 * up, axes, 0.1)

    return play


def _lift(wrist: Wrist) -> float:
    """Speed upwards, m/s, that brings the press of the shoe to `PRESS_N`."""
    speed = YIELD_M_S_N * (float(wrist.force()[2]) - PRESS_N)
    return max(-FASTEST_M_S, min(FASTEST_M_S, speed))


def _press(hand: Hand, wrist: Wrist, place: FloatArray, axes: FloatArray) -> Moves:
    """Lower until the shoe is pressed on; moves `place`."""
    desk = hand.desk
    end_s, slow_s = desk.view.elapsed_s + SETTLE_S, 0.0
    while desk.view.elapsed_s < end_s and slow_s < 0.1:
        speed = _lift(wrist)
        slow_s = slow_s + desk.tick_s if abs(speed) < SETTLED_M_S else 0.0
        place[2] += speed * desk.tick_s
        hand.aim(place, axes)
        yield


def _conditions(seen: Seen, _draw: Draw, asked: Parameters) -> tuple[Condition, ...]:
    cut, over = seen.column("carton.cut_share"), seen.column("carton.tip_over")
    done = all_of(
        None if cut is None else cut >= 1.0,
        None if over is None else over >= OUT_M,
        seen.below(seen.column("carton.speed"), REST_M_S),
        seen.below(seen.column("carton.robot_n"), 0.0),
    )
    press = seen.peak("carton.robot_peak_n")
    return (
        at_least("seam cut, share", seen.end(cut), 1.0, ""),
        at_most("deepest reach of the blade", seen.peak("carton.deepest"), DEEPEST_M, "m"),
        at_most("peak press on the carton", press, asked.press_limit_n, "N"),
        at_least("cut, blade out, carton at rest at the end", seen.held_s(done), asked.hold_s, "s"),
        in_time("cut within", seen, done, asked.cycle_limit_s),
    )


def _measures(seen: Seen, _draw: Draw, _asked: Parameters) -> Mapping[str, float | None]:
    at = seen.columns("carton")
    moved = None if at is None else most(np.linalg.norm(at - at[0], axis=1))
    return {
        "peak press on the carton, N": seen.peak("carton.robot_peak_n"),
        "peak cutting force, N": seen.peak("carton.cut_peak_n"),
        "carton moved, m": moved,
    }


JOB = Job(
    name="tool-use",
    Parameters=Parameters,
    make_robot=knife.robot,
    scene=_scene,
    conditions=_conditions,
    script=_script,
    measures=_measures,
)
