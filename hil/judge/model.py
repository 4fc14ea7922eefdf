"""The verdict as plain data, and the one way to write it down."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hil.canonical import canonical_json


class Outcome(StrEnum):
    """What the judge says of a run, a scenario or a claim."""

    PASS = "PASS"  # every bound that was promised is shown
    FAIL = "FAIL"  # the evidence is enough, and a bound is not shown: the device's failure
    INCONCLUSIVE = "INCONCLUSIVE"  # not enough evidence to say either
    ERROR = "ERROR"  # rig, host or harness failed; nothing is said of the device
    VOID = "VOID"  # the conditions of the test were not met
    SKIPPED = "SKIPPED"  # a claim that this kind of rig cannot say anything about

    @property
    def exit_code(self) -> int:
        """Exit code of the command line for this outcome."""
        return {"PASS": 0, "FAIL": 1, "ERROR": 4}.get(self.value, 3)


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """One claim and what the record shows of it.

    `bound` is the value shown at `confidence`: a lower bound of a probability (success), an
    upper bound in us (latency) or of a share (misses); None where none exists. `count` is k of
    `total` n: successes, or samples over the limit. `needed` is the fewest samples for which
    the claim can be shown at all. `stage` names the stage to blame for a late loop.
    `block_ticks` is the length of a block where blocks are the samples. `effective` is the
    number of independent samples that the `total` are worth, by measurement, None where that
    could not be measured; `note` says in words what follows where they are worth less.
    """

    kind: str
    metric: str
    state: Outcome
    statement: str
    shown: str
    reason: str
    count: int
    total: int
    bound: float | None
    limit: float
    unit: str
    confidence: float
    quantile: float | None = None
    sample: str = "episode"
    needed: int = 1
    stage: str | None = None
    block_ticks: int | None = None
    effective: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """As `hil.task.Condition`, with figures rounded for writing."""

    name: str
    value: float | None
    unit: str
    limit: str
    ok: bool | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of the ledger: which try, how it ended and why."""

    attempt: int
    end: str
    reason: str


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """One scheduled episode.

    `success` is None where it could not be decided (missing, interrupted, rig error or not
    observed). `record` is the folder of the attempt that counts, empty where there is none.
    `lost` counts the reads that a joint did not answer, by its name.
    """

    name: str
    seed: int
    success: bool | None
    end: str
    reason: str
    record: str
    ticks: int
    cycle_s: float | None
    conditions: tuple[ConditionResult, ...] = ()
    measures: Mapping[str, float | None] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageTiming:
    """Distribution of one stage in us. A percentile is None where the samples are too few to
    have one sample beyond it, or where that sample was never answered."""

    stage: str
    count: int
    unanswered: int
    p50_us: float | None
    p95_us: float | None
    p99_us: float | None
    max_us: float | None
    budget_us: float | None
    over_budget: int
    p999_us: float | None = None


