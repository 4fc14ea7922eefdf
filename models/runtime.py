"""The one place that runs a network, so that every terminal runs it alike.

One intra-op thread and no spinning: on a control loop a spinning pool burns a core while the
loop sleeps, and a second thread waits for the scheduler whenever something else runs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors
from pydantic import ValidationError

from hil.contracts import Scalar
from hil.errors import BadInput, DeviceFault, ModelRefused
from models.card import ImageInput

Tensors = dict[str, NDArray[np.float32]]

_MAX_AXES = 8  # these two are the terminal protocol's limits
_MAX_NAME = 128

_ORT_ERRORS: tuple[type[Exception], ...] = (
    ort_errors.EngineError,
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output: `shape` has None where the network takes any size."""

    name: str
    shape: tuple[int | None, ...]

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of `shape` fits."""
        return len(shape) == len(self.shape) and all(
            wanted in (None, given) for wanted, given in zip(self.shape, shape, strict=True)
        )


class Network:
    """An ONNX network ready to run; the first run, slower than later ones, is already done and
    its time is kept in `first_run_ns`.

    Args:
        content: the ONNX file.
        preprocess: plain form of `models.card.ImageInput` by input name; other inputs are
            tensors.

    Errors: ModelRefused when no session can be built, when an input or output is not
    float32, or when `preprocess` does not fit the inputs.
    """

    def __init__(self, content: bytes, preprocess: Mapping[str, Mapping[str, Scalar]]) -> None:
        self._session = _session(content)
        self.inputs = tuple(_port(value) for value in self._session.get_inputs())
        self.outputs = tuple(_port(value) for value in self._session.get_outputs())
        self._images = _images(preprocess, self.inputs)
        zeros = {port.name: np.zeros(_any_shape(port), np.float32) for port in self.inputs}
        begun_ns = time.monotonic_ns()
        self.run(zeros)
        self.first_run_ns = time.monotonic_ns() - begun_ns

    def prepare(self, inputs: Mapping[str, NDArray[np.float32] | bytes]) -> Tensors:
        """Tensors for `run`: images decoded and scaled, tensors checked.

        Errors: BadInput naming the input that is missing, unknown, of the wrong shape or
        cannot be decoded.
        """
        names = {port.name for port in self.inputs}
        if names != set(inputs):
            raise BadInput(
                f"the network takes the inputs {_listed(names)}, given: {_listed(set(inputs))}"
            )
        return {port.name: self._tensor(port, inputs[port.name]) for port in self.inputs}

    def run(self, tensors: Tensors) -> Tensors:
        """Outputs by name. Errors: DeviceFault when the network fails at run time."""
        try:
            values = self._session.run(None, tensors)
        except _ORT_ERRORS as error:
            raise DeviceFault(f"the network failed: {_first_line(error)}") from error
        return {port.name: value for port, value in zip(self.outputs, values, strict=True)}

    def _tensor(self, port: Port, value: NDArray[np.float32] | bytes) -> NDArray[np.float32]:
        image = self._images.get(port.name)
        if isinstance(value, bytes):
            if image is None:
                raise BadInput(f"input {port.name!r} is a tensor, an image was given")
            tensor = decode_image(value, image, port.name)
        elif image is not None:
            raise BadInput(f"input {port.name!r} is an image, a tensor was given")
        else:
            tensor = np.ascontiguousarray(value, dtype=np.float32)
        if not port.accepts(tensor.shape):
            raise BadInput(
                f"input {port.name!r} has shape {tensor.shape}, the network takes {port.shape}"
            )
        return tensor


def decode_image(data: bytes, image: ImageInput, name: str = "image") -> NDArray[np.float32]:
    """Compressed picture -> float32, shape (1, channels, height, width), values 0..255 times
    `image.scale`.

    Errors: BadInput when `data` is no picture.
    """
    flags = cv2.IMREAD_GRAYSCALE if image.color == "gray" else cv2.IMREAD_COLOR_RGB
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:  # an empty or absurdly large picture
        raise BadInput(f"input {name!r} cannot be decoded: {error.err}") from error
    if pixels is None:
        raise BadInput(f"input {name!r}: {len(data)} bytes that are no picture")
    small = cv2.resize(pixels, (image.width, image.height), interpolation=cv2.INTER_AREA)
    scaled = small.astype(np.float32) * np.float32(image.scale)
    planes = scaled[np.newaxis] if scaled.ndim == 2 else scaled.transpose(2, 0, 1)
    return np.ascontiguousarray(planes[np.newaxis])


def use_one_thread() -> None:
    """Keep OpenCV, too, from starting threads: a policy for a process of one's own."""
    cv2.setNumThreads(1)


def runtime_version() -> str:
    """Name and version of the inference engine."""
    return f"onnxruntime {ort.__version__}"


def _session(content: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # its warnings would go to stderr; errors are raised
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except _ORT_ERRORS as error:
        raise ModelRefused(f"no session can be built: {_first_line(error)}") from error


def _port(value: ort.NodeArg) -> Port:
    if value.type != "tensor(float)":
        raise ModelRefused(f"{value.name!r} is {value.type}; only float32 tensors are supported")
    if len(value.shape) > _MAX_AXES or not 0 < len(value.name) <= _MAX_NAME:
        raise ModelRefused(
            f"{value.name[:_MAX_NAME]!r}: names of 1 to {_MAX_NAME} characters and at most"
            f" {_MAX_AXES} axes are supported"
        )
    return Port(value.name, tuple(s if isinstance(s, int) else None for s in value.shape))


def _images(
    preprocess: Mapping[str, Mapping[str, Scalar]], inputs: tuple[Port, ...]
) -> dict[str, ImageInput]:
    unknown = set(preprocess) - {port.name for port in inputs}
    if unknown:
        raise ModelRefused(f"preprocess names inputs the network lacks: {_listed(unknown)}")
    try:
        return {name: ImageInput.model_validate(dict(plain)) for name, plain in preprocess.items()}
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ModelRefused(f"preprocess: {key}: {first['msg']}") from error


def _any_shape(port: Port) -> tuple[int, ...]:
    return tuple(size or 1 for size in port.shape)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
