"""What a board can be told to do: say who it is, take a tensor, run its network, say the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from drivers.mlperf_tiny import codec
from drivers.mlperf_tiny.lines import DATA_BYTES, data_commands
from drivers.mlperf_tiny.session import Answer, Session
from hil.clock import NS_PER_MS, NS_PER_S, Deadline
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HarnessError, ProtocolError

MAX_TENSOR: Final = 96 * 96 * 3
"""Bytes of the buffer on every board. The shared parser writes past it without a check."""

RELAYED_DATA_BYTES: Final = 26
"""Bytes of one `db` command through an IO manager, whose own line is shorter."""

LOAD_ATTEMPTS: Final = 3
"""Times that a tensor is sent before the line is given up."""

COMMAND_NS: Final = 1 * NS_PER_S
"""Time that one `db` command may take; at 9600 baud through an IO manager it takes 0.2 s."""

_READ_BACK_NS = 5 * NS_PER_MS
"""Time for one byte read back, four characters, at 9600 baud."""

_UNKNOWN = "Unknown command: "

_M = TypeVar("_M", bound=codec.Message)


@dataclass(frozen=True, slots=True)
class Inferred:
    """`count` inferences after `warmup` others: results of the last one, and the two stamps
    around them, which a board in energy mode does not give. The host's stamps are ns on the
    session's clock: command written, `m-ready` read."""

    results: tuple[float, ...]
    count: int
    warmup: int
    laps_us: tuple[int, int] | None
    asked_ns: int
    answered_ns: int


@dataclass(slots=True)
class LoadCounters:
    """Loads that had to begin again: `refused` with an error of the board, `unanswered` without
    an answer to a command, `short` without `m-load-done` at the end, `early` with it before,
    `misread` with other bytes read back."""

    refused: int = 0
    unanswered: int = 0
    short: int = 0
    early: int = 0
    misread: int = 0


class _LoadFailed(Exception):
    """One attempt; never leaves this module."""