@dataclass(frozen=True, slots=True)
class WorstSecond:
    """The second with most misses: `points` grid points in a row (fewer where the episode is
    shorter) from `first_point` of an episode on, and the rate of ticks served in it."""

    episode: str
    first_point: int
    points: int
    misses: int
    achieved_hz: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How the loop of one scenario kept time, over all episodes that count.

    `measured` is false on a virtual clock, where durations are declared. A miss is a grid
    point whose reaction took longer than `deadline_us`, skipped points included. The first
    `startup_ticks` grid points of each episode are in nothing but `startup`, the distribution
    of their reactions against the deadline, and in `flags`. `data_age` is the age of the oldest
    input behind what was commanded, at each grid point; None where no tick told one.
    """

    measured: bool
    stages: tuple[StageTiming, ...]
    device: tuple[StageTiming, ...]
    deadline_us: float
    points: int
    misses: int
    skipped: int
    longest_streak: int
    rate_hz: float
    achieved_hz: float | None
    flags: Mapping[str, int]
    worst_second: WorstSecond | None = None
    startup_ticks: int = 0
    startup: StageTiming | None = None
    data_age: StageTiming | None = None


@dataclass(frozen=True, slots=True)
class HopTiming:
    """Distribution of one hop of a decision in us; `hil.judge.hops` names the hops.

    `wire_us` is the time on the wire as computed from bytes and baud, None where the line has no
    rate. `unsure_us` is by how much each figure may be off: the clock mapping's uncertainty, or
    one read period for `motion`; None where one clock took both stamps.
    """

    hop: str
    count: int
    p50_us: float | None
    p95_us: float | None
    max_us: float
    wire_us: float | None
    unsure_us: float | None


@dataclass(frozen=True, slots=True)
class ClockSet:
    """A device's clock was set forward by `size_us` (back, below 0), give or take `unsure_us`,
    between `after_s` and `until_s` from the scenario's first exchange on; `episodes` were under
    way then."""

    after_s: float
    until_s: float
    size_us: float
    unsure_us: float
    episodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClockFit:
    """A device's clock against the host's, over the scenario.

    `offset_us` (in its middle) and `drift_ppm` are of one line through it, or through the longest
    time in which the clock was not set. The map is off by at most `unsure_us`, except where the
    clock was set, as `steps` say. It is in `pieces`, one line each: more than one for every time
    between two steps where the clock wanders. `trip_us` is the longest round trip it rests on.
    """

    role: str
    offset_us: float
    drift_ppm: float
    drift_unsure_ppm: float
    unsure_us: float
    trip_us: float
    exchanges: int
    pieces: int = 1
    steps: tuple[ClockSet, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribution:
    """Where the time of `decisions` went, found in `looked_at` of the scenario's `ticks`.

    `left_out` more are in no hop: the clock of the terminal was set about then, or their stamps
    contradict its map.
    """

    decisions: int
    looked_at: int
    ticks: int
    hops: tuple[HopTiming, ...]
    clocks: tuple[ClockFit, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Bracket:
    """Score of the null policy or of the scripted expert on this scenario."""

    k: int
    n: int


@dataclass(frozen=True, slots=True)
class ScenarioVerdict:
    """Everything said of one scenario."""

    id: str
    title: str
    track: str
    sector: str
    archetype: str
    description: str
    basis: str
    basis_status: str
    sha256: str
    model: str | None
    outcome: Outcome
    reasons: tuple[str, ...]
    successes: int
    failures: int
    undecided: int
    above_floor: bool | None
    floor: Bracket | None
    ceiling: Bracket | None
    brackets_note: str
    claims: tuple[ClaimResult, ...]
    timing: Timing
    lost: Mapping[str, int]
    episodes: tuple[EpisodeResult, ...]
    attribution: Attribution | None = None


@dataclass(frozen=True, slots=True)
class SafeExit:
    """What was read back when a device was made safe."""

    role: str
    safe: bool
    state: str
    cause: str
    took_us: float | None
    readings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PhysicsResult:
    """One check of the physics behind a rig: `value` (None where there is none) against what a
    formula says, give or take `tolerance`, all in `unit`; at so many steps a second and
    iterations of the contact solver."""

    role: str
    name: str
    unit: str
    formula: str
    value: float | None
    expected: float
    tolerance: float
    ok: bool
    step_hz: int
    iterations: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of a whole run. `schema` is the version of this form."""

    schema: int
    outcome: Outcome
    exit_code: int
    reasons: tuple[str, ...]
    profile: str
    decision: str
    rig: str
    rig_kind: str
    clock: str
    policy: str
    plan_sha256: str
    record_sha256: str
    scenarios: tuple[ScenarioVerdict, ...]
    safe_exits: tuple[SafeExit, ...]
    not_said: tuple[str, ...]
    physics: tuple[PhysicsResult, ...] = ()


def verdict_json(verdict: Verdict) -> bytes:
    """Content of `verdict.json`: equal verdicts have equal bytes."""
    return canonical_json(dataclasses.asdict(verdict))


def rounded(value: float | None, digits: int = 9) -> float | None:
    """`value` to significant digits, so that the last bit of a library's arithmetic does not
    show; None for NaN and infinity, which JSON does not have."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def floored(value: float) -> float:
    """A lower bound as written down: six decimals, never more than was shown."""
    return math.floor(value * 1e6) / 1e6


def ceiled(value: float) -> float:
    """An upper bound as written down: six decimals, never less than was shown."""
    return math.ceil(value * 1e6) / 1e6
