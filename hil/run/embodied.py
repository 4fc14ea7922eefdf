"""An embodied episode's stages: sense joints, decide, command them, hear the witness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
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
from hil.loop.ticklog import ChannelLog, TickNote
from hil.record.format import ActionReason, Channel, TickFlag
from hil.safety import Envelope
from hil.task import EmbodiedTask, View
from scenarios.schema import Rules

Decision = tuple[FloatArray, InferenceResult | None]


class Policy(Protocol):
    """Who decides. Errors: DeadlineMissed when the answer is late."""

    def __call__(self, view: View, deadline: Deadline) -> Decision: ...


def model_policy(task: EmbodiedTask, terminal: Inference) -> Policy:
    """The scenario's network on the terminal."""

    def decide(view: View, deadline: Deadline) -> Decision:
        result = terminal.infer(task.observe(view), deadline)
        return task.act(result.outputs, view), result

    return decide


def expert_policy(task: EmbodiedTask) -> Policy:
    """The scripted expert: the ceiling."""
    return lambda view, _deadline: (task.expert(view), None)


def null_policy() -> Policy:
    """Stays where it is: the floor."""
    return lambda view, _deadline: (view.target, None)


class EmbodiedJob:
    """Stages of one episode for `hil.loop.run_loop`, and its channels.

    A joint that does not answer is absent in the record. The policy sees its last known value
    while that is young enough for the scenario's rule; after that the last target is commanded
    again, and after too many such ticks in a row the episode ends as the device's failure.
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
        rules: Rules,
        period_ns: int,
        goal: Mapping[str, FloatArray],
        start: JointSample,
        target: FloatArray,
        capacity: int,
        witness_labels: tuple[str, ...],
    ) -> None:
        self._task, self._policy, self._arm, self._scene = task, policy, arm, scene
        self._clock, self._envelope, self._rules, self._goal = clock, envelope, rules, goal
        self._period_s = period_ns / NS_PER_S
        self._known = start
        self._target = target
        self._desired: FloatArray | None = None
        self._view: View | None = None
        self._starved = 0
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
        note.lost = int((~sample.present).sum())
        if note.lost:
            note.flags |= TickFlag.LOST_INPUT
        self._known = _merge(sample, self._known)
        ages = self._known.age_ns
        usable = (ages != NEVER) & (ages <= self._rules.max_age_ms * NS_PER_MS)
        if not usable.all():
            self._view = None
            return
        if note.lost:
            note.flags |= TickFlag.STALE_INPUT
        elapsed_s = (self._clock.now_ns() - self._begin_ns) / NS_PER_S
        self._view = View(row, elapsed_s, self._known, self._target, self._goal)

    def infer(self, row: int, note: TickNote, deadline: Deadline) -> None:
        self._desired = None
        if self._view is None:
            return
        try:
            desired, result = self._policy(self._view, deadline)
        except DeadlineMissed:
            note.flags |= TickFlag.NO_ANSWER
            return
        if result is not None:
            note.answered(result)
        self._logs["joints.desired"].put(row, self._clock.now_ns(), desired)
        # A network that answers NaN has not answered; the record keeps what it said.
        if not np.isfinite(desired).all():
            note.flags |= TickFlag.NO_ANSWER
            return
        self._desired = desired

    def act(self, row: int, note: TickNote, deadline: Deadline) -> None:
        desired = self._desired
        if desired is None:
            note.flags |= TickFlag.REPEATED_ACTION
            note.reason = ActionReason.REPEATED
            desired = self._target
            self._starve()
        else:
            self._starved = 0
        note.repeats = self._starved
        wanted = self._envelope.apply(desired, self._target, self._known.position, self._period_s)
        if not np.allclose(wanted, desired, rtol=0, atol=1e-9):
            note.flags |= TickFlag.LIMITED_ACTION
        try:
            applied = self._arm.command(wanted, deadline)
        except DeadlineMissed:
            note.flags |= TickFlag.NO_COMMAND
            note.reason = ActionReason.NOTHING
            return
        self._target = wanted
        now_ns = self._clock.now_ns()
        self._logs["joints.applied"].put(row, now_ns, applied)
        if self._desired is not None:
            passed_ns = now_ns - self._known.stamp_ns
            note.data_age_ns = int(self._known.age_ns.max()) + passed_ns

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
        return {name: log.channel(ticks) for name, log in logs.items()}

    def _starve(self) -> None:
        self._starved += 1
        if self._starved > self._rules.max_consecutive:
            silent = [
                name
                for name, age in zip(self._arm.names, self._known.age_ns, strict=True)
                if age == NEVER or age > self._rules.max_age_ms * NS_PER_MS
            ]
            cause = f"joint {', '.join(silent)} silent" if silent else "no inference in time"
            raise DeviceFault(f"{cause} for {self._starved} ticks in a row")


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
