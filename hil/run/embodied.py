"""An embodied episode's stages: sense joints, decide, command them, hear the witness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S, Clock, Deadline
from hil.contracts import (
    NEVER,
    FloatArray,
    Inference,
    InferenceResult,
    Joints,
    JointSample,
    Scene,
)
from hil.errors import DeadlineMissed, DeviceFault
from hil.loop.envelope import Envelope, Sent, all_finite
from hil.loop.rules import JointRules, next_step
from hil.loop.ticklog import ChannelLog, TickNote
from hil.record.format import ActionReason, Channel, TickFlag
from hil.run.senses import Senses
from hil.task import EmbodiedTask, Expert, View

_SAME_RAD = 1e-9
_SHORTEST_S = 1e-6


@dataclass(frozen=True, slots=True)
class Decision:
    """A wish for the joints, (n,), rad; the inference it came of, if one was asked; and the
    stamp of the oldest input it was computed from, ns."""

    target: FloatArray
    result: InferenceResult | None
    seen_ns: int


class Policy(Protocol):
    """Who decides. None where a decision is still being made (overlapped inference).

    Errors: DeadlineMissed when the answer is late.
    """

    def __call__(self, view: View, deadline: Deadline) -> Decision | None: ...


def seen_ns(view: View) -> int:
    """Stamp of the oldest joint value in a view, ns."""
    return view.joints.stamp_ns - int(view.joints.age_ns.max())


def model_policy(task: EmbodiedTask, terminal: Inference) -> Policy:
    """The scenario's network on the terminal, waited for."""

    def decide(view: View, deadline: Deadline) -> Decision:
        result = terminal.infer(task.observe(view), deadline)
        return Decision(task.act(result.outputs, view), result, seen_ns(view))

    return decide


def expert_policy(expert: Expert) -> Policy:
    """The scripted expert: the ceiling."""
    return lambda view, _deadline: Decision(expert(view), None, seen_ns(view))


def null_policy() -> Policy:
    """Stays where it is: the floor."""
    return lambda view, _deadline: Decision(view.target, None, seen_ns(view))


