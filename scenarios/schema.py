"""Schema of `scenarios/SECTOR/ID.toml` and `scenarios/profiles/NAME.toml`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Confidence = Annotated[float, Field(ge=0.5, lt=1)]
Stage = Literal["wake", "sense", "infer", "act"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SuccessClaim(_Table):
    """The success probability of an episode is at least `p` (exact one-sided bound)."""

    kind: Literal["success"] = "success"
    p: float = Field(gt=0, lt=1)
    confidence: Confidence = 0.95


class LatencyClaim(_Table):
    """The `quantile` of a stage, or of the whole reaction, is at most `bound_us`.

    `sample` says what counts as one independent sample: a tick, or the maximum of an episode.
    """

    kind: Literal["latency"] = "latency"
    metric: Stage | Literal["reaction"] = "reaction"
    quantile: float = Field(ge=0.5, lt=1)
    bound_us: int = Field(gt=0)
    confidence: Confidence = 0.95
    sample: Literal["tick", "episode"] = "tick"


class MissesClaim(_Table):
    """At most `max_fraction` of all grid points were answered later than the reaction budget."""

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

    @property
    def period_ns(self) -> int:
        return round(1e9 / self.rate_hz)


class Rules(_Table):
    """What happens when an input or an answer is missing.

    A joint that does not answer is replaced by its last known value for at most
    `max_age_ms`; after that, and for a missing inference, the last target is commanded again.
    After `max_consecutive` such ticks the episode ends as the device's failure.
    """

    max_age_ms: float = Field(ge=0, le=10_000)
    max_consecutive: int = Field(ge=1, le=10_000)


class Rate(_Table):
    k: int = Field(ge=0)
    n: int = Field(ge=1)

    @model_validator(mode="after")
    def _k_of_n(self) -> Rate:
        if self.k > self.n:
            raise ValueError(f"k = {self.k} of n = {self.n} is not a rate")
        return self


class Brackets(_Table):
    """Measured score of the null policy (floor) and of the scripted expert (ceiling)."""

    floor: Rate
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
    needs: dict[str, Literal["joints", "inference", "scene"]]
    task: dict[str, Any]
    policy: Policy
    loop: Loop
    rules: Rules
    claims: list[Claim] = Field(min_length=1)
    brackets: Brackets | None = None


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
