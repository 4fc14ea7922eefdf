"""Messages of the terminal protocol as typed values; validated where they come in.

Host -> agent are *requests*, agent -> host *answers*; an answer carries the sequence number
of its request. Fields that a receiver does not know are ignored, so that a version can grow.
Fields of version 2 are None, and left out, where version 1 is spoken.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hil.errors import ProtocolError

VERSIONS = (1, 2)
"""Versions that both ends of this project speak; `docs/terminal-agent.md` has them."""

VERSION_2 = 2
"""It brought sessions, uploads that go on after a loss, credit for what is unanswered, and
`cancel`."""

SEQUENCE_LIMIT = 2**32

Array = NDArray[np.float32]
State = Literal["idle", "loading", "ready"]
ErrorCode = Literal[
    "bad-message",  # a field is missing, of the wrong type or out of range
    "unknown-type",  # no request is called that
    "no-session",  # hello was not said
    "version",  # no protocol version in common
    "too-large",  # the model exceeds max_model
    "offset",  # a chunk is not the next one
    "digest",  # the bytes received do not have the announced SHA-256
    "model",  # no session can be built from the bytes
    "not-loaded",  # infer without a model
    "input",  # an input is missing, unknown, of the wrong shape, or no image
    "inference",  # the network failed at run time
    "superseded",  # a newer infer was waiting already
    "cancelled",  # the host has asked for that
]
Outcome = Literal["stopped", "dropped", "nothing"]

_Sequence = Annotated[int, Field(ge=0, lt=SEQUENCE_LIMIT)]
_Stamp = Annotated[int, Field(ge=0, lt=2**63)]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Text = Annotated[str, Field(max_length=1024)]
_Name = Annotated[str, Field(min_length=1, max_length=128)]
_Session = Annotated[int, Field(ge=1, lt=2**32)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Side = Annotated[int, Field(ge=0, lt=2**31)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Tensor(_Part):
    """C-contiguous little-endian array; `shape` may be empty (a scalar)."""

    kind: Literal["tensor"] = "tensor"
    dtype: Literal["float32"] = "float32"
    shape: list[_Side] = Field(max_length=8)
    data: bytes

    @model_validator(mode="after")
    def _size(self) -> Tensor:
        expected = 4 * prod(self.shape)
        if len(self.data) != expected:
            raise ValueError(
                f"shape {self.shape} needs {expected} bytes, data has {len(self.data)}"
            )
        return self

    @classmethod
    def of(cls, array: NDArray[np.float32]) -> Tensor:
        """Tensor with the values of `array`, as float32."""
        plain = np.ascontiguousarray(array, dtype="<f4")
        return cls(shape=list(array.shape), data=plain.tobytes())

    def array(self) -> NDArray[np.float32]:
        """The values, of `shape`; read-only."""
        return np.frombuffer(self.data, dtype="<f4").reshape(self.shape)


class Image(_Part):
    """A compressed picture; the agent decodes it."""

    kind: Literal["image"] = "image"
    encoding: Literal["jpeg"] = "jpeg"
    data: bytes = Field(min_length=1)


Input = Annotated[Tensor | Image, Field(discriminator="kind")]


class _Message(_Part):
    seq: _Sequence

    def map(self) -> dict[str, object]:
        """Plain form, ready for `codec.encode`."""
        return self.model_dump()


class Request(_Message):
    """What the host sends. `session` is that of the welcome, from version 2 on."""

    session: _Session | None = None

    def map(self) -> dict[str, object]:
        return _without_none(self.model_dump(), "session")


class Answer(_Message):
    """What the agent sends."""


class Hello(Request):
    type: Literal["hello"] = "hello"
    versions: list[Annotated[int, Field(ge=0, lt=2**16)]] = Field(min_length=1, max_length=16)
    host: _Text = ""


class LoadBegin(Request):
    """`preprocess` maps an input's name to the plain form of `models.card.ImageInput`."""

    type: Literal["load-begin"] = "load-begin"
    name: _Name
    total: Annotated[int, Field(ge=1, lt=2**40)]
    sha256: _Sha256
    preprocess: dict[_Name, dict[str, str | int | float | bool]] = Field(default_factory=dict)


class LoadChunk(Request):
    type: Literal["load-chunk"] = "load-chunk"
    offset: _Count
    data: bytes = Field(min_length=1)


class LoadEnd(Request):
    type: Literal["load-end"] = "load-end"


class Infer(Request):
    type: Literal["infer"] = "infer"
    inputs: dict[_Name, Input] = Field(min_length=1, max_length=16)


