"""Archetype press-turn: push a wall switch so that it changes its state once, and stays.

Channel `witness`, columns as the fixture gives them (each over the time since the row before):
`switch_on` (0 or 1), `switch_on_s` (how long it has been on), `switch_toggles`,
`switch_travel_m`, `neighbour_toggles`, `neighbour_travel_m`, `force_peak_n` (arm against
switches and wall), `wall_force_peak_n`. A rig leaves out what it cannot observe; what a person
testifies after the last tick counts as the value at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hil.contracts import FloatArray
from hil.errors import HarnessError
from hil.record.format import Episode
from hil.task import Condition, Draw, Expert, Score, View
from sim.robots import so101
from sim.tasks import press_expert
from sim.tasks.kit.seen import Seen, at_least, at_most, exactly

ACTION_LIMIT = press_expert.CHANGE_LIMIT
"""rad; the most by which a policy may move a joint's target in one tick."""

NEIGHBOUR_TRAVEL_LIMIT = 0.0005
"""m; a neighbour moved by more counts as touched."""

HOLD_LIMIT_S = 0.25
"""Longest hold that a scenario may ask for."""
_FINISH_S = 0.30  # on for that long ends an episode; two ticks more than any hold asked for

START: FloatArray = np.array([0.0, -1.5, 1.4, 0.1, 0.0, so101.JAW_CLOSED])
"""rad; tip level, 0.25 m forward of the base and 0.16 m up."""


def _within(lowest: float, highest: float, unit: str) -> AfterValidator:
    def check(value: tuple[float, float]) -> tuple[float, float]:
        low, high = value
        if not lowest <= low <= high <= highest:
            raise ValueError(
                f"[{low}, {high}] is not a range from low to high within"
                f" [{lowest}, {highest}] {unit}"
            )
        return value

    return AfterValidator(check)


_Pair = tuple[float, float]