class Board:
    """One board behind its session, and what its buffer is known to hold."""

    def __init__(self, session: Session, io_manager: bool = False) -> None:
        self.session = session
        self.loads = LoadCounters()
        self._data_bytes = RELAYED_DATA_BYTES if io_manager else DATA_BYTES
        self._loaded_at: int | None = None  # `session.starts` when the whole tensor was there

    @property
    def tensor_loaded(self) -> bool:
        """Whether the buffer holds a whole tensor, sent since the board's last start."""
        return self._loaded_at == self.session.starts

    def name(self, deadline: Deadline) -> codec.Name:
        """Errors: those of `Session.ask`, DeviceFault, ProtocolError."""
        return self._the(self._tell("name", deadline), codec.Name, "name")

    def profile(self, deadline: Deadline) -> tuple[str, str]:
        """Firmware and network. Errors: those of `Session.ask`, DeviceFault, ProtocolError."""
        answer = self._tell("profile", deadline)
        firmware = self._the(answer, codec.Profile, "profile").firmware
        return firmware, self._the(answer, codec.Model, "profile").model

    def stamp(self, deadline: Deadline) -> tuple[int | None, Answer]:
        """The board's time in microseconds; None in energy mode, where it pulses a pin instead.

        Errors: those of `Session.ask`, DeviceFault.
        """
        answer = self._tell("timestamp", deadline)
        laps = [one.stamp_us for one in answer.messages if isinstance(one, codec.Lap)]
        return (laps[0] if laps else None), answer

    def load(self, data: bytes, deadline: Deadline, read_back: bool = False) -> None:
        """Send the input tensor, and begin again where bytes were lost.

        The line has no checksum. A lost character shows as an error of the board, a lost pair
        as a missing `m-load-done`; a changed digit only with `read_back`, which costs more time
        on the wire than the load.

        Errors: BadInput for a size no board may be sent, ProtocolError once `LOAD_ATTEMPTS`
        have failed, those of `Session.ask`.
        """
        if not 0 < len(data) <= MAX_TENSOR:
            raise BadInput(
                f"{self.session.description}: a tensor of {len(data)} bytes;"
                f" a board takes 1 to {MAX_TENSOR}"
            )
        self._loaded_at = None
        reasons = []
        for _ in range(LOAD_ATTEMPTS):
            try:
                self._load_once(data, read_back, deadline)
            except _LoadFailed as failed:
                reasons.append(str(failed))
            else:
                self._loaded_at = self.session.starts
                return
        raise ProtocolError(
            f"{self.session.description}: {len(data)} bytes did not arrive in"
            f" {LOAD_ATTEMPTS} attempts: {'; '.join(reasons)}",
            "bytes are lost on the line: use a lower baud rate or another adapter and cable",
        )

    def infer(self, count: int, warmup: int, deadline: Deadline) -> Inferred:
        """Run the network on the tensor loaded. The warm-up is always stated: left out, a board
        takes 10.

        Errors: HarnessError without a tensor, DeviceFault (what the board says, or too few
        stamps), ProtocolError (an answer to another command), those of `Session.ask`.
        """
        if count < 1 or warmup < 0:
            raise BadInput(f"{count} inferences after {warmup} to warm up cannot be run")
        if not self.tensor_loaded:
            raise HarnessError(
                f"{self.session.description}: no whole tensor is loaded; the board would infer on"
                " what is left of others"
            )
        command = f"infer {count} {warmup}"
        answer = self._tell(command, deadline)
        self._require_echo(answer, command, count, warmup)
        results = self._the(answer, codec.Results, command)
        return Inferred(
            results=results.values,
            count=count,
            warmup=warmup,
            laps_us=self._laps(answer, command),
            asked_ns=answer.asked_ns,
            answered_ns=answer.answered_ns,
        )

    def _load_once(self, data: bytes, read_back: bool, deadline: Deadline) -> None:
        begin = self._tell_load(f"db load {len(data)}", deadline)
        if not any(one == codec.Expecting(len(data)) for one in begin.messages):
            self.loads.refused += 1
            raise _LoadFailed(f"expecting {len(data)} bytes was not acknowledged")
        done = False
        for command in data_commands(data, self._data_bytes):
            if done:
                self.loads.early += 1
                raise _LoadFailed("m-load-done came before the last bytes were sent")
            answer = self._tell_load(command, deadline)
            done = codec.Mark.LOAD_DONE in answer.messages
        if not done:
            self.loads.short += 1
            raise _LoadFailed("m-load-done did not come")
        if read_back and self._read_back(len(data), deadline) != data:
            self.loads.misread += 1
            raise _LoadFailed("other bytes were read back")

    def _read_back(self, size: int, deadline: Deadline) -> bytes:
        patience_ns = COMMAND_NS + size * _READ_BACK_NS
        answer = self._tell_load("db print", deadline, patience_ns)
        read = b"".join(one.data for one in answer.messages if isinstance(one, codec.Buffer))
        return read[:size]

    def _tell_load(self, command: str, deadline: Deadline, patience_ns: int = COMMAND_NS) -> Answer:
        try:
            answer = self.session.ask(command, deadline.sooner(patience_ns))
        except DeadlineMissed as error:
            if deadline.expired:
                raise
            # a lost `%`, or a lost answer
            self.loads.unanswered += 1
            raise _LoadFailed(f"no answer to {command:.24}") from error
        failures = [one.text for one in answer.messages if isinstance(one, codec.Failure)]
        if failures:
            self.loads.refused += 1
            raise _LoadFailed(f"the board said {failures[0]!r:.100}")
        return answer

    def _tell(self, command: str, deadline: Deadline) -> Answer:
        """An answer without an error. Errors: DeviceFault with the board's own words;
        ProtocolError where they show that it did not get the command as it was sent."""
        answer = self.session.ask(command, deadline)
        for one in answer.messages:
            if isinstance(one, codec.Failure):
                said = f"{self.session.description}: {command!r} was answered by {one.text!r:.200}"
                if one.text.startswith(_UNKNOWN) and one.text != _UNKNOWN + command.split()[0]:
                    raise ProtocolError(said, "bytes are lost on the line")
                raise DeviceFault(said)
        return answer

    def _the(self, answer: Answer, kind: type[_M], command: str) -> _M:
        found = [one for one in answer.messages if isinstance(one, kind)]
        if len(found) != 1:
            raise ProtocolError(
                f"{self.session.description}: {len(found)} answers {kind.__name__!r} to"
                f" {command!r}, one was expected"
            )
        return found[0]

    def _require_echo(self, answer: Answer, command: str, count: int, warmup: int) -> None:
        said = (
            self._the(answer, codec.InferStart, command).count,
            self._the(answer, codec.WarmupStart, command).count,
        )
        if said != (count, warmup):
            raise ProtocolError(
                f"{self.session.description}: asked for {command!r}, the board ran"
                f" {said[0]} after {said[1]}"
            )

    def _laps(self, answer: Answer, command: str) -> tuple[int, int] | None:
        laps = [one.stamp_us for one in answer.messages if isinstance(one, codec.Lap)]
        if len(laps) == 2:
            return laps[0], laps[1]
        if not laps and self.session.mode != "performance":
            return None
        raise DeviceFault(
            f"{self.session.description}: {len(laps)} time stamps around {command!r}, two were"
            " expected"
        )
