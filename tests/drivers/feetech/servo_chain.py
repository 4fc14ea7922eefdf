"""A chain of servos on a pseudo-terminal, small and written apart from the codec it tests.

Every servo keeps its memory. Faults are switched on by naming servos.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import time
import tty

PING, READ, WRITE, SYNC_READ, SYNC_WRITE = 1, 2, 3, 0x82, 0x83
EVERYBODY = 254


def frame(servo: int, code: int, params: bytes = b"") -> bytes:
    body = [servo, len(params) + 2, code, *params]
    return bytes([0xFF, 0xFF, *body, (255 - sum(body)) % 256])


class ServoChain:
    def __init__(self, memories: dict[int, bytearray]) -> None:
        self.memories = memories
        self.silent: set[int] = set()  # obeys, never answers
        self.deaf: set[int] = set()  # neither obeys nor answers
        self.corrupted: set[int] = set()  # answers with a wrong checksum
        self.renamed: dict[int, int] = {}  # answers under another id
        self.late_s: dict[int, float] = {}  # thinks before each answer
        self.delayed: dict[int, bytes] = {}  # answer kept back until the next request
        self.hold_back: set[int] = set()
        self.errors: dict[int, int] = {}
        self.noise = b""  # before each answer
        self.requests: list[bytes] = []
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def unplug(self) -> None:
        if self._master >= 0:
            os.write(self._stop_write, b"x")
            self._thread.join(timeout=5)
            for fd in (self._stop_read, self._stop_write, self._slave, self._master):
                os.close(fd)
            self._master = -1

    def say(self, data: bytes) -> None:
        """Bytes out of the blue, as from a servo that lost its head."""
        os.write(self._master, data)

    def register(self, servo: int, address: int, size: int = 1) -> int:
        return int.from_bytes(self.memories[servo][address : address + size], "little")

    def _serve(self) -> None:
        pending = b""
        while True:
            ready, _, _ = select.select([self._master, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            with contextlib.suppress(OSError):
                pending += os.read(self._master, 4096)
            while len(pending) >= 4 and len(pending) >= pending[3] + 4:
                size = pending[3] + 4
                packet, pending = pending[:size], pending[size:]
                assert packet[:2] == b"\xff\xff"
                assert sum(packet[2:]) % 256 == 255
                self.requests.append(packet)
                self._obey(packet[2], packet[4], packet[5:-1])

    def _obey(self, servo: int, code: int, params: bytes) -> None:
        if code == SYNC_WRITE:
            size = params[1] + 1
            for start in range(2, len(params), size):
                self._store(params[start], params[0], params[start + 1 : start + size])
        elif code == SYNC_READ:
            for each in params[2:]:
                self._answer(each, self._load(each, params[0], params[1]))
        elif code == PING:
            for each in self.memories if servo == EVERYBODY else [servo]:
                self._answer(each, b"")
        elif code == READ:
            self._answer(servo, self._load(servo, params[0], params[1]))
        elif code == WRITE:
            self._store(servo, params[0], params[1:])
            self._answer(servo, b"")

    def _load(self, servo: int, address: int, size: int) -> bytes:
        return bytes(self.memories.get(servo, bytes(256))[address : address + size])

    def _store(self, servo: int, address: int, data: bytes) -> None:
        if servo in self.memories and servo not in self.deaf:
            self.memories[servo][address : address + len(data)] = data

    def _answer(self, servo: int, params: bytes) -> None:
        if servo not in self.memories or servo in self.silent | self.deaf:
            return
        data = frame(self.renamed.get(servo, servo), self.errors.get(servo, 0), params)
        if servo in self.corrupted:
            data = data[:-1] + bytes([data[-1] ^ 0x10])
        if servo in self.late_s:
            time.sleep(self.late_s[servo])
        kept = self.delayed.pop(servo, b"")
        if servo in self.hold_back:
            self.delayed[servo] = data
            data = b""
        os.write(self._master, kept + self.noise + data)
