"""Device `sim-terminal`: a terminal in this process, on the run's clock.

The network really runs, by the same code as on the agent, while that clock stands still; then
the inference's time passes on it, which is declared, recorded or measured
(`sim.terminal_time`). So its stamps say nothing about any device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

import hil
from hil.clock import NS_PER_US, Deadline
from hil.config import device_parameters
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    DeviceStamps,
    Finding,
    Identity,
    InferenceResult,
    ModelImage,
    SafeProof,
)
from hil.errors import DeadlineMissed, DeviceFault, ModelRefused
from models.runtime import Network, runtime_version
from sim.terminal_time import InferTime, Parameters

_FINISHED = 8
"""Answers that wait to be collected; older ones are dropped."""


def build(spec: DeviceSpec, context: BenchContext) -> SimTerminal:
    """Driver factory (entry point `sim-terminal`). Errors: BadInput."""
    time = InferTime(device_parameters(spec, Parameters), spec.base)
    return SimTerminal(spec.role, time, context)


@dataclass(frozen=True, slots=True)
class _Job:
    """One inference under way: what it will answer, and when it starts and ends."""

    ticket: int
    result: InferenceResult
    start_ns: int
    done_ns: int


class SimTerminal:
    """Implements `hil.contracts.OverlappedInference`.

    Asked without being waited for, it does one inference after another; of those that wait,
    only the newest is kept, as the agent does it.
    """

    capabilities = frozenset({Capability.INFERENCE})

    def __init__(
        self,
        role: str,
        time: InferTime,
        context: BenchContext,
        stopwatch: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self.role = role
        self._time = time
        self._stopwatch = stopwatch
        self._jobs: list[_Job] = []
        self._tickets = 0
        self._outrun_answers = 0
        self._clock = context.clock
        self._network: Network | None = None
        self._model = ""
        self._late_answers = 0

    def open(self, deadline: Deadline) -> None:
        self._drop()
        self._time.restart()
        self._late_answers = self._outrun_answers = 0

    def identity(self, deadline: Deadline) -> Identity:
        return Identity(
            model="simulated terminal",
            firmware=hil.__version__,
            detail={"runtime": runtime_version(), **self._time.describe()},
        )

    def health(self, deadline: Deadline) -> list[Finding]:
        return [Finding("model", True, self._model or "none loaded")]

    def ping(self, deadline: Deadline) -> None:
        """Takes no declared time."""

    def counters(self) -> Mapping[str, int]:
        return {"late_answers": self._late_answers, "outrun_answers": self._outrun_answers}

    def load(self, model: ModelImage, deadline: Deadline) -> None:
        """Takes no declared time."""
        self._drop()
        found = hashlib.sha256(model.content).hexdigest()
        if found != model.sha256:
            raise ModelRefused(
                f"{self.role}: model {model.name!r}: SHA-256 is {found}, announced was"
                f" {model.sha256}"
            )
        self._network = Network(model.content, model.preprocess)
        self._model = model.name

    def infer(
        self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline
    ) -> InferenceResult:
        job = self._begin(inputs)
        if job.done_ns > deadline.at_ns:
            asked_ns = self._clock.now_ns()
            self._clock.sleep_until(deadline.at_ns)
            self._late_answers += 1
            raise DeadlineMissed(
                f"{self.role}: an inference takes {(job.done_ns - asked_ns) // NS_PER_US} us here,"
                f" allowed were {(deadline.at_ns - asked_ns) // NS_PER_US} us"
            )
        self._clock.sleep_until(job.done_ns)
        return job.result

    def submit(self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline) -> int:
        """As the contract says; takes no time."""
        job = self._begin(inputs)
        now_ns = self._clock.now_ns()
        under_way = [one for one in self._jobs if one.start_ns <= now_ns]
        self._outrun_answers += len(self._jobs) - len(under_way)
        self._jobs = [*under_way[-_FINISHED:], job]
        return job.ticket

    def collect(self, deadline: Deadline) -> tuple[int, InferenceResult] | None:
        """As the contract says; waits on the run's clock."""
        due_ns = min((job.done_ns for job in self._jobs), default=deadline.at_ns)
        self._clock.sleep_until(min(due_ns, deadline.at_ns))
        now_ns = self._clock.now_ns()
        finished = [job for job in self._jobs if job.done_ns <= now_ns]
        if not finished:
            return None
        self._outrun_answers += len(finished) - 1
        self._jobs = [job for job in self._jobs if job.done_ns > now_ns]
        return finished[-1].ticket, replace(finished[-1].result, answered_ns=now_ns)

    def _begin(self, inputs: Mapping[str, NDArray[np.float32] | bytes]) -> _Job:
        """Run the network now; its answer is there once its time has passed."""
        if self._network is None:
            raise DeviceFault(f"{self.role}: no model is loaded")
        begun_ns = self._stopwatch()
        outputs = self._network.run(self._network.prepare(inputs))
        took_ns = self._time.next_ns(self._stopwatch() - begun_ns)
        asked_ns = self._clock.now_ns()
        busy_ns = [job.done_ns for job in self._jobs if job.start_ns <= asked_ns]
        start_ns = max([asked_ns, *busy_ns])
        done_ns = start_ns + took_ns
        stamps = DeviceStamps(asked_ns, start_ns, done_ns, done_ns)
        self._tickets += 1
        return _Job(
            self._tickets, InferenceResult(outputs, stamps, asked_ns, done_ns), start_ns, done_ns
        )

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Drop the network; nothing else of a terminal can do harm."""
        started_ns = self._clock.now_ns()
        self._drop()
        return SafeProof(
            role=self.role,
            safe=self._network is None,
            state="idle",
            readings={"model": self._model},
            started_ns=started_ns,
            proved_ns=self._clock.now_ns(),
        )

    def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        self._jobs = []
        self._network = None
