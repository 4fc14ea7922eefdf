"""As much HTTP/1.1 as an emulated camera needs: one request a connection, bounded."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

_HEAD_LIMIT = 8192
_BODY_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """`path` without the query."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is None where a stream follows."""

    status: int
    kind: str
    body: bytes | None

    @classmethod
    def json(cls, value: dict[str, Any]) -> Self:
        """An answer of 200 with `value`."""
        return cls(200, "application/json", json.dumps(value).encode() + b"\n")

    def encoded(self) -> bytes:
        """Head and body."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.kind}",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        if self.body is not None:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (self.body or b"")


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The request of a connection; None for what is none, or is too long."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *lines = head[:_HEAD_LIMIT].decode("latin-1").split("\r\n")
    words = first.split(" ")
    fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    length = fields.get("content-length", "0")
    if len(words) != 3 or not length.isdecimal() or int(length) > _BODY_LIMIT:
        return None
    try:
        body = await reader.readexactly(int(length))
    except asyncio.IncompleteReadError:
        return None
    return Request(words[0], words[1].partition("?")[0], body)
