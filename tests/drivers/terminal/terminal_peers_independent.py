"""A host and an agent written from the specification alone, on plain descriptors: what the
project's two ends are tried against, one at a time, by version 1 and by version 2."""

from __future__ import annotations

import hashlib
import os
import select
import struct
import threading
import time
import tty
from typing import Any

from terminal_wire_independent import frame, pack, unframe


def doubled(data: bytes) -> bytes:
    """Twice every float32."""
    count = len(data) // 4
    return struct.pack(f"<{count}f", *(2 * value for value in struct.unpack(f"<{count}f", data)))


class PlainHost:
    """Speaks to an agent on a pseudo-terminal, by its path or by its other end. `version` is the
    only one it knows."""

    def __init__(self, line: str | int, version: int) -> None:
        self._fd = line if isinstance(line, int) else os.open(line, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._fd)
        self._pending = b""
        self._seq = 1000
        self._session: dict[str, Any] = {}
        self.version = version

    def __enter__(self) -> PlainHost:
        return self

    def __exit__(self, *details: object) -> None:
        os.close(self._fd)

    def send(self, kind: str, **fields: Any) -> int:
        self._seq += 1
        message = {"type": kind, "seq": self._seq, **self._session, **fields}
        data = frame(pack(message))
        while data:
            data = data[os.write(self._fd, data) :]
        return self._seq

    def receive(self, timeout_s: float = 10.0) -> dict[str, Any]:
        until = time.monotonic() + timeout_s
        while b"\0" not in self._pending:
            if not select.select([self._fd], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError
            self._pending += os.read(self._fd, 65536)
        first, _, self._pending = self._pending.partition(b"\0")
        return unframe(first) if first else self.receive(timeout_s)

    def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        seq = self.send(kind, **fields)
        answer = self.receive()
        assert answer["seq"] == seq, (kind, answer)
        return answer

    def hello(self, *versions: int) -> dict[str, Any]:
        os.write(self._fd, b"\0")
        self._session = {}
        welcome = self.ask("hello", versions=list(versions or (self.version,)), host="plain")
        if "session" in welcome:
            self._session = {"session": welcome["session"]}
        return welcome

    def load(self, content: bytes, stop_after: int | None = None) -> dict[str, Any]:
        """Upload in chunks of 50 bytes; with `stop_after` break off after so many of them."""
        digest = hashlib.sha256(content).hexdigest()
        ack = self.ask("load-begin", name="m", total=len(content), sha256=digest, preprocess={})
        chunks = range(ack["received"], len(content), 50)
        for number, at in enumerate(chunks):
            if number == stop_after:
                return ack
            ack = self.ask("load-chunk", offset=at, data=content[at : at + 50])
            assert ack["received"] == min(at + 50, len(content))
        return self.ask("load-end")

    def infer(self, values: bytes) -> dict[str, Any]:
        shape = [1, len(values) // 4]
        tensor = {"kind": "tensor", "dtype": "float32", "shape": shape, "data": values}
        return self.ask("infer", inputs={"x": tensor})


class PlainAgent:
    """Serves a pseudo-terminal of its own; its network doubles, whatever is loaded.

    `versions` are those it knows; `forget` makes it behave as if it had just been started.
    """

    def __init__(self, versions: tuple[int, ...]) -> None:
        self.versions = versions
        self.forget = False
        self.seen: list[dict[str, Any]] = []
        self._session: int | None = None
        self._greeted = False
        self._upload: dict[str, Any] | None = None
        self._content = b""
        self._loaded = ""

    def __enter__(self) -> PlainAgent:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._stop, self._tell_stop = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        os.write(self._tell_stop, b"x")
        self._thread.join(10)
        for fd in (self._master, self._slave, self._stop, self._tell_stop):
            os.close(fd)

    def _serve(self) -> None:
        pending = b""
        while True:
            ready, _, _ = select.select([self._master, self._stop], [], [])
            if self._stop in ready:
                return
            pending += os.read(self._master, 65536)
            *frames, pending = pending.split(b"\0")
            for one in filter(None, frames):
                os.write(self._master, frame(pack(self._answer(unframe(one)))))

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.seen.append(request)
        if self.forget:
            self.forget, self._greeted, self._loaded, self._upload = False, False, "", None
        answer = self._answer_by_type(request)
        return {"seq": request["seq"], **answer}

    def _answer_by_type(self, request: dict[str, Any]) -> dict[str, Any]:
        kind = request["type"]
        if kind == "hello":
            return self._welcome(request)
        if not self._greeted or request.get("session") != self._session:
            return {"type": "error", "code": "no-session", "text": "say hello"}
        now = time.monotonic_ns()
        match kind:
            case "ping":
                return {"type": "pong", "received_ns": now, "sent_ns": now}
            case "load-begin":
                self._upload, self._content, self._loaded = request, b"", ""
                return {"type": "load-ack", "received": 0}
            case "load-chunk":
                if request["offset"] != len(self._content):
                    return {"type": "error", "code": "offset", "text": "not the next"}
                self._content += request["data"]
                return {"type": "load-ack", "received": len(self._content)}
            case "load-end":
                assert self._upload is not None
                found = hashlib.sha256(self._content).hexdigest()
                if found != self._upload["sha256"]:
                    return {"type": "error", "code": "digest", "text": found}
                self._loaded, self._upload = found, None
                return {"type": "loaded", "sha256": found, "load_ns": 1, "first_run_ns": 1}
            case "infer":
                given = request["inputs"]["x"]
                output = {**given, "data": doubled(given["data"])}
                stamps = dict.fromkeys(("received_ns", "start_ns", "end_ns", "sent_ns"), now)
                return {"type": "result", "outputs": {"y": output}, **stamps}
            case "status" | "reset":
                if kind == "reset":
                    self._loaded, self._upload = "", None
                state = "ready" if self._loaded else "loading" if self._upload else "idle"
                return {"type": "health", "state": state, "uptime_ns": now, "counters": {}}
        return {"type": "error", "code": "unknown-type", "text": f"what is {kind}?"}

    def _welcome(self, request: dict[str, Any]) -> dict[str, Any]:
        common = set(self.versions) & set(request["versions"])
        self._greeted = bool(common)
        if not common:
            return {"type": "error", "code": "version", "text": f"only {self.versions} here"}
        version = max(common)
        self._session = 77 if version == 2 else None
        second = {"session": 77, "boot": 5} if version == 2 else {}
        texts = dict.fromkeys(("model", "serial", "firmware", "runtime"), "plain")
        sizes = {"max_frame": 4096, "max_model": 10_000, "window": 256, "clock_resolution_ns": 1}
        return {"type": "welcome", "version": version, **texts, **sizes, **second}
