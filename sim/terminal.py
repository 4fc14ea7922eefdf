"""Device `sim-terminal`: a terminal in this process, on the run's clock.

The network really runs, by the same code as on the agent; the time it takes is *declared*:
`infer_us` passes on the run's clock, whatever this processor needs. So its stamps say nothing
about any device, and two runs of one seed are bit-identical.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

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


class Parameters(BaseModel):
    """`parameters` of the rig file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    infer_us: int = Field(3000, ge=0, le=10_000_000, description="declared, wire included")


def build(spec: DeviceSpec, context: BenchContext) -> SimTerminal:
    """Driver factory (entry point `sim-terminal`). Errors: BadInput."""
    return SimTerminal(spec.role, device_parameters(spec, Parameters), context)


class SimTerminal:
    """Implements `hil.contracts.Inference`."""

    capabilities = frozenset({Capability.INFERENCE})

    def __init__(self, role: str, parameters: Parameters, context: BenchContext) -> None:
        self.role = role
        self._infer_ns = parameters.infer_us * NS_PER_US
        self._clock = context.clock
        self._network: Network | None = None
        self._model = ""
        self._late_answers = 0

    def open(self, deadline: Deadline) -> None:
        self._drop()
        self._late_answers = 0

    def identity(self, deadline: Deadline) -> Identity:
        return Identity(
            model="simulated terminal",
            firmware=hil.__version__,
            detail={"runtime": runtime_version(), "infer_us": self._infer_ns // NS_PER_US},
        )

    def health(self, deadline: Deadline) -> list[Finding]:
        return [Finding("model", True, self._model or "none loaded")]

    def ping(self, deadline: Deadline) -> None:
        """Takes no declared time."""

    def counters(self) -> Mapping[str, int]:
        return {"late_answers": self._late_answers}

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
        if self._network is None:
            raise DeviceFault(f"{self.role}: no model is loaded")
        received_ns = self._clock.now_ns()
        outputs = self._network.run(self._network.prepare(inputs))
        done_ns = received_ns + self._infer_ns
        if done_ns > deadline.at_ns:
            self._clock.sleep_until(deadline.at_ns)
            self._late_answers += 1
            raise DeadlineMissed(
                f"{self.role}: an inference takes {self._infer_ns // NS_PER_US} us here,"
                f" allowed were {(deadline.at_ns - received_ns) // NS_PER_US} us"
            )
        self._clock.sleep_until(done_ns)
        return InferenceResult(outputs, DeviceStamps(received_ns, received_ns, done_ns, done_ns))

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
        self._network = None
        self._model = ""
