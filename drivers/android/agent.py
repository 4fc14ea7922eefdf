"""The agent on a phone: put there, started, reached by a forward, stopped; all read back."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from drivers.android.parameters import AgentTable, PushedFile
from drivers.android.phone import Phone, Ran
from hil.clock import Deadline
from hil.errors import BadInput, DeadlineMissed, DeviceFault

_LOOK_S = 0.1
"""Pause between looks at whether the agent has ended."""


class AgentOnPhone:
    """`base` is the folder of the rig file. Errors of every call: those of `Phone`."""

    def __init__(self, phone: Phone, table: AgentTable, base: Path) -> None:
        self._phone = phone
        self._table = table
        self._base = base

    @property
    def socket(self) -> str:
        return self._table.socket

    def start(self, deadline: Deadline) -> int:
        """Put its files on the phone where they are not there yet, start it and forward to it;
        returns the TCP port on the adb server's host.

        A start that finds it running is left to the command: `am` and the like do nothing then.
        Errors: BadInput for a file that cannot be read, DeviceFault where it does not start.
        """
        for one in self._table.files:
            self._put(one, deadline)
        started = self._phone.shell(self._table.start, deadline)
        if started.code:
            raise DeviceFault(
                f"phone {self._phone.serial}: the agent does not start:"
                f" {_words(started)} (exit code {started.code})",
                "run parameters.agent.start of the rig file in `adb shell` and see what it says",
            )
        self.unforward(deadline)  # what an earlier run left behind
        return self._phone.server.forward(self._phone.serial, self.socket, deadline)

    def running(self, deadline: Deadline) -> bool:
        """Whether the phone says that it runs. Errors: DeviceFault where it says neither."""
        ran = self._phone.shell(self._table.running, deadline)
        if ran.code == 0:
            return True
        if ran.code == 1 and not ran.stdout.strip():
            return False
        raise DeviceFault(
            f"phone {self._phone.serial}: cannot tell whether the agent runs:"
            f" {_words(ran)} (exit code {ran.code})",
            "parameters.agent.running must end with 0 or 1, as `pidof NAME` does",
        )

    def stop(self, deadline: Deadline) -> None:
        """Stop it and see that it has ended. Errors: DeadlineMissed where it goes on."""
        self._phone.shell(self._table.stop, deadline)
        while self.running(deadline):
            if deadline.remaining_s() < _LOOK_S:
                raise DeadlineMissed(f"phone {self._phone.serial}: the agent does not stop")
            time.sleep(_LOOK_S)

    def forwards(self, deadline: Deadline) -> list[int]:
        """TCP ports that lead to the agent's socket on this phone."""
        every = self._phone.server.forwards(deadline)
        mine = (one for one in every if (one.serial, one.remote) == self._key())
        ports = (one.local.removeprefix("tcp:") for one in mine)
        return [int(port) for port in ports if port.isdecimal()]

    def unforward(self, deadline: Deadline) -> None:
        """Remove every forward to the agent's socket."""
        for port in self.forwards(deadline):
            self._phone.server.unforward(self._phone.serial, port, deadline)

    def _key(self) -> tuple[str, str]:
        return self._phone.serial, self.socket

    def _put(self, one: PushedFile, deadline: Deadline) -> None:
        path = self._base / one.local
        try:
            content = path.read_bytes()
        except OSError as error:
            raise BadInput(
                f"agent file {path}: {error.strerror}", "see parameters.agent.files in the rig file"
            ) from error
        if self._phone.digest(one.remote, deadline) != hashlib.sha256(content).hexdigest():
            self._phone.push(content, one.remote, one.mode, deadline)


def _words(ran: Ran) -> str:
    return (ran.stderr.strip() or ran.stdout.strip() or "no word")[:500]
