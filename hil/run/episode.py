"""Runs one planned episode on an open bench and returns what happened as a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from hil.clock import NS_PER_S
from hil.contracts import Scene, Testimony
from hil.errors import Blame, HilError, Interrupted
from hil.loop.envelope import Envelope
from hil.loop.loop import Job, LoopEnd, Timing, run_loop
from hil.loop.pacing import Pacing, on_clock
from hil.loop.rules import JointRules
from hil.loop.ticklog import TickLog
from hil.plan.freeze import PlannedEpisode, PlannedScenario, PolicyName, stream_seed
from hil.record.format import Channel, Episode, EpisodeEnd
from hil.rig import Bench
from hil.run.attendance import tick_log, ticking
from hil.run.clocks import clock_events, start_event, wire_events
from hil.run.deciders import answerer_of, awaited_points, overlap_of, policy_of, role_of
from hil.run.embodied import EmbodiedJob
from hil.run.faults import Injection
from hil.run.motion import move_to
from hil.run.overlap import Overlap
from hil.run.pictures import encode_png
from hil.run.selfwatch import self_watched
from hil.run.senses import Senses, sensors_of
from hil.run.stimulus import StimulusJob
from hil.run.timekeeper import Timekeeper
from hil.safety import StopRequest
from hil.task import EmbodiedTask, StimulusTask
from rigs.schema import Rig

_MOVE_WITHIN_S = 6.0
_SCENE_WITHIN_S = 5.0
_STIMULUS_FRAMES = 1


@dataclass
class Attempt:
    """One attempt at an episode: its record, pictures, and how it ended."""

    episode: Episode
    end: EpisodeEnd
    reason: str
    frames: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class _Notes:
    """What an episode works with, and leaves besides its ticks, filled in while it runs."""

    timekeeper: Timekeeper
    injection: Injection
    chance: np.random.Generator
    events: list[dict[str, Any]] = field(default_factory=list)
    frames: dict[str, bytes] = field(default_factory=dict)
    log: TickLog | None = None
    job: EmbodiedJob | StimulusJob | None = None
    overlap: Overlap | None = None


def run_episode(
    bench: Bench,
    planned: PlannedScenario,
    episode: PlannedEpisode,
    policy: PolicyName,
    stop: StopRequest,
    timekeeper: Timekeeper | None = None,
) -> Attempt:
    """Run one episode to its end, whatever that is.

    `timekeeper` is the one of the run, whose waiters are warm; a fresh one where none is given.

    An error that the device under test is to blame for ends the episode as DEVICE_FAULT, any
    other of the error tree as ERROR: both come back with everything recorded so far.
    """
    draw = planned.task.draw(planned.parameters, np.random.default_rng(episode.seed))
    injection = Injection(bench, planned.scenario.faults, episode.seed)
    chance = np.random.default_rng(stream_seed(episode.seed, "policy"))
    notes = _Notes(timekeeper or Timekeeper(bench), injection, chance)
    run = _embodied if planned.task.kind == "embodied" else _stimulus
    before = {role: dict(device.counters()) for role, device in bench.devices.items()}
    stamping = _stamping(planned) if policy == "model" else None
    used = {role: bench.devices[role] for role in planned.scenario.needs if role in bench.devices}
    notes.events += wire_events(used)
    try:
        notes.events += clock_events(used, bench.clock, stamping, "before")
        ended = run(bench, planned, draw, policy, stop, notes)
        if ended is not LoopEnd.STOPPED:
            notes.events += clock_events(used, bench.clock, stamping, "after")
        end = EpisodeEnd.INTERRUPTED if ended is LoopEnd.STOPPED else EpisodeEnd.COMPLETED
        reason = stop.cause if ended is LoopEnd.STOPPED else str(ended)
    except Interrupted as error:
        end, reason = EpisodeEnd.INTERRUPTED, error.message
    except HilError as error:
        end = EpisodeEnd.DEVICE_FAULT if error.blame is Blame.DEVICE else EpisodeEnd.ERROR
        reason = f"{type(error).__name__}: {error.message}"
    notes.events += injection.rig_events()
    if notes.overlap is not None:
        notes.events.append({"event": "overlap", "counts": notes.overlap.counts()})
    for role, device in bench.devices.items():
        faults = {
            name: count - before[role].get(name, 0)
            for name, count in device.counters().items()
            if count != before[role].get(name, 0)
        }
        if faults:
            notes.events.append({"event": "counters", "role": role, "counts": faults})
    return _attempt(bench, planned, episode, draw, end, reason, notes)


def _attempt(
    bench: Bench,
    planned: PlannedScenario,
    episode: PlannedEpisode,
    draw: Mapping[str, object],
    end: EpisodeEnd,
    reason: str,
    notes: _Notes,
) -> Attempt:
    ticks = notes.log.rows() if notes.log else TickLog(0).rows()
    channels: dict[str, Channel] = notes.job.channels(len(ticks)) if notes.job else {}
    meta = attempt_meta(planned, episode, bench.rig, end, reason)
    record = Episode(episode.name, draw, meta, ticks, channels, tuple(notes.events))
    return Attempt(record, end, reason, notes.frames)


def attempt_meta(
    planned: PlannedScenario, episode: PlannedEpisode, rig: Rig, end: EpisodeEnd, reason: str
) -> dict[str, object]:
    """What is true of a whole attempt, as `hil.record.format.Episode` has it."""
    return {
        "scenario": episode.scenario,
        "seed": episode.seed,
        "end": str(end),
        "reason": reason,
        "rate_hz": planned.scenario.loop.rate_hz,
        "virtual_clock": rig.kind == "sim",
        "rig_kind": rig.kind,
    }


def _embodied(
    bench: Bench,
    planned: PlannedScenario,
    draw: Mapping[str, object],
    policy: PolicyName,
    stop: StopRequest,
    notes: _Notes,
) -> LoopEnd:
    task = cast(EmbodiedTask, planned.task)
    loop = planned.scenario.loop
    arm, scene = bench.joints(role_of(planned, "joints")), bench.scene(role_of(planned, "scene"))
    envelope = Envelope.of(arm, bench.require_limits())
    overlapped = loop.inference == "overlapped"
    rules = JointRules.of(planned.scenario.rules, arm.names, arm.limits, overlapped)
    notes.overlap = overlap_of(bench, planned, policy)
    decide = policy_of(bench, planned, draw, policy, notes.overlap, notes.chance)
    start, sent = move_to(
        arm, task.start_pose(draw), envelope, bench.clock, bench.deadline(_MOVE_WITHIN_S), stop
    )
    if stop():
        return LoopEnd.STOPPED  # the arm is somewhere on its way, where no scene can be arranged
    patience_s = scene.patience_s if isinstance(scene, Testimony) else _SCENE_WITHIN_S
    scene.arrange(draw, bench.deadline(patience_s))
    if stop():
        return LoopEnd.STOPPED
    goal = scene.track(bench.deadline(_SCENE_WITHIN_S))
    notes.events.append({"event": "tracked", "goal": {k: list(v) for k, v in goal.items()}})
    _picture(scene, bench, notes, "00-start.png")
    first = scene.witness(bench.deadline(_SCENE_WITHIN_S))
    notes.events.append(start_event(sent.target))
    points = round((loop.duration_s or 0) * loop.rate_hz)
    capacity = loop.most_ticks(points)
    notes.log = tick_log(stop, capacity)
    sensors = sensors_of(bench, planned.scenario.needs, planned.without)
    senses = Senses(bench.clock, goal, scene if task.tracks else None, sensors, capacity)
    notes.job = job = EmbodiedJob(
        task=task,
        policy=decide,
        arm=arm,
        scene=scene,
        clock=bench.clock,
        envelope=envelope,
        rules=rules,
        period_ns=loop.period_ns,
        paced_by_device=on_clock(Pacing(loop.pacing), bench.clock.virtual) is Pacing.DEVICE,
        goal=goal,
        senses=senses,
        start=start,
        sent=sent,
        capacity=capacity,
        witness_labels=tuple(sorted(first)),
    )
    longest_s = longest_tick_ns(Timing.of(loop)) / NS_PER_S
    with self_watched(bench, longest_s, notes.events):
        ended = _loop(job, planned, notes, notes.log, points, stop)
    if ended is LoopEnd.STOPPED:
        return ended  # whoever stopped it wants a safe rig first, and no picture
    _picture(scene, bench, notes, "01-end.png")
    if isinstance(scene, Testimony):
        said = scene.testimony(bench.deadline(patience_s))
        notes.events.append({"event": "testimony", "values": dict(said)})
    return ended


def _stimulus(
    bench: Bench,
    planned: PlannedScenario,
    draw: Mapping[str, object],
    policy: PolicyName,
    stop: StopRequest,
    notes: _Notes,
) -> LoopEnd:
    task = cast(StimulusTask, planned.task)
    stimuli = task.stimuli(draw)
    notes.overlap = overlap_of(bench, planned, policy)
    points = len(stimuli) + (awaited_points(planned) if notes.overlap else 0)
    notes.log = tick_log(stop, points)
    notes.job = job = StimulusJob(
        answer=answerer_of(bench, planned, draw, policy, notes.overlap, notes.chance),
        stimuli=stimuli,
        clock=bench.clock,
        rules=planned.scenario.rules,
    )
    notes.frames.update(job.frames(_STIMULUS_FRAMES))
    return _loop(job, planned, notes, notes.log, points, stop)


def _loop(
    job: Job,
    planned: PlannedScenario,
    notes: _Notes,
    log: TickLog,
    points: int,
    stop: StopRequest,
) -> LoopEnd:
    timing = Timing.of(planned.scenario.loop, planned.scenario.rules)
    with (
        notes.timekeeper.episode(notes.events, timing.period_ns) as clock,
        ticking(stop, longest_tick_ns(timing)),
        notes.injection.active(notes.events),
    ):
        return run_loop(job, clock, timing, log, points, stop)


def longest_tick_ns(timing: Timing) -> int:
    """The longest that a loop in order may take from one look at its stop to the next: a wait
    for the grid point, every stage to its deadline, and the witness until the next point."""
    _, sense_ns, _, act_ns, _ = timing.budget_ns
    return 2 * timing.period_ns + sense_ns + timing.infer_timeout_ns + act_ns


def _stamping(planned: PlannedScenario) -> str | None:
    """The role whose stamps the rows of the ticks hold."""
    needs = planned.scenario.needs.items()
    return next((role for role, needed in needs if needed == "inference"), None)


def _picture(scene: Scene, bench: Bench, notes: _Notes, name: str) -> None:
    image = scene.picture(bench.deadline(_SCENE_WITHIN_S))
    if image is not None:
        notes.frames[name] = encode_png(image)
