"""Messages of the scene link: one MessagePack map behind a 32-bit big-endian length.

Request  {"id": n, "op": name, "args": {...}}
Answer   {"id": n, "value": ...} or {"id": n, "error": {"kind", "message", "remedy"}}
Arrays travel as {"dtype", "shape", "data"}.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from hil.errors import ProtocolError

MAX_MESSAGE = 4 * 1024 * 1024
"""Bytes; a picture of 640 x 480 is under 1 MB."""

_LENGTH = struct.Struct(">I")


def pack(message: Mapping[str, object]) -> bytes:
    """One message as bytes.

    Errors: ProtocolError for data that MessagePack cannot carry or that is too long.
    """
    try:
        body: bytes = msgpack.packb(message)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"scene link: message cannot be packed: {error}") from error
    if len(body) > MAX_MESSAGE:
        raise ProtocolError(f"scene link: message of {len(body)} bytes, at most {MAX_MESSAGE}")
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Incremental reader of one connection; memory is bounded by `MAX_MESSAGE`."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Messages that `data` completes.

        Errors: ProtocolError; the connection is of no use after it.
        """
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> dict[str, Any] | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_MESSAGE:
            raise ProtocolError(f"scene link: message of {length} bytes, at most {MAX_MESSAGE}")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        try:
            message = msgpack.unpackb(body)
        except (ValueError, msgpack.exceptions.UnpackException) as error:
            raise ProtocolError(f"scene link: not MessagePack: {error}") from error
        if not isinstance(message, dict):
            raise ProtocolError(f"scene link: a map was expected, not {type(message).__name__}")
        return message


def pack_array(array: NDArray[Any]) -> dict[str, object]:
    """An array as plain data."""
    return {
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "data": np.ascontiguousarray(array).tobytes(),
    }


def unpack_array(data: object) -> NDArray[Any]:
    """The array in `data`. Errors: ProtocolError."""
    try:
        if not isinstance(data, dict):
            raise TypeError(f"a map was expected, not {type(data).__name__}")
        flat = np.frombuffer(data["data"], dtype=np.dtype(data["dtype"]))
        return flat.reshape(data["shape"]).copy()
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"scene link: not an array: {error}") from error
