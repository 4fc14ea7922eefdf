"""What the template shows, gathered from record and verdict; nothing here is marked up."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hil.clock import NS_PER_S
from hil.judge.histogram import Histogram, added, empty
from hil.judge.model import EpisodeResult, Outcome, ScenarioVerdict, StageTiming, Verdict
from hil.judge.samples import REACTION, UNANSWERED, episode_timing
from hil.record.format import STAGES
from hil.record.reader import Run
from hil.report.measured import ConditionRow, FigureRow, condition_rows, figure_rows
from hil.report.plots import Axis, Strip, axis_for, strip

FRAME_LIMIT_BYTES = 400_000
FRAMES_PER_SCENARIO = 4
_PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame of an episode as a data URI."""

    episode: str
    name: str
    success: bool | None
    uri: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage in the plot: figures, histogram, where p95 stands and what was promised."""

    timing: StageTiming
    strip: Strip


@dataclass(frozen=True, slots=True)
class ScenarioView:
    """A scenario's verdict with what is drawn beside it."""

    verdict: ScenarioVerdict
    axis: Axis
    rows: tuple[StageRow, ...]
    pictures: tuple[Picture, ...]
    noteworthy: tuple[EpisodeResult, ...]
    conditions: tuple[ConditionRow, ...]
    figures: tuple[FigureRow, ...]
    claimed_p: float | None
    shown_p: float | None


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose key signs the evidence; `issued` says who vouches for it."""

    keyid: str
    issued: str = "self-issued"


def scenario_view(run: Run, verdict: ScenarioVerdict) -> ScenarioView:
    """Gather one scenario. Reads every episode that counts."""
    drawn = _histograms(run, verdict)
    budgets = {stage.stage: stage.budget_us for stage in verdict.timing.stages}
    marks = [float(b) for b in budgets.values() if b is not None]
    axis = axis_for(drawn, marks)
    success = next((c for c in verdict.claims if c.kind == "success"), None)
    return ScenarioView(
        verdict=verdict,
        axis=axis,
        rows=tuple(
            StageRow(timing, strip(timing.stage, drawn[timing.stage], timing.budget_us, axis))
            for timing in verdict.timing.stages
        ),
        pictures=tuple(pictures(run, verdict.episodes)),
        noteworthy=tuple(e for e in verdict.episodes if not e.success or len(e.attempts) > 1),
        conditions=condition_rows(verdict.episodes),
        figures=figure_rows(verdict.episodes),
        claimed_p=success.limit if success else None,
        shown_p=success.bound if success else None,
    )


def _histograms(run: Run, verdict: ScenarioVerdict) -> dict[str, Histogram]:
    """One histogram a stage, episode by episode: memory does not grow with the run."""
    period_ns = round(NS_PER_S / verdict.timing.rate_hz)
    drawn = {stage: empty() for stage in (*STAGES, REACTION)}
    for episode in verdict.episodes:
        if not episode.record:
            continue
        one = episode_timing(
            run.episode(episode.record).ticks,
            period_ns,
            startup_ticks=verdict.timing.startup_ticks,
            name=episode.name,
        )
        for stage, histogram in drawn.items():
            drawn[stage] = added(histogram, one.samples(stage), UNANSWERED)
    return drawn


def pictures(run: Run, episodes: Sequence[EpisodeResult]) -> list[Picture]:
    """A few frames: failures first, then undecided episodes, then successes.

    An episode gives its first and last frame; where each has but one, several are shown.
    """
    recorded = [episode for episode in episodes if episode.record]
    ordered = [e for success in (False, None, True) for e in recorded if e.success is success]
    found: list[Picture] = []
    for episode in ordered:
        for path in _first_and_last(run.frames(episode.record)):
            uri = data_uri(path.read_bytes())
            if uri:
                found.append(Picture(episode.name, path.stem, episode.success, uri))
        if len(found) >= FRAMES_PER_SCENARIO:
            break
    return found[:FRAMES_PER_SCENARIO]


def _first_and_last(paths: Sequence[Path]) -> list[Path]:
    return list(paths) if len(paths) < 3 else [paths[0], paths[-1]]


def data_uri(content: bytes) -> str:
    """A picture as a data URI; empty where it is no PNG or JPEG, or too large to embed."""
    if len(content) > FRAME_LIMIT_BYTES:
        return ""
    for magic, kind in _PICTURES.items():
        if content.startswith(magic):
            return f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return ""


def devices(run: Run) -> list[tuple[str, list[str]]]:
    """Role and identity of each device, as it gave them when the run began."""
    rows = []
    for row in run.ledger:
        if row["row"] == "device":
            known = [(key, row.get(key)) for key in ("model", "serial", "firmware")]
            rows.append((str(row.get("role")), [f"{k} {v}" for k, v in known if v]))
    return rows


def tally(verdict: Verdict) -> Mapping[str, int]:
    """Counts for the headline: claims by what became of them, and episodes."""
    claims = [claim for scenario in verdict.scenarios for claim in scenario.claims]
    return {
        "claims": len(claims),
        "shown": sum(claim.state is Outcome.PASS for claim in claims),
        "skipped": sum(claim.state is Outcome.SKIPPED for claim in claims),
        "episodes": sum(len(scenario.episodes) for scenario in verdict.scenarios),
    }
