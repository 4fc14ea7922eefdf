"""Schema of `scenarios/SECTOR/ID.toml` and `scenarios/profiles/NAME.toml`."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from rigs.link import Fault

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Confidence = Annotated[float, Field(ge=0.5, lt=1)]
Stage = Literal["wake", "sense", "infer", "act"]
Need = Literal[
    "joints",
    "inference",
    "scene",
    "force-torque",
    "tactile",
    "microphone",
    "imu",
    "tracker",
    "camera",
]
"""Capability that a role of the rig must have."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SuccessClaim(_Table):
    """The success probability of an episode is at least `p` (exact one-sided bound)."""

    kind: Literal["success"] = "success"
    p: float = Field(gt=0, lt=1)
    confidence: Confidence = 0.95


class _Sampled(_Table):
    """A claim on ticks, and what of them counts as one independent sample.

    `sample`: a tick; the longest time in an episode; or the longest in a block of
    `block_ticks` grid points in a row (one second of them unless given). Where lateness comes
    in spells, ticks are not independent: take blocks longer than a spell, or episodes.
    """

    sample: Literal["tick", "episode", "block"] = "tick"
    block_ticks: int | None = Field(None, ge=2, le=1_000_000)

    @model_validator(mode="after")
    def _blocks_have_a_length(self) -> Self:
        if self.block_ticks is not None and self.sample != "block":
            raise ValueError(f'block_ticks needs sample = "block", not {self.sample!r}')
        return self

    def block_length(self, rate_hz: float) -> int:
        """Grid points in one sample where `sample` is "block"."""
        return self.block_ticks or max(2, round(rate_hz))


class LatencyClaim(_Sampled):
    """The `quantile` of a stage, of the whole reaction, or of the data age is at most `bound_us`.

    The data age is that of the oldest input behind what is commanded, when it is commanded;
    with overlapped inference it, and not the reaction, says how old the world is that a device
    acts on.
    """

    kind: Literal["latency"] = "latency"
    metric: Stage | Literal["reaction", "data_age"] = "reaction"
    quantile: float = Field(ge=0.5, lt=1)
    bound_us: int = Field(gt=0)
    confidence: Confidence = 0.95


class MissesClaim(_Sampled):
    """At most `max_fraction` of all grid points were answered later than the reaction budget.

    Sampled by episode or block, at most this share of episodes or blocks holds such a point.
    """

    kind: Literal["misses"] = "misses"
    max_fraction: float = Field(gt=0, lt=1)
    confidence: Confidence = 0.95


Claim = Annotated[SuccessClaim | LatencyClaim | MissesClaim, Field(discriminator="kind")]


class Budget(_Table):
    """Time allowed to each stage of a tick; `reaction` from the grid point to the command."""

    wake: int = Field(gt=0)
    sense: int = Field(gt=0)
    infer: int = Field(gt=0)
    act: int = Field(gt=0)
    reaction: int = Field(gt=0)