class Parameters(BaseModel):
    """`[task]` table. Ranges are [low, high], drawn uniformly; poses are in the base frame
    and bounded to what an SO-101's tip reaches level."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x_m: Annotated[_Pair, _within(0.28, 0.37, "m")] = Field(
        default=(0.30, 0.35), description="middle of the switch's face, forward"
    )
    y_m: Annotated[_Pair, _within(-0.10, 0.10, "m")] = Field(
        default=(-0.07, 0.07), description="the same, to the left"
    )
    z_m: Annotated[_Pair, _within(0.10, 0.22, "m")] = Field(
        default=(0.12, 0.20), description="the same, height"
    )
    yaw_rad: Annotated[_Pair, _within(-0.3, 0.3, "rad")] = Field(
        default=(-0.2, 0.2), description="direction in which it is pushed; 0 is forward"
    )
    trip_force_n: Annotated[_Pair, _within(2.0, 6.0, "N")] = Field(
        default=(2.5, 4.5), description="spring force at which it toggles"
    )
    track_noise_m: float = Field(
        default=0.001, ge=0, le=0.002, description="standard deviation of the tracker, each axis"
    )
    track_noise_rad: float = Field(
        default=0.01, ge=0, le=0.05, description="standard deviation of the tracker's yaw"
    )
    start_jitter_rad: float = Field(
        default=0.05, ge=0, le=0.1, description="half width of each joint's start"
    )
    force_limit_n: float = Field(default=20.0, gt=0, le=50)
    hold_s: float = Field(default=0.25, gt=0, le=HOLD_LIMIT_S)
    cycle_limit_s: float = Field(default=15.0, gt=0, le=60)


class PressTurn:
    """Implements `hil.task.EmbodiedTask` for an SO-101's joints at 50 Hz."""

    Parameters: type[BaseModel] = Parameters
    kind = "embodied"
    tracks = False

    def joint_names(self, parameters: BaseModel) -> tuple[str, ...]:
        return so101.JOINT_NAMES

    @cached_property
    def _expert(self) -> press_expert.PressExpert:
        return press_expert.PressExpert()

    def draw(self, parameters: BaseModel, rng: np.random.Generator) -> Draw:
        """One scene: pose, side of the neighbour, spring, tracker noise, start pose."""
        asked = _checked(parameters)
        x, y, z, yaw, trip = (
            float(rng.uniform(*span))
            for span in (asked.x_m, asked.y_m, asked.z_m, asked.yaw_rad, asked.trip_force_n)
        )
        jitter = rng.uniform(-1.0, 1.0, so101.ARM_JOINTS) * asked.start_jitter_rad
        start = START.copy()
        start[: so101.ARM_JOINTS] += jitter
        side = int(rng.choice((-1, 1)))
        return {
            "poses": {"switch": [x, y, z, yaw]},
            "elements": [
                {
                    "kind": "wall-switch",
                    "at": [x, y, z],
                    "yaw": yaw,
                    "neighbour_side": side,
                    "trip_force_n": trip,
                }
            ],
            # for whoever sets it up by hand
            "neighbour_side": side,
            "trip_force_n": trip,
            "tracker": {
                "noise_m": asked.track_noise_m,
                "noise_rad": asked.track_noise_rad,
                "seed": int(rng.integers(2**31)),
            },
            "start": start.tolist(),
        }

    def start_pose(self, draw: Draw) -> FloatArray:
        return np.array(cast(list[float], draw["start"]), dtype=np.float64)

    def observe(self, view: View) -> Mapping[str, NDArray[np.float32]]:
        """`observation` (1, 16): positions (6), last target less position (6), and the goal's
        x, y, z, yaw; rad and m."""
        position = view.joints.position
        parts = (position, view.target - position, view.goal["switch"])
        return {"observation": np.concatenate(parts).astype(np.float32)[None]}

    def act(self, outputs: Mapping[str, NDArray[np.float32]], view: View) -> FloatArray:
        """Last target plus `action` (1, 5), rad a tick, bounded; the jaw stays closed."""
        change = np.zeros(len(so101.JOINT_NAMES))
        action = outputs["action"].astype(np.float64).reshape(so101.ARM_JOINTS)
        change[: so101.ARM_JOINTS] = np.clip(action, -ACTION_LIMIT, ACTION_LIMIT)
        return view.target + change

    def expert(self, draw: Draw) -> Expert:
        """The same in every episode: it remembers nothing."""
        return self._expert

    def finished(self, witness: Mapping[str, float]) -> bool:
        """The switch has been on for longer than any hold asks, or the episode is lost: it
        has toggled twice or the neighbour was moved."""
        return (
            witness.get("switch_on_s", 0.0) >= _FINISH_S
            or witness.get("switch_toggles", 0.0) > 1
            or witness.get("neighbour_travel_m", 0.0) > NEIGHBOUR_TRAVEL_LIMIT
        )

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        """Conditions: switched on, by one toggle, held to the end, force, neighbour, time."""
        asked = _checked(parameters)
        seen = Seen.of(episode)
        on, held_s, force = seen.last("switch_on"), _held_s(seen), seen.peak("force_peak_n")
        column = seen.column("switch_on")
        cycle_s = seen.first_s(None if column is None else column == 1.0)
        # a cycle that never came is a failure wherever the switch was observed
        in_time = None if on is None else cycle_s is not None and cycle_s <= asked.cycle_limit_s
        conditions = (
            exactly("switched on", on, 1.0),
            exactly("toggles", _toggles(seen), 1.0),
            at_least("held on until the end", held_s, asked.hold_s, "s"),
            at_most("peak force", force, asked.force_limit_n, "N"),
            at_most(
                "neighbour travel", seen.peak("neighbour_travel_m"), NEIGHBOUR_TRAVEL_LIMIT, "m"
            ),
            Condition("cycle time", cycle_s, "s", f"<= {asked.cycle_limit_s:g} s", in_time),
        )
        found = {
            "cycle_s": cycle_s,
            "held_s": held_s,
            "peak_force_n": force,
            "peak_wall_force_n": seen.peak("wall_force_peak_n"),
            "peak_travel_m": seen.peak("switch_travel_m"),
        }
        return Score(conditions, {name: v for name, v in found.items() if v is not None})


def _toggles(seen: Seen) -> float | None:
    """As counted by the fixture, or else the changes from row to row."""
    counted, on = seen.last("switch_toggles"), seen.column("switch_on")
    if counted is not None or on is None:
        return counted
    states = on[~np.isnan(on)]
    return float(np.abs(np.diff(states, prepend=0.0)).sum()) if len(states) else None


def _held_s(seen: Seen) -> float | None:
    """For how long the switch was on without a break at the end of the episode."""
    counted, on = seen.last("switch_on_s"), seen.column("switch_on")
    if counted is not None or on is None or seen.last("switch_on") is None:
        return counted
    return seen.held_s(on == 1.0)


def _checked(parameters: BaseModel) -> Parameters:
    if not isinstance(parameters, Parameters):
        raise HarnessError(f"press-turn was given parameters of {type(parameters).__name__}")
    return parameters


TASK = PressTurn()
