"""Terminals that run an ONNX network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hil.clock import Deadline
from hil.contracts.base import NEVER, Device, Scalar


@dataclass(frozen=True, slots=True)
class ModelImage:
    """A network ready to be sent: its bytes, their SHA-256, and how inputs are prepared.

    `preprocess` maps an input name to the plain-data form of `models.card.ImageInput`;
    inputs without an entry are tensors passed through as they are.
    """

    name: str
    content: bytes
    sha256: str
    preprocess: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceStamps:
    """Stamps of one inference on the *device's* clock, ns; never compared with host stamps
    without a clock mapping. `NEVER` where the device has no clock."""

    received_ns: int
    start_ns: int
    end_ns: int
    sent_ns: int


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """Outputs by name (float arrays), the device's own account of its time, and the host's:
    when the request had been written and when the answer was there, on the run's clock."""

    outputs: Mapping[str, NDArray[np.float32]]
    stamps: DeviceStamps
    asked_ns: int = NEVER
    answered_ns: int = NEVER


@runtime_checkable
class Inference(Device, Protocol):
    """A terminal that runs an ONNX network."""

    def load(self, model: ModelImage, deadline: Deadline) -> None:
        """Send the network and wait until the terminal has checked its digest and can run it.

        Errors: ModelRefused, DeadlineMissed, LinkLost.
        """
        ...

    def infer(
        self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline
    ) -> InferenceResult:
        """Run the loaded network once. `bytes` inputs are compressed images.

        Errors: DeadlineMissed (a late answer is dropped when it comes), DeviceFault, LinkLost.
        """
        ...


@runtime_checkable
class OverlappedInference(Inference, Protocol):
    """A terminal that can be asked without being waited for."""

    def submit(self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline) -> int:
        """Send one inference and return its ticket at once. Errors: DeadlineMissed, LinkLost."""
        ...

    def collect(self, deadline: Deadline) -> tuple[int, InferenceResult] | None:
        """The newest finished inference and its ticket; None where none has come by the
        deadline. Older ones are dropped and counted. Errors: DeviceFault, LinkLost."""
        ...
