"""What stands for the network on an emulated MLPerf-Tiny board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.mlperf_tiny.profiles import Profile
from hil.errors import BadInput
from models.runtime import Network
from sim.emulated.mlperf_tiny_firmware import Scores

_TYPES = {"uint8": "u1", "int8": "i1", "float32": "<f4"}


def shares(outputs: int) -> Scores:
    """A function of the tensor's bytes that is no network: output k is the share of byte k,
    k + outputs, ... in the sum of all. It shows whether the tensor arrived, and nothing else."""

    def scores(tensor: bytes) -> list[float]:
        values = np.frombuffer(tensor, np.uint8).astype(np.float64)
        parts = np.array([values[place::outputs].sum() for place in range(outputs)])
        return list(parts / max(1.0, float(parts.sum())))

    return scores


def onnx_file(path: Path, profile: Profile) -> Scores:
    """A network of one input, fed with the tensor's elements as float32; channels go first
    where the network has them there.

    Errors: BadInput for a file that cannot be read or whose input has another size, ModelRefused
    for one that is no such network.
    """
    try:
        network = Network(path.read_bytes(), {})
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    port = network.inputs[0]
    shape = tuple(size or 1 for size in port.shape)
    if len(network.inputs) != 1 or int(np.prod(shape)) != int(np.prod(profile.shape)):
        raise BadInput(
            f"{path}: input {port.name!r} has shape {shape}, the tensor of {profile.task} has"
            f" {profile.shape}"
        )

    def scores(tensor: bytes) -> list[float]:
        values: NDArray[np.float32] = (
            np.frombuffer(tensor, _TYPES[profile.element]).astype(np.float32).reshape(profile.shape)
        )
        if profile.picture and shape[-3:] == (profile.shape[2], *profile.shape[:2]):
            values = values.transpose(2, 0, 1)
        outputs = network.run({port.name: np.ascontiguousarray(values).reshape(shape)})
        return [float(value) for value in outputs[network.outputs[0].name].ravel()]

    return scores
