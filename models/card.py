"""Schema of `models/zoo/NAME/card.toml`: what a network is, eats and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageInput(_Table):
    """How a compressed image becomes a tensor of shape (1, channels, height, width).

    Decode, convert to `color`, resize to width x height (area interpolation), to float32,
    times `scale`. The terminal does this, so that its time is part of the device's latency.
    """

    kind: Literal["image"] = "image"
    width: int = Field(gt=0, le=4096)
    height: int = Field(gt=0, le=4096)
    color: Literal["gray", "rgb"]
    scale: float = Field(gt=0)


class TensorInput(_Table):
    """A float32 tensor sent as it is; `channels` names its last axis."""

    kind: Literal["tensor"] = "tensor"
    channels: list[str] = Field(min_length=1)


class Input(_Table):
    name: str = Field(min_length=1)
    source: ImageInput | TensorInput = Field(discriminator="kind")


class Output(_Table):
    name: str = Field(min_length=1)
    channels: list[str] = Field(min_length=1)


class Provenance(_Table):
    """Where the weights came from; `seed` and `script` make them again."""

    script: str
    seed: int
    data: str
    tools: dict[str, str]


class ModelCard(_Table):
    """Whole card. `normalisation` says where inputs are scaled ("inside the graph")."""

    version: Literal[1] = Field(1, alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    file: str = "model.onnx"
    sha256: Sha256
    archetype: str
    licence: str
    normalisation: str
    limits: str = Field(description="what the model was not shown and cannot do")
    inputs: list[Input] = Field(min_length=1)
    outputs: list[Output] = Field(min_length=1)
    provenance: Provenance
    scores: dict[str, float] = Field(default_factory=dict)
