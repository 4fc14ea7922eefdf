"""The benchmark's networks, and how their inputs become the bytes that a board takes."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from hil.config import validate
from hil.errors import BadInput, HarnessError
from models.card import ImageInput
from models.runtime import decode_image

_TYPES: dict[str, np.dtype[Any]] = {
    "uint8": np.dtype("u1"),
    "int8": np.dtype("i1"),
    "float32": np.dtype("<f4"),
}
_TABLE = "profiles.toml"


class Profile(BaseModel):
    """One network of the benchmark. Without `shape` it takes no tensor over the UART."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    also: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    element: Literal["uint8", "int8", "float32"] = "uint8"
    picture: bool = False
    outputs: int | None = Field(None, ge=1)

    @property
    def size(self) -> int:
        """Bytes of the tensor; 0 where there is none."""
        return prod(self.shape) * _TYPES[self.element].itemsize if self.shape else 0


def load_profiles() -> dict[str, Profile]:
    """Every profile by name, other names included. Errors: BadInput naming what is wrong."""
    text = files("drivers.mlperf_tiny").joinpath(_TABLE).read_text(encoding="utf-8")
    found: dict[str, Profile] = {}
    for name, plain in tomllib.loads(text).items():
        profile = validate(plain, Profile, _TABLE, name)
        found.update(dict.fromkeys((name, *profile.also), profile))
    return found


def tensor_bytes(profile: Profile, value: NDArray[np.float32] | bytes) -> bytes:
    """The buffer's bytes for one input.

    Args:
        profile: of the network on the board; must have a shape.
        value: an array of the profile's shape, axes of length 1 aside, or flat; for a picture
            also channels first, which is turned round. Bytes are a compressed picture, which
            the host decodes and resizes, since a board takes pixels. Integer elements must be
            whole numbers in range: a board's tensor is quantised already.

    Errors: BadInput saying what does not fit.
    """
    if not profile.shape:
        raise HarnessError(f"{profile.task} takes no tensor over the UART")
    array = _picture(profile, value) if isinstance(value, bytes) else np.asarray(value)
    shaped = _shaped(profile, array)
    element = _TYPES[profile.element]
    if element.kind != "f":
        limits = np.iinfo(element)
        whole = np.isfinite(shaped).all() and (shaped == np.rint(shaped)).all()
        if not whole or shaped.min() < limits.min or shaped.max() > limits.max:
            raise BadInput(
                f"{profile.task}: the tensor is {profile.element}: whole numbers from"
                f" {limits.min} to {limits.max}",
                "quantise the input as the benchmark's data files are",
            )
    return np.ascontiguousarray(shaped).astype(element).tobytes()


def _picture(profile: Profile, data: bytes) -> NDArray[np.float32]:
    if not profile.picture:
        raise BadInput(f"{profile.task}: the input is a tensor, a picture was given")
    height, width, channels = profile.shape
    color: Literal["gray", "rgb"] = "gray" if channels == 1 else "rgb"
    return decode_image(data, ImageInput(width=width, height=height, color=color, scale=1.0))


def _shaped(profile: Profile, array: NDArray[np.float32]) -> NDArray[np.float32]:
    sizes = tuple(size for size in array.shape if size != 1)
    if sizes == profile.shape or array.shape == (prod(profile.shape),):
        return array
    if profile.picture and sizes == (profile.shape[2], *profile.shape[:2]):
        return array.reshape(sizes).transpose(1, 2, 0)
    raise BadInput(f"{profile.task}: the tensor is {profile.shape}, given was {array.shape}")