class Loop(_Table):
    """How the job is paced."""

    rate_hz: float = Field(gt=0, le=1000)
    duration_s: float | None = Field(
        None, gt=0, le=600, description="longest episode; a stimulus job ends with its stimuli"
    )
    infer_timeout_ms: float = Field(gt=0, le=60_000)
    startup_ticks: int = Field(
        0, ge=0, le=100_000, description="grid points of each episode that are reported apart"
    )
    inference: Literal["sync", "overlapped"] = Field(
        "sync",
        description="overlapped: acts on the newest finished inference while the next one runs",
    )
    pacing: Literal["periodic", "device"] = Field(
        "periodic",
        description="device: the read of the joints blocks until there is something new and so"
        " sets the pace, about rate_hz; simulated devices are read at rate_hz",
    )
    shortest_cycle_us: int | None = Field(
        None,
        gt=0,
        description="with pacing = 'device': no tick begins sooner after the one before, half a"
        " period unless given",
    )
    budget_us: Budget

    @model_validator(mode="after")
    def _fits_the_period(self) -> Loop:
        period_us = 1e6 / self.rate_hz
        stages = self.budget_us
        total = stages.wake + stages.sense + stages.infer + stages.act
        if total > stages.reaction:
            raise ValueError(
                f"budget_us: the stages add up to {total} us, more than reaction ="
                f" {stages.reaction} us; raise reaction or shorten a stage"
            )
        if stages.reaction > period_us:
            raise ValueError(
                f"budget_us.reaction = {stages.reaction} us is longer than the period of"
                f" {period_us:.0f} us at rate_hz = {self.rate_hz:g};"
                f" a rate of {1e6 / stages.reaction:.3g} Hz would do"
            )
        return self

    @model_validator(mode="after")
    def _paced(self) -> Loop:
        if self.shortest_cycle_us is None:
            return self
        if self.pacing != "device":
            raise ValueError("shortest_cycle_us goes with pacing = 'device', and only with it")
        period_us = 1e6 / self.rate_hz
        if self.shortest_cycle_us > period_us:
            raise ValueError(
                f"shortest_cycle_us = {self.shortest_cycle_us} us is longer than the period of"
                f" {period_us:.0f} us, so that the device could never keep rate_hz ="
                f" {self.rate_hz:g}; {period_us / 2:.0f} us would do"
            )
        return self

    @property
    def period_ns(self) -> int:
        return round(1e9 / self.rate_hz)

    @property
    def shortest_cycle_ns(self) -> int:
        """Guard of a loop that its device paces."""
        us = self.shortest_cycle_us
        return self.period_ns // 2 if us is None else us * 1000

    def most_ticks(self, points: int) -> int:
        """Ticks that fit into the time of `points` periods."""
        if self.pacing == "periodic":
            return points
        return -(-points * self.period_ns // self.shortest_cycle_ns)


class Rules(_Table):
    """What happens when an input or an answer is missing, or the loop is late.

    A joint that does not answer is replaced by its last known value for at most `max_age_ms`
    (`max_age_of_ms` where it names the joint). After that, and for a missing inference, the
    last target is commanded again for `repeat_ticks` ticks in a row, then `then` applies:

    * `hold`: the target is where the joints were measured when the hold began;
    * `park`: the target is `park_rad`, approached within the rig's envelope;
    * `stop`: the episode ends as the device's failure.

    After `max_consecutive` ticks in a row without a fresh decision it ends in any case.
    `max_late_in_a_row` bounds how many grid points in a row may be answered later than the
    reaction budget; `max_decision_age_ms` how old the observation behind a commanded decision
    may be (overlapped inference: `max_age_ms` unless given; otherwise unlimited).
    """

    max_age_ms: float = Field(ge=0, le=10_000)
    max_consecutive: int = Field(ge=1, le=10_000)
    max_age_of_ms: dict[str, Annotated[float, Field(ge=0, le=10_000)]] = Field(
        default_factory=dict, description="by joint name, in place of max_age_ms"
    )
    max_decision_age_ms: float | None = Field(None, gt=0, le=60_000)
    repeat_ticks: int | None = Field(
        None, ge=0, le=10_000, description="max_consecutive unless given"
    )
    then: Literal["hold", "park", "stop"] = "stop"
    park_rad: dict[str, FiniteFloat] = Field(
        default_factory=dict, description="by joint name; others stay where they were measured"
    )
    max_late_in_a_row: int | None = Field(None, ge=1, le=100_000)

    @model_validator(mode="after")
    def _can_act(self) -> Rules:
        if self.repeated > self.max_consecutive:
            raise ValueError(
                f"repeat_ticks = {self.repeated} is more than max_consecutive ="
                f" {self.max_consecutive}, which ends the episode first; {self.max_consecutive}"
                " or less would do"
            )
        if self.then != "stop" and self.repeated == self.max_consecutive:
            raise ValueError(
                f"then = {self.then!r} can never act: max_consecutive = {self.max_consecutive}"
                f" ends the episode first; repeat_ticks = {self.max_consecutive - 1} or less"
                " would do"
            )
        if (self.then == "park") != bool(self.park_rad):
            raise ValueError("park_rad goes with then = 'park', and only with it")
        return self

    @property
    def repeated(self) -> int:
        """Ticks in a row for which the last target is commanded again."""
        return self.max_consecutive if self.repeat_ticks is None else self.repeat_ticks


class Rate(_Table):
    k: int = Field(ge=0)
    n: int = Field(ge=1)

    @model_validator(mode="after")
    def _k_of_n(self) -> Rate:
        if self.k > self.n:
            raise ValueError(f"k = {self.k} of n = {self.n} is not a rate")
        return self


class Brackets(_Table):
    """What was measured on `rig`, on the same seeds: the score of the null policy (floor) and of
    the scripted expert (ceiling), of an agent that moves by chance, and of the scenario's
    network; `note` says by which command."""

    rig: Id | None = None
    floor: Rate
    chance: Rate | None = None
    network: Rate | None = None
    ceiling: Rate
    note: str


class Policy(_Table):
    """The model that does the job, by its name in the zoo."""

    model: Id


class Scenario(_Table):
    """Whole scenario file. `task` is checked by the archetype's own schema."""

    version: Literal[1] = Field(alias="schema")
    id: Id
    title: str
    description: str
    track: Literal["ai-terminal", "embodied"]
    sector: str
    archetype: Id
    basis: str
    basis_status: Literal["sourced", "derived", "memory", "engineering", "unverified"]
    not_said: list[str] = Field(
        default_factory=list, description="what a result of this scenario does not show"
    )
    needs: dict[str, Need]
    task: dict[str, Any]
    policy: Policy | None = None
    loop: Loop
    rules: Rules
    claims: list[Claim] = Field(min_length=1)
    brackets: Brackets | None = None
    faults: list[Fault] = Field(
        default_factory=list,
        description="put into the link of a role, from at_s after the start of the loop on",
    )

    @model_validator(mode="after")
    def _faults_have_a_device(self) -> Scenario:
        for fault in self.faults:
            if fault.role not in self.needs:
                raise ValueError(
                    f"a fault of kind {fault.kind!r} names role {fault.role!r}; needs has:"
                    f" {', '.join(self.needs)}"
                )
        return self

    @model_validator(mode="after")
    def _rules_fit_the_loop(self) -> Scenario:
        fault = _never_acts(self.loop, self.rules, "joints" in self.needs.values())
        if fault:
            raise ValueError(fault)
        return self


def _never_acts(loop: Loop, rules: Rules, joints: bool) -> str:
    """Why a combination of loop and rules could never command a decision, and what would do."""
    if not joints:
        if loop.pacing == "device":
            return (
                "loop.pacing = 'device' needs joints whose read sets the pace; 'periodic' would do"
            )
        if rules.then != "stop":
            return f"rules.then = {rules.then!r} needs joints; 'stop' would do"
        return _overlap_never_acts(loop, rules) if loop.inference == "overlapped" else ""
    sense_ms = loop.budget_us.sense / 1000
    zero = [name for name, age in rules.max_age_of_ms.items() if age == 0]
    if rules.max_age_ms == 0 or zero:
        key = f"max_age_of_ms.{zero[0]}" if zero else "max_age_ms"
        return (
            f"rules.{key} = 0 is younger than any reading can be; the sense budget of"
            f" {sense_ms:g} ms would do"
        )
    return _overlap_never_acts(loop, rules) if loop.inference == "overlapped" else ""


def _overlap_never_acts(loop: Loop, rules: Rules) -> str:
    limit_ms = rules.max_decision_age_ms or rules.max_age_ms or math.inf
    period_ms = loop.period_ns / 1e6
    if limit_ms <= period_ms:
        # asked in one tick, commanded in the next: on time is one period and one reaction
        enough_ms = period_ms + loop.budget_us.reaction / 1000
        return (
            f"an overlapped decision is never younger than the period of {period_ms:g} ms, and"
            f" rules allow {limit_ms:g} ms; max_decision_age_ms = {enough_ms:g} would do"
        )
    if rules.then == "stop" and rules.repeated == 0:
        return (
            "the first tick of an overlapped loop has no decision yet, and rules.repeat_ticks = 0"
            " ends the episode there; 1 would do"
        )
    return ""


class ProfileScenario(_Table):
    """One scenario of a profile, and what of it the profile sets itself."""

    id: Id
    episodes: int = Field(ge=1, le=100_000)
    success_p: float | None = Field(None, gt=0, lt=1, description="claim instead of the file's")


class Profile(_Table):
    """What a certificate of this name means: scenarios, episodes and the decision rule."""

    version: Literal[1] = Field(alias="schema")
    name: Id
    title: str
    decision: str
    seed: int = Field(ge=0, lt=2**32)
    scenarios: list[ProfileScenario] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_doubles(self) -> Profile:
        ids = [entry.id for entry in self.scenarios]
        doubled = sorted({one for one in ids if ids.count(one) > 1})
        if doubled:
            raise ValueError(f"listed twice: {', '.join(doubled)}")
        return self
