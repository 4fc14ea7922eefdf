"""One emulated device on a pseudo-terminal, for tests of drivers; no twin process, no plant.

    pump = pumped(emulator)
    with pump as path:
        ...  # any client opens `path`
        pump.control({"silent": True})

or, where nothing is to be done to the device, `with pumped(emulator) as path:`.

A thread of its own moves the bytes. It ends when the block is left, at the latest when its
lifetime is over, which hangs up the line; an exception of the emulator hangs up too, and comes
out where the block ends.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType

from hil.clock import NS_PER_S
from sim.twin.emulator import Body, Emulator, JointEmulator, Scalar
from sim.twin.pacing import Transmission
from sim.twin.pty import PtyPort

_JOIN_S = 10.0
_UNREAD_S = 2.0
_LOOKS = 8
_FASTEST_RAD_S = 5.0


def pumped(emulator: Emulator, lifetime_s: float = 60.0, step_hz: int = 1000) -> Pump:
    """A pump for `emulator`; the line opens on entering it and hangs up on leaving.

    `step_hz` is how often the joints of a `JointEmulator` are stepped: with ideal joints that
    start at 0, go to their target at 5 rad/s while they are driven, and stand still otherwise.
    """
    return Pump(emulator, lifetime_s, step_hz)


class Pump:
    """The line between one emulator and whoever opens `path`; made by `pumped`."""

    def __init__(self, emulator: Emulator, lifetime_s: float, step_hz: int) -> None:
        self._emulator = emulator
        self._lifetime_ns = round(lifetime_s * NS_PER_S)
        self._joints = _Joints(emulator, step_hz) if isinstance(emulator, JointEmulator) else None
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._left: int | None = None  # bytes until the line is cut
        self.received = bytearray()  # all that the client wrote

    def __enter__(self) -> str:
        self._port = PtyPort(self._emulator.baud)
        self.path = self._port.path
        # a second way to the client's side, to see whether it has read what was sent
        self._view = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        self._wake_read, self._wake_write = os.pipe()
        self._stopping = False
        self._until_ns = time.monotonic_ns() + self._lifetime_ns
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)
        self._thread.start()
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)
        if self._failure is not None:
            raise RuntimeError(f"the emulator behind {self.path} failed") from self._failure

    def control(self, args: Mapping[str, object]) -> None:
        """`Emulator.control`, between two of the device's own steps."""
        with self._lock:
            self._emulator.control(args)
            os.write(self._wake_write, b"x")  # the device may have something to say at once

    def status(self) -> Mapping[str, Scalar]:
        """`Emulator.status`, between two of the device's own steps."""
        with self._lock:
            return dict(self._emulator.status())

    def unplug(self, after: int = 0) -> None:
        """Hang up once the client has read `after` more bytes of the device; 0 is at once.

        Counted are bytes of answers to what is written from now on.
        """
        if after == 0:
            self._stop()
            return
        with self._lock:
            self._left = after
        os.write(self._wake_write, b"x")

    def _stop(self) -> None:
        """End the thread, which hangs up as it goes: nobody else closes what it waits on."""
        with self._lock:
            self._stopping = True
        os.write(self._wake_write, b"x")
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            raise RuntimeError(f"the emulator behind {self.path} does not return")

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:  # noqa: BLE001 - raised again where the block ends
            self._failure = error
        finally:
            with self._lock:
                self._hang_up()

    def _serve(self) -> None:
        while (now_ns := time.monotonic_ns()) < self._until_ns:
            with self._lock:
                if self._stopping or self._port.fileno() < 0:
                    return
                due = self._until_ns
                due = min(due, self._step(now_ns))
                due = min(due, self._wake(now_ns))
                due = min(due, self._flush(now_ns))
                descriptor = self._port.fileno()
            if descriptor < 0:
                return
            timeout_s = max(0, due - time.monotonic_ns()) / NS_PER_S
            ready, _, _ = select.select([descriptor, self._wake_read], [], [], timeout_s)
            with self._lock:
                if self._wake_read in ready:
                    os.read(self._wake_read, 4096)
                if descriptor in ready and self._port.fileno() == descriptor:
                    self._receive()

    def _receive(self) -> None:
        data = self._port.read()
        if data:
            self.received += data
            baud = self._port.line_baud()
            self._send(self._emulator.receive(data, time.monotonic_ns(), baud))

    def _step(self, now_ns: int) -> int:
        return self._joints.advance(now_ns) if self._joints else self._until_ns

    def _wake(self, now_ns: int) -> int:
        """Let the device do what is due by itself; returns when it wants to be called next."""
        due_ns = self._emulator.due_ns()
        if due_ns is not None and due_ns <= now_ns:
            self._send(self._emulator.wake(now_ns))
            due_ns = self._emulator.due_ns()
        return self._until_ns if due_ns is None else due_ns

    def _send(self, answers: list[Transmission]) -> None:
        for answer in answers:
            data = answer.data
            if self._left is not None:
                data = data[: self._left]
                self._left -= len(data)
            if data:
                self._port.send([replace(answer, data=data)])

    def _flush(self, now_ns: int) -> int:
        """Send what is due; hang up once all that may still be sent has been."""
        self._port.flush(now_ns)
        next_ns = self._port.next_wake_ns()
        if next_ns is None and self._left == 0:
            self._await_read()
            self._hang_up()
        return self._until_ns if next_ns is None else next_ns

    def _await_read(self) -> None:
        """Until the client has taken what was sent: a hang-up throws away what is unread.

        The kernel hands bytes over a little after the write, so one look at nothing unread
        does not tell; several in a row do.
        """
        give_up_ns = time.monotonic_ns() + round(_UNREAD_S * NS_PER_S)
        unread = array.array("i", [0])
        looks = 0
        while looks < _LOOKS and time.monotonic_ns() < give_up_ns:
            fcntl.ioctl(self._view, termios.FIONREAD, unread)
            looks = 0 if unread[0] else looks + 1
            time.sleep(0.0005)

    def _hang_up(self) -> None:
        self._port.close()
        if self._view >= 0:
            os.close(self._view)
            self._view = -1


class _Joints:
    """Ideal joints behind a `JointEmulator`, stepped on an absolute grid."""

    def __init__(self, emulator: JointEmulator, step_hz: int) -> None:
        self._emulator = emulator
        self._period_ns = NS_PER_S // step_hz
        self._bodies = [Body(0.0, 0.0, 0.0) for _ in emulator.joints]
        self._next_ns: int | None = None

    def advance(self, now_ns: int) -> int:
        """Take the step that is due; steps that were missed are left out."""
        if self._next_ns is None:
            self._next_ns = now_ns
        if self._next_ns <= now_ns:
            dt = self._period_ns / NS_PER_S
            drives = self._emulator.step(dt, self._bodies)
            self._bodies = [
                _moved(body, drive.target if drive.enabled else body.position, dt)
                for body, drive in zip(self._bodies, drives, strict=True)
            ]
            behind = (now_ns - self._next_ns) // self._period_ns
            self._next_ns += (behind + 1) * self._period_ns
        return self._next_ns


def _moved(body: Body, target: float, dt: float) -> Body:
    most = _FASTEST_RAD_S * dt
    step = max(-most, min(most, target - body.position))
    return Body(body.position + step, step / dt, 0.0)
