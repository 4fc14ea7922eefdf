"""`hil bench attribution`: is a known delay found in the hop where it was put?

A twin runs with delays of 0, 1, 5 and 20 ms, one place at a time, and a new one every tick in
random order, so that whatever else the host does falls on all alike. The report's own hop table
is made of the ticks of each delay; what a hop's median gained against the undelayed ticks is
what was put there. A second set of undelayed ticks shows what is noise. The arm holds still: it
is read and commanded as in any run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hil.bench.figures import Figure, at_least, at_most
from hil.bench.injection import (
    DELAYS_US,
    PLACES,
    Place,
    Wire,
    after_each_tick,
    delayed_bench,
    delayed_rig,
    injecting,
)
from hil.catalogue import load_rig
from hil.clock import NS_PER_US
from hil.contracts import ClockSource, FloatArray, Inference, Joints
from hil.errors import HarnessError, RigError
from hil.judge.attribution import attribute
from hil.loop.clockmap import as_array, fit_clock
from hil.plan.freeze import Plan, PlannedEpisode, PlannedScenario, freeze, single
from hil.record.format import Episode
from hil.rig import Bench
from hil.run.clocks import EXCHANGES
from hil.run.episode import run_episode
from hil.safety import StopRequest
from hil.task import Draw, EmbodiedTask, Expert, Score, View
from scenarios.schema import Scenario

RIG, SCENARIO = "twin-so101", "care-light-switch-press"
RATE_HZ = 25.0
TARGET_US = 5_000
RIGHT_SHARE = 0.95
ELSEWHERE_US = 100.0

CONTROL, USUAL = -1, 0
"""Keys of the two sets of undelayed ticks, beside the delays in us."""

_ROUNDS = 200  # of all delays in one episode
_MAPS = 200
_USUAL_US = {"wake": 1_000, "sense": 4_000, "infer": 4_000, "act": 3_000}
_DELAYED_US = 28_000  # for the stage that is delayed


def run(ticks: int) -> tuple[Sequence[Figure], Mapping[str, Any]]:
    """Inject every delay at every place, `ticks` times each.

    Returns figures and conditions. Errors: RigError where the twin does not keep up.
    """
    rig, path = load_rig(RIG)
    rig = delayed_rig(rig)
    plan = freeze(single(SCENARIO, 1), "0" * 64, rig, path)
    figures: list[Figure] = []
    with delayed_bench(rig, path) as (bench, wire):
        bench.open()
        prepare(bench, plan)
        figures += clock_figures(bench)
        for place in PLACES:
            figures += place_figures(place, measure(place, bench, wire, plan, ticks))
    conditions = {
        "rig": RIG,
        "rate_hz": RATE_HZ,
        "ticks": f"{ticks} of each delay at each place, and twice as many of none, in random order",
        "clock truth": "the agents run on this host's own monotonic clock: their offset is 0",
        "limits": "pseudo-terminals and a shared host: software overhead, no device's latency",
    }
    return figures, conditions


def prepare(bench: Bench, plan: Plan) -> None:
    """Energise the arm and give every terminal its network."""
    model = plan.scenarios[SCENARIO].model
    if model is None:
        raise HarnessError(f"scenario {SCENARIO!r} names no model to time")
    for device in bench.devices.values():
        if isinstance(device, Joints):
            device.enable(bench.deadline(2.0))
        elif isinstance(device, Inference):
            device.load(model, bench.deadline(15.0))


class Still:
    """The scenario's task, asked as ever, with its answers put aside: the arm holds still."""

    kind = "embodied"

    def __init__(self, task: EmbodiedTask) -> None:
        self._task = task
        self.Parameters: type[BaseModel] = task.Parameters
        self.tracks = task.tracks

    def joint_names(self, parameters: BaseModel) -> tuple[str, ...]:
        return self._task.joint_names(parameters)

    def draw(self, parameters: BaseModel, rng: np.random.Generator) -> Draw:
        return self._task.draw(parameters, rng)

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        return self._task.score(episode, parameters)

    def start_pose(self, draw: Draw) -> FloatArray:
        return self._task.start_pose(draw)

    def observe(self, view: View) -> Mapping[str, NDArray[np.float32]]:
        return self._task.observe(view)

    def act(self, outputs: Mapping[str, NDArray[np.float32]], view: View) -> FloatArray:
        self._task.act(outputs, view)  # for the time it takes
        return view.target

    def expert(self, draw: Draw) -> Expert:
        return lambda view: view.target

    def finished(self, witness: Mapping[str, float]) -> bool:
        return False


def planned(plan: Plan, place: Place, ticks: int) -> PlannedScenario:
    """The scenario for so many ticks, with time for delays in the stage of `place`."""
    one = plan.scenarios[SCENARIO]
    budget = {**_USUAL_US, place.stage: _DELAYED_US}
    data = one.scenario.model_dump(by_alias=True, exclude_none=True)
    data["needs"] = {"arm": "joints", place.terminal: "inference", "scene": "scene"}
    data["loop"] |= {
        "rate_hz": RATE_HZ,
        "duration_s": ticks / RATE_HZ,
        "budget_us": {**budget, "reaction": sum(budget.values())},
    }
    still = Still(cast(EmbodiedTask, one.task))
    return replace(one, scenario=Scenario.model_validate(data), task=still)


