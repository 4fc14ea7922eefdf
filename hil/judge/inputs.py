"""The part of a record that the judge reads, checked once and typed from then on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hil.errors import DamagedRecord
from hil.record.format import Episode, EpisodeEnd
from scenarios.schema import Brackets, Budget, Claim


class Record(Protocol):
    """What the judge needs of a run; `hil.record.reader.Run` has it."""

    @property
    def plan(self) -> Mapping[str, Any]: ...

    @property
    def ledger(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def plan_sha256(self) -> str: ...

    @property
    def record_sha256(self) -> str: ...

    def episode(self, name: str) -> Episode: ...


class _Part(BaseModel):
    """A plan says more than the judge needs; what it needs has to be there."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class PlannedProfile(_Part):
    title: str
    decision: str


class PlannedFault(_Part):
    """A fault that was to be put into a link; of a rig file, it is that of its device."""

    role: str | None = None
    kind: str


class PlannedLink(_Part):
    faults: list[PlannedFault] = Field(default_factory=list)


class PlannedDevice(_Part):
    role: str
    link: PlannedLink | None = None


class RigContent(_Part):
    devices: list[PlannedDevice] = Field(default_factory=list)


class PlannedRig(_Part):
    title: str
    kind: Literal["sim", "twin", "real"]
    content: RigContent = Field(default_factory=RigContent)


class PlannedLoop(_Part):
    rate_hz: float = Field(gt=0)
    budget_us: Budget
    startup_ticks: int = Field(0, ge=0)


class PlannedScenario(_Part):
    """One scenario as it was frozen into the plan."""

    id: str
    title: str
    track: str
    sector: str
    archetype: str
    description: str
    basis: str
    basis_status: str
    sha256: str
    task: dict[str, Any]
    policy_model: str | None
    loop: PlannedLoop
    claims: list[Claim]
    brackets: Brackets | None = None
    not_said: list[str] = Field(default_factory=list)
    faults: list[PlannedFault] = Field(default_factory=list)
    untimed: str = ""


class PlannedEpisode(_Part):
    name: str
    scenario: str
    seed: int


class Plan(_Part):
    """What was promised before the run."""

    profile: PlannedProfile
    rig: PlannedRig
    policy: Literal["model", "expert", "null", "random"]
    scenarios: list[PlannedScenario]
    episodes: list[PlannedEpisode]
    without: list[str] = Field(default_factory=list)


class AttemptRow(_Part):
    """One try at an episode; `files` names its record relative to the run folder."""

    episode: str
    attempt: int = 1
    end: EpisodeEnd
    reason: str = ""
    files: dict[str, str]

    @property
    def folder(self) -> str:
        """Name of the attempt's folder under `episodes/`; empty where nothing was recorded."""
        parts = next(iter(self.files), "").split("/")
        return parts[1] if len(parts) > 2 else ""


class SafeRow(_Part):
    """What was read back when a device was made safe."""

    role: str
    safe: bool
    state: str
    cause: str = ""
    took_us: float | None = None
    readings: dict[str, str | int | float | bool | None]


class PhysicsCheck(_Part):
    """What the physics behind a rig gave, and what a formula says, in `unit`; `value` is None
    where what was waited for never happened."""

    name: str
    unit: str
    formula: str
    value: float | None
    expected: float
    tolerance: float = Field(ge=0)
    step_hz: int
    iterations: int


class PhysicsRow(_Part):
    """The checks of the physics behind one role."""

    role: str
    checks: list[PhysicsCheck]


class EndRow(_Part):
    """Why the run ended."""

    outcome: Literal["complete", "interrupted", "error", "void"]
    reason: str = ""


class Inputs(_Part):
    """Plan and ledger of one run. `end` is None where the ledger has no closing row."""

    plan: Plan
    virtual: bool
    attempts: dict[str, list[AttemptRow]]
    safe: list[SafeRow]
    end: EndRow | None
    physics: list[PhysicsRow] = Field(default_factory=list)


Part = TypeVar("Part", bound=BaseModel)


def read_inputs(record: Record) -> Inputs:
    """Check plan and ledger. Errors: DamagedRecord naming file, row and keys."""
    plan = _parse(Plan, record.plan, "plan.json")
    attempts: dict[str, list[AttemptRow]] = {}
    safe: list[SafeRow] = []
    physics: list[PhysicsRow] = []
    end: EndRow | None = None
    for number, row in enumerate(record.ledger, start=1):
        place = f"ledger.jsonl, row {number}"
        match row.get("row"):
            case "attempt":
                attempt = _parse(AttemptRow, row, place)
                attempts.setdefault(attempt.episode, []).append(attempt)
            case "safe":
                safe.append(_parse(SafeRow, row, place))
            case "physics":
                physics.append(_parse(PhysicsRow, row, place))
            case "end":
                end = _parse(EndRow, row, place)
    _check_names(plan, attempts)
    return Inputs(
        plan=plan,
        virtual=_virtual(record),
        attempts=attempts,
        safe=safe,
        end=end,
        physics=physics,
    )


def _parse(model: type[Part], data: Any, place: str) -> Part:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DamagedRecord(
            f"{place}: {where}: {first['msg']}",
            "this version of the testbed cannot judge the record; use the one that wrote it",
        ) from error


def _virtual(record: Record) -> bool:
    clock = record.ledger[0].get("clock") if record.ledger else None
    if clock not in ("wall", "virtual"):
        raise DamagedRecord(f"ledger.jsonl, row 1: clock is {clock!r}, not 'wall' or 'virtual'")
    return bool(clock == "virtual")


def _check_names(plan: Plan, attempts: Mapping[str, object]) -> None:
    """Every attempt belongs to a planned episode, and every episode to a planned scenario."""
    names = [episode.name for episode in plan.episodes]
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        raise DamagedRecord(f"plan.json: episodes planned twice: {', '.join(doubled)}")
    stray = sorted(set(attempts) - set(names))
    if stray:
        raise DamagedRecord(f"ledger.jsonl: attempts at unplanned episodes: {', '.join(stray)}")
    known = {scenario.id for scenario in plan.scenarios}
    lost = sorted({e.scenario for e in plan.episodes} - known)
    if lost:
        raise DamagedRecord(f"plan.json: episodes of unplanned scenarios: {', '.join(lost)}")
