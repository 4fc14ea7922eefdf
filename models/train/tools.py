"""Making the file of a network, and saying by what it was made."""

from __future__ import annotations

import io
import platform
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import onnx
import torch
from torch import nn

from models.runtime import runtime_version


def tool_versions() -> dict[str, str]:
    """Versions of what the weights depend on, by name."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": runtime_version().removeprefix("onnxruntime "),
        "numpy": np.__version__,
        "pybullet": version("pybullet"),
    }


def exported(network: nn.Module, inputs: int, outputs: Sequence[str] = ("action",)) -> bytes:
    """ONNX bytes, opset 17, of a network from `observation` (1, inputs), batch of one."""
    buffer = io.BytesIO()
    torch.onnx.export(
        network.eval(),
        (torch.zeros(1, inputs),),
        buffer,  # type: ignore[arg-type]  # the annotation leaves out what the exporter takes
        input_names=["observation"],
        output_names=list(outputs),
        opset_version=17,
        dynamo=False,
    )
    return buffer.getvalue()