class EmbodiedJob:
    """Stages of one episode for `hil.loop.run_loop`, and its channels.

    A joint that does not answer is absent in the record. The policy sees its last known value
    while that is young enough for the scenario's rule. What is commanded for want of a
    decision, and when the episode ends as the device's failure, `hil.loop.rules` says.
    """

    def __init__(
        self,
        *,
        task: EmbodiedTask,
        policy: Policy,
        arm: Joints,
        scene: Scene,
        clock: Clock,
        envelope: Envelope,
        rules: JointRules,
        period_ns: int,
        paced_by_device: bool,
        goal: Mapping[str, FloatArray],
        senses: Senses,
        start: JointSample,
        sent: Sent,
        capacity: int,
        witness_labels: tuple[str, ...],
    ) -> None:
        self._task, self._policy, self._arm, self._scene = task, policy, arm, scene
        self._clock, self._envelope, self._rules, self._goal = clock, envelope, rules, goal
        self._senses = senses
        self._period_s, self._paced_by_device = period_ns / NS_PER_S, paced_by_device
        self._sent_ns = clock.now_ns()
        self._known = start
        self._sent = sent
        self._decision: Decision | None = None
        self._commanded: Decision | None = None
        self._refuge: FloatArray | None = None
        self._view: View | None = None
        self._memory: FloatArray = np.zeros(0)
        self._missed = 0
        self._begin_ns = clock.now_ns()
        names = arm.names
        self._logs = {
            "joints.position": ChannelLog(capacity, names, "rad"),
            "joints.velocity": ChannelLog(capacity, names, "rad/s"),
            "joints.effort": ChannelLog(capacity, names, "1"),
            "joints.desired": ChannelLog(capacity, names, "rad"),
            "joints.applied": ChannelLog(capacity, names, "rad"),
        }
        self._witness = ChannelLog(capacity, witness_labels, "mixed: see labels")

    def sense(self, row: int, note: TickNote, deadline: Deadline) -> None:
        sample = self._arm.read(deadline)
        for name in ("position", "velocity", "effort"):
            values = getattr(sample, name)
            self._logs[f"joints.{name}"].put(row, sample.stamp_ns, values, sample.age_ns)
        if not all_finite(sample.position):
            note.lost = int((~sample.present).sum())
        if note.lost:
            note.flags |= TickFlag.LOST_INPUT
        self._known = _merge(sample, self._known) if note.lost else sample
        self._senses.take(row, note, deadline)
        self._view = None
        if not self._young().all():
            return
        if note.lost:
            note.flags |= TickFlag.STALE_INPUT
        elapsed_s = (self._clock.now_ns() - self._begin_ns) / NS_PER_S
        senses = self._senses
        self._view = View(
            row,
            elapsed_s,
            self._known,
            self._sent.target,
            self._goal,
            senses.tracked,
            senses.tracked_age_s,
            senses.samples,
            self._memory,
        )

    def infer(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self._decision = None
        if self._view is None:
            return
        try:
            decision = self._policy(self._view, deadline)
        except DeadlineMissed:
            note.flags |= TickFlag.NO_ANSWER
            return
        if decision is None:
            return
        if decision.result is not None:
            note.answered(decision.result)
            self._remember(decision.result)
        self._logs["joints.desired"].put(row, self._clock.now_ns(), decision.target)
        # A network that answers NaN has not answered; the record keeps what it said.
        if not all_finite(decision.target):
            note.flags |= TickFlag.NO_ANSWER
            return
        self._decision = decision

    def act(self, row: int, note: TickNote, deadline: Deadline) -> None:
        decision = self._timely(note)
        step = next_step(self._rules.missing, self._missed, decision is not None)
        desired = self._wanted(step.reason, decision)
        sent = self._envelope.apply(desired, self._sent, self._known, self._since_sent_s())
        if max(map(abs, (sent.target - desired).tolist())) > _SAME_RAD:
            note.flags |= TickFlag.LIMITED_ACTION
        note.reason = ActionReason.HELD if sent.gave_way else step.reason
        if step.reason is not ActionReason.FRESH:
            note.flags |= TickFlag.REPEATED_ACTION
        try:
            applied = self._arm.command(sent.target, deadline)
        except DeadlineMissed:
            note.flags |= TickFlag.NO_COMMAND
            note.reason = ActionReason.NOTHING
            # what does not reach the joints is as good as not decided
            step = next_step(self._rules.missing, self._missed, False)
        else:
            self._keep(row, note, sent, applied, decision)
        self._missed = note.repeats = step.missed
        if step.stop:
            note.fault = DeviceFault(f"{self._cause(note)} for {step.missed} ticks in a row")

    def observe(self, row: int, deadline: Deadline) -> bool:
        try:
            witness = self._scene.witness(deadline)
        except DeadlineMissed:
            return False
        values = np.array([witness.get(label, np.nan) for label in self._witness.labels])
        self._witness.put(row, self._clock.now_ns(), values)
        return self._task.finished(witness)

    def channels(self, ticks: int) -> dict[str, Channel]:
        """What was recorded, by channel name."""
        logs = {**self._logs, "witness": self._witness}
        recorded = {name: log.channel(ticks) for name, log in logs.items()}
        return {**recorded, **self._senses.channels(ticks)}

    def _remember(self, result: InferenceResult) -> None:
        """What the network hands on to itself; the older where it is not finite."""
        memory = result.outputs.get("memory")
        if memory is not None and np.isfinite(memory).all():
            self._memory = memory.astype(np.float64).ravel()

    def _young(self) -> NDArray[np.bool_]:
        """Which joints' last known values the rule lets a policy use, shape (n,)."""
        # without a sign, NEVER is older than any limit
        ages, limits = self._known.age_ns, self._rules.ages.joints_ns
        return np.asarray(ages.view(np.uint64) <= limits.view(np.uint64))

    def _timely(self, note: TickNote) -> Decision | None:
        """This tick's decision, unless what it was computed from is too old by now."""
        decision, limit_ns = self._decision, self._rules.ages.decision_ns
        if decision is None or limit_ns is None:
            return decision
        if self._clock.now_ns() - decision.seen_ns <= limit_ns:
            return decision
        note.flags |= TickFlag.NO_ANSWER
        return None

    def _since_sent_s(self) -> float:
        """Time for which the envelope may move the target on. Where the device sets the pace,
        a tick that comes early has less of it; one that is late never has more."""
        if not self._paced_by_device:
            return self._period_s
        passed_s = (self._clock.now_ns() - self._sent_ns) / NS_PER_S
        return min(self._period_s, max(passed_s, _SHORTEST_S))

    def _wanted(self, reason: ActionReason, decision: Decision | None) -> FloatArray:
        """Where the joints are to go, (n,), rad."""
        if reason in (ActionReason.HELD, ActionReason.PARKED):
            if self._refuge is None:
                self._refuge = self._find_refuge(reason)
            return self._refuge
        self._refuge = None
        return self._sent.target if decision is None else decision.target

    def _find_refuge(self, reason: ActionReason) -> FloatArray:
        """Fixed once: following the measured position would let the arm sag tick by tick. A
        joint of which nothing young is known stays at its last target."""
        held = np.where(self._young(), self._known.position, self._sent.target)
        if reason is ActionReason.HELD:
            return held
        return np.where(np.isnan(self._rules.park), held, self._rules.park)

    def _keep(
        self, row: int, note: TickNote, sent: Sent, applied: FloatArray, decision: Decision | None
    ) -> None:
        """A command is out: log it, with the age of the observation it came of."""
        self._sent = sent
        self._sent_ns = now_ns = self._clock.now_ns()
        self._logs["joints.applied"].put(row, now_ns, applied)
        if decision is not None:
            self._commanded = decision
        behind = self._commanded
        if behind is not None and note.reason in (ActionReason.FRESH, ActionReason.REPEATED):
            note.data_age_ns = now_ns - behind.seen_ns

    def _cause(self, note: TickNote) -> str:
        if note.reason is ActionReason.NOTHING:
            return "no command could be written"
        young = self._young()
        silent = [name for name, here in zip(self._arm.names, young, strict=True) if not here]
        return f"joint {', '.join(silent)} silent" if silent else "no inference in time"


def _merge(sample: JointSample, known: JointSample) -> JointSample:
    """The newest value of each joint, with its age at `sample.stamp_ns`."""
    present = sample.present
    passed_ns = sample.stamp_ns - known.stamp_ns
    aged = np.where(known.age_ns == NEVER, NEVER, known.age_ns + passed_ns)
    return replace(
        sample,
        position=np.where(present, sample.position, known.position),
        velocity=np.where(present, sample.velocity, known.velocity),
        effort=np.where(present, sample.effort, known.effort),
        age_ns=np.where(present, sample.age_ns, aged),
    )
