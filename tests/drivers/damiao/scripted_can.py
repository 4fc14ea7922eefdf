"""A CAN bus with motors on a virtual clock, so that lateness can be told to the nanosecond.

Written apart from the emulated motors: a motor here answers a state whose position code is the
number of the frame that it answers, so that a test sees which request a value belongs to.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from drivers.can.frames import CanFrame, Received
from hil.clock import NS_PER_MS, Deadline, VirtualClock
from hil.contracts import Finding

REGISTERS = 0x7FF


class ScriptedCan:
    def __init__(self, clock: VirtualClock, motors: Mapping[int, int]) -> None:
        self.clock = clock
        self.masters = dict(motors)  # master id by id
        self.delay_ns: dict[int, int] = {}  # by motor, instead of 0.2 ms
        self.lose: dict[int, int] = {}  # how many answers get lost
        self.registers: dict[tuple[int, int], bytes] = {}
        self.status = 1
        self.sent: list[CanFrame] = []
        self.asked: dict[int, int] = dict.fromkeys(motors, 0)  # frames each motor has heard
        self.spoil: Callable[[CanFrame], CanFrame] = lambda frame: frame
        self.restarts = 0
        self._coming: list[tuple[int, int, CanFrame]] = []
        self.description = self.adapter = "scripted"

    def say(self, frame: CanFrame, after_ns: int = 0) -> None:
        at_ns = self.clock.now_ns() + after_ns
        self._coming.append((at_ns, len(self._coming), frame))
        self._coming.sort()

    def send(self, frames: Sequence[CanFrame], deadline: Deadline) -> None:
        for frame in frames:
            self.sent.append(frame)
            motor = frame.id
            if frame.id == REGISTERS:
                motor = int.from_bytes(frame.data[:2], "little")
            if motor in self.masters:
                self._answer(motor, frame)

    def _answer(self, motor: int, frame: CanFrame) -> None:
        self.asked[motor] += 1
        left = self.lose.get(motor, 0)
        if left:
            self.lose[motor] = left - 1
            return
        data = struct.pack(
            ">BHBBBBB", self.status << 4 | motor & 0xF, self.asked[motor], 0x80, 8, 0, 30, 28
        )
        if frame.id == REGISTERS and frame.data[2] in (0x33, 0x55):
            key = (motor, frame.data[3])
            if frame.data[2] == 0x55:
                self.registers[key] = frame.data[4:]
            data = frame.data[:4] + self.registers.get(key, bytes(4))
        delay_ns = self.delay_ns.get(motor, NS_PER_MS // 5)
        self.say(self.spoil(CanFrame(self.masters[motor], data)), delay_ns)

    def receive(self, deadline: Deadline) -> list[Received]:
        if self._coming and self._coming[0][0] <= deadline.at_ns:
            self.clock.sleep_until(self._coming[0][0])
        elif self.clock.now_ns() < deadline.at_ns:
            self.clock.sleep_until(deadline.at_ns)
        now_ns = self.clock.now_ns()
        due = [frame for at_ns, _, frame in self._coming if at_ns <= now_ns]
        self._coming = [entry for entry in self._coming if entry[0] > now_ns]
        return [Received(frame, now_ns) for frame in due]

    def restart(self, deadline: Deadline) -> None:
        self.restarts += 1

    def findings(self, deadline: Deadline) -> Sequence[Finding]:
        return []

    def counters(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        return None
