"""One hosted emulator behind a pseudo-terminal of its own."""

from __future__ import annotations

from hil.errors import BadInput
from sim.twin.config import HostedPort, find_emulator, options_of
from sim.twin.emulator import Emulator, Hosted, Scalar
from sim.twin.pty import PtyPort


class Station:
    """Carries bytes between the emulator and its port, and wakes it when it says.

    `name` is that of the twin's port, `kind` that of the emulator.

    Errors: RigError where the system has no pseudo-terminal left.
    """

    def __init__(self, name: str, kind: str, emulator: Emulator) -> None:
        self.name = name
        self.kind = kind
        self.emulator = emulator
        self._port = PtyPort(emulator.baud)
        self.path = self._port.path
        self._answers_end_ns = 0

    def fileno(self) -> int:
        """Descriptor to wait on for input."""
        return self._port.fileno()

    def next_ns(self) -> int | None:
        """When `advance` has something to do; None while there is nothing."""
        due_ns, output_ns = self.emulator.due_ns(), self._port.next_wake_ns()
        if due_ns is None or output_ns is None:
            return output_ns if due_ns is None else due_ns
        return min(due_ns, output_ns)

    def take(self, now_ns: int) -> None:
        """Hand to the emulator what the client has written. Errors: RigError."""
        data = self._port.read()
        answers = self.emulator.receive(data, now_ns, self._port.line_baud())
        self._answers_end_ns = max([self._answers_end_ns, *(one.end_ns for one in answers)])
        self._port.send(answers)

    def answers_end_ns(self) -> int:
        """When the last byte that somebody asked for has left, in the past where none is due."""
        return self._answers_end_ns

    def advance(self, now_ns: int) -> None:
        """Let the emulator do what is due, and send the bytes whose time has come.

        Errors: RigError.
        """
        due_ns = self.emulator.due_ns()
        if due_ns is not None and due_ns <= now_ns:
            self._port.send(self.emulator.wake(now_ns))
        self._port.flush(now_ns)

    def status(self) -> dict[str, Scalar]:
        """The emulator's own status, and what crossed its line."""
        return {**self._port.counters(), **self.emulator.status()}

    def close(self) -> None:
        """Hang up; may be called twice."""
        self._port.close()


def build_emulator(port: HostedPort, base: str) -> Emulator:
    """The emulator of one port; `base` is the rig file's folder. Errors: BadInput naming the
    port."""
    entry = find_emulator(port.name, port.emulator)
    if not isinstance(entry, Hosted):
        raise BadInput(
            f"twin.ports.{port.name}: emulator {port.emulator!r} is a program of its own"
        )
    options = options_of(port.name, port.emulator, port.options, entry.options, base)
    try:
        return entry.build(options)
    except BadInput as error:
        raise BadInput(f"twin.ports.{port.name}: {error.message}", error.remedy) from error