@dataclass(frozen=True, slots=True)
class Shares:
    """Medians of the hops by name in us, for each delay in us, `USUAL` and `CONTROL`."""

    hops_us: Mapping[int, Mapping[str, float]]

    def gained_us(self, delay_us: int) -> dict[str, float]:
        """What each hop gained by the delay; by none, for `CONTROL`."""
        usual, now = self.hops_us[USUAL], self.hops_us[delay_us]
        return {hop: now[hop] - usual[hop] for hop in usual if hop in now}


def measure(place: Place, bench: Bench, wire: Wire, plan: Plan, ticks: int) -> Shares:
    """Run with every delay until each has had `ticks` grid points."""
    keys = (CONTROL, USUAL, *DELAYS_US)
    parts: dict[int, list[Episode]] = {key: [] for key in keys}
    with injecting(place, bench, wire) as inject:
        for number, first in enumerate(range(0, ticks, _ROUNDS)):
            rounds = np.tile(keys, (min(_ROUNDS, ticks - first), 1))
            turns = np.random.default_rng(number).permuted(rounds, axis=1).ravel()
            plan_us = np.maximum(turns, 0).tolist()
            with after_each_tick(bench.devices["scene"], inject, plan_us):
                episode = _episode(bench, planned(plan, place, len(turns)), number)
            inject(0)
            served = turns[: len(episode.ticks)]
            for key in keys:
                parts[key].append(only(episode, served == key))
    return Shares({key: medians_us(episodes) for key, episodes in parts.items()})


def _episode(bench: Bench, scenario: PlannedScenario, number: int) -> Episode:
    name = f"{number + 1:04d}"
    tried = PlannedEpisode(name, SCENARIO, number)
    attempt = run_episode(bench, scenario, tried, "model", StopRequest())
    if attempt.end != "completed":
        raise RigError(f"the run to be measured ended: {attempt.reason}", "is the host overloaded?")
    return attempt.episode


def only(episode: Episode, rows: NDArray[np.bool_]) -> Episode:
    """The episode as if it had had no other ticks; its channels are those of sensing."""
    channel = episode.channels["joints.position"]
    kept = replace(
        channel,
        value=channel.value[rows],
        stamp_ns=channel.stamp_ns[rows],
        age_ns=channel.age_ns[rows],
    )
    return replace(episode, ticks=episode.ticks[rows], channels={"joints.position": kept})


def medians_us(episodes: Sequence[Episode]) -> dict[str, float]:
    """The report's median of every hop, us. Errors: RigError where it has none."""
    found = attribute(episodes, len(episodes), RATE_HZ)
    if found is None:
        raise RigError("no tick of the run commanded a decision", "is the host overloaded?")
    return {hop.hop: hop.p50_us for hop in found.hops if hop.p50_us is not None}


def place_figures(place: Place, shares: Shares) -> list[Figure]:
    """What was put into the right hop, and the most that was put into any other; first the
    most that any hop gained by nothing."""
    hop, most = max(shares.gained_us(CONTROL).items(), key=lambda pair: abs(pair[1]))
    figures = [Figure(f"no delay in {place.name}, most in a hop ({hop!r}): noise", abs(most), "us")]
    for delay_us in DELAYS_US:
        gained = shares.gained_us(delay_us)
        right = gained.pop(place.hop)
        hop, most = max(gained.items(), key=lambda pair: abs(pair[1]))
        judged = delay_us == TARGET_US
        figures.append(
            Figure(
                f"{delay_us / 1000:g} ms in {place.name}, found in {place.hop!r}",
                right,
                "us",
                baseline=float(delay_us),
                ratio=right / delay_us,
                target=f">= {RIGHT_SHARE:g} x" if judged else None,
                met=right >= RIGHT_SHARE * delay_us if judged else None,
            )
        )
        name = f"{delay_us / 1000:g} ms in {place.name}, most in another hop ({hop!r})"
        elsewhere = at_most(name, abs(most), "us", ELSEWHERE_US)
        figures.append(elsewhere if judged else replace(elsewhere, target=None, met=None))
    return figures


def clock_figures(bench: Bench) -> list[Figure]:
    """Error of maps of one burst each against the truth, which is that the clocks are one."""
    terminal = bench.devices["terminal"]
    if not isinstance(terminal, ClockSource):
        raise RigError("the twin's terminal does not tell its clock")
    errors, stated = [], []
    for _ in range(_MAPS):
        rows = as_array(terminal.exchange(bench.deadline(1.0)) for _ in range(EXCHANGES))
        clock = fit_clock(rows)
        if clock is None:
            raise RigError("no exchange of stamps with the terminal was usable")
        stamps = rows[:, 3]  # of the one clock, so that they map to themselves
        errors.append(np.abs(clock.to_host_ns(stamps) - stamps))
        stated.append(clock.uncertainty_ns(stamps))
    error_ns, stated_ns = np.concatenate(errors), np.concatenate(stated)
    inside = 100 * float(np.mean(error_ns <= stated_ns))
    return [
        at_most(
            "clock mapping error over a pty, p99",
            float(np.quantile(error_ns, 0.99)) / NS_PER_US,
            "us",
            100.0,
        ),
        at_least("clock mapping error inside the stated uncertainty", inside, "%", 99.0),
        Figure("stated uncertainty, p50", float(np.median(stated_ns)) / NS_PER_US, "us"),
    ]