class Ping(Request):
    type: Literal["ping"] = "ping"


class Status(Request):
    type: Literal["status"] = "status"


class Reset(Request):
    type: Literal["reset"] = "reset"


class Cancel(Request):
    """Stop the inference with sequence number `target`; without one, drop the upload."""

    type: Literal["cancel"] = "cancel"
    target: _Sequence | None = None


class Welcome(Answer):
    """Answer to hello. Sizes in bytes: `max_frame` without delimiter, `window` of what may be
    unanswered. `session` and `boot` from version 2 on: this conversation, and the agent's
    process, by numbers that differ from those before."""

    type: Literal["welcome"] = "welcome"
    version: Annotated[int, Field(ge=1, lt=2**16)]
    model: _Text
    serial: _Text
    firmware: _Text
    runtime: _Text
    clock_resolution_ns: Annotated[int, Field(ge=1, lt=2**63)]
    max_frame: Annotated[int, Field(ge=1024, lt=2**32)]
    max_model: Annotated[int, Field(ge=1, lt=2**40)]
    window: Annotated[int, Field(ge=256, lt=2**32)]
    session: _Session | None = None
    boot: _Session | None = None

    def map(self) -> dict[str, object]:
        return _without_none(self.model_dump(), "session", "boot")


class LoadAck(Answer):
    """Answer to load-begin and to every chunk: bytes received so far, by version 2 also in
    sessions before."""

    type: Literal["load-ack"] = "load-ack"
    received: _Count


class Loaded(Answer):
    """Answer to load-end: digest checked, session built, first run done."""

    type: Literal["loaded"] = "loaded"
    sha256: _Sha256
    load_ns: _Stamp
    first_run_ns: _Stamp


class Result(Answer):
    """Answer to infer. Stamps are of the agent's monotonic clock: last byte of the request
    read, work begun (decoding of images included), outputs there, answer about to be sent."""

    type: Literal["result"] = "result"
    outputs: dict[_Name, Tensor]
    received_ns: _Stamp
    start_ns: _Stamp
    end_ns: _Stamp
    sent_ns: _Stamp


class Cancelled(Answer):
    """Answer to cancel: a running inference was `stopped`, a waiting one or an upload was
    `dropped`, or there was `nothing` to cancel any more."""

    type: Literal["cancelled"] = "cancelled"
    outcome: Outcome


class Pong(Answer):
    type: Literal["pong"] = "pong"
    received_ns: _Stamp
    sent_ns: _Stamp


class Health(Answer):
    """Answer to status and reset; what the terminal cannot measure is nil."""

    type: Literal["health"] = "health"
    state: State
    model: _Text | None = None
    sha256: _Sha256 | None = None
    uptime_ns: _Stamp
    memory_bytes: _Count | None = None
    temperature_c: float | None = None
    counters: dict[_Name, _Count] = Field(default_factory=dict)


class Error(Answer):
    """`seq` is that of the request, 0 where it had none."""

    type: Literal["error"] = "error"
    code: ErrorCode
    text: _Text


def _without_none(plain: dict[str, Any], *names: str) -> dict[str, object]:
    return {key: value for key, value in plain.items() if value is not None or key not in names}


_M = TypeVar("_M", bound=_Message)


class Parser(Generic[_M]):
    """Plain maps -> messages of one direction."""

    def __init__(self, *members: type[_M]) -> None:
        self._members = {str(member.model_fields["type"].default): member for member in members}

    @property
    def types(self) -> frozenset[str]:
        """Names of the messages it knows."""
        return frozenset(self._members)

    def parse(self, message: Mapping[str, object]) -> _M:
        """Typed message. Errors: ProtocolError naming the unknown type or the wrong field."""
        member = self._members.get(str(message.get("type")))
        if member is None:
            raise ProtocolError(f"no message is called {message.get('type')!r}")
        try:
            return member.model_validate(message)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            path = ".".join(str(key) for key in first["loc"]) or "as a whole"
            raise ProtocolError(f"{message['type']}: {path}: {first['msg']}") from error


def requests() -> Parser[Request]:
    """Parser for the agent's side."""
    return Parser[Request](
        *(Hello, LoadBegin, LoadChunk, LoadEnd, Infer, Cancel, Ping, Status, Reset)
    )


def answers() -> Parser[Answer]:
    """Parser for the host's side."""
    return Parser[Answer](Welcome, LoadAck, Loaded, Result, Cancelled, Pong, Health, Error)
