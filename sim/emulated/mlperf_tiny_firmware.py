"""The firmware of an emulated MLPerf-Tiny board: the shared parser of the reference, as it is.

Facts about its behaviour, traps and misspellings included, are those of mlcommons/tiny,
`benchmark/api/internally_implemented.cpp`, as seen by driving it; `tests/vectors/
mlperf_tiny.json` holds what it said. Where the parser runs into memory that is not its own,
boards differ; this one hangs until it is switched off and on. The text of `help` is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.mlperf_tiny.lines import MAX_COMMAND, CommandReader
from hil.clock import NS_PER_US
from sim.twin.pacing import Transmission, wire_ns

BUFFER_BYTES = 96 * 96 * 3
COUNTER_US = 2**32

Scores = Callable[[bytes], list[float]]
"""The network: a tensor in, results out."""

_INT_MAX = 2**31 - 1
_HELP = (
    "name, profile, help, timestamp, results",
    "db load N | db HH[HH]* | db print",
    "infer N [W]",
)


@dataclass(frozen=True, slots=True)
class Build:
    """What is compiled into the firmware, and how fast its board is."""

    vendor: str
    model: str
    tensor_bytes: int
    scores: Scores
    energy_mode: bool = False
    infer_ns: int = 2_000_000
    clock_step_us: int = 1
    clock_start_us: int = 0


@dataclass(slots=True)
class FirmwareCounters:
    """What the firmware did since it was made, over all its starts."""

    starts: int = 0
    commands: int = 0
    unknown_commands: int = 0
    tensors: int = 0
    inferences: int = 0
    overrun_bytes: int = 0


class _Hang(Exception):
    """The processor runs into the weeds."""


@dataclass(slots=True)
class _Memory:
    """What a start of the board sets to zero."""

    buffer: bytearray = field(default_factory=lambda: bytearray(BUFFER_BYTES))
    size: int = 0
    position: int = 0
    tensor: bytearray = field(default_factory=bytearray)


class Firmware:
    """One processor. It prints with a blocking UART: time goes by while it does.

    Its output is a list of lines with the instants at which they leave. A command that comes
    while it works waits its turn.
    """

    def __init__(self, build: Build, baud: int) -> None:
        self.build = build
        self.baud = baud
        self.hung = False
        self.counters = FirmwareCounters()
        self._commands = CommandReader()
        self._memory = _Memory()
        self._now_ns = 0
        self._started_ns = 0
        self._out: list[Transmission] = []

    def start(self, now_ns: int) -> list[Transmission]:
        """Power on or reset, at `now_ns`."""
        self.hung = False
        self.counters.starts += 1
        self._commands.forget()
        self._memory = _Memory(tensor=bytearray(self.build.tensor_bytes))
        self._now_ns = self._started_ns = now_ns
        self._say(f"m-timestamp-mode-{'energy' if self.build.energy_mode else 'performance'}")
        self._stamp()
        self._say("m-init-done")
        self._say("m-ready")
        return self._taken()

    def receive(self, data: bytes, now_ns: int) -> list[Transmission]:
        """Bytes of the UART, the last of them complete at `now_ns`; the lines that follow."""
        for command in self._commands.feed(data):
            if self.hung:
                break
            self._now_ns = max(self._now_ns, now_ns)
            self.counters.commands += 1
            try:
                self._run(command)
            except _Hang:
                self.hung = True
        return self._taken()

    def _run(self, command: bytes) -> None:
        words = [word for word in command.split(b" ") if word]
        if not words:
            raise _Hang  # the parser compares a null pointer
        name, arguments = words[0], words[1:]
        known = {
            b"name": self._name,
            b"timestamp": self._timestamp,
            b"profile": self._profile,
            b"help": self._help,
            b"db": self._db,
            b"infer": self._infer,
            b"results": self._results,
        }
        if name in known:
            known[name](arguments)
        else:
            self.counters.unknown_commands += 1
            self._print(b"e-[Unknown command: " + name + b"]\r\n")
        self._say("m-ready")

    def _name(self, arguments: list[bytes]) -> None:
        self._say(f"m-name-dut-[{self.build.vendor}]")

    def _timestamp(self, arguments: list[bytes]) -> None:
        self._stamp()

    def _profile(self, arguments: list[bytes]) -> None:
        self._say("m-profile-[ULPMark for tinyML Firmware V0.0.1]")
        self._say(f"m-model-[{self.build.model}]")

    def _help(self, arguments: list[bytes]) -> None:
        for line in _HELP:
            self._say(line)

    def _results(self, arguments: list[bytes]) -> None:
        values = self.build.scores(bytes(self._memory.tensor))
        self._say(f"m-results-[{','.join(f'{value:.3f}' for value in values)}]")

    def _infer(self, arguments: list[bytes]) -> None:
        count, warmup = 1, 10
        if arguments:
            count = _atoi(arguments[0])
            if count <= 0:
                self._say("e-[Inference iterations must be >0]")
                return
        if len(arguments) > 1:
            warmup = _atoi(arguments[1])
            if warmup < 0:
                self._say("e-[Inference warmup must be >=0]")
                return
        self._load_tensor()
        self._say(f"m-warmup-start-{warmup}")
        self._work(warmup)
        self._say("m-warmup-done")
        self._say(f"m-infer-start-{count}")
        self._stamp()
        self._work(count)
        self._stamp()
        self._say("m-infer-done")
        self._results([])

    def _load_tensor(self) -> None:
        """A buffer that is not full leaves the rest of the tensor as it was."""
        count = min(self.build.tensor_bytes, self._memory.position)
        self._memory.tensor[:count] = self._memory.buffer[:count]

    def _db(self, arguments: list[bytes]) -> None:
        if not arguments:
            self._say("e-[Command 'db' requires a subcommand]")
        elif arguments[0] == b"load":
            self._db_load(arguments[1:])
        elif arguments[0] == b"print":
            self._db_print()
        else:
            self._db_data(arguments[0])

    def _db_load(self, arguments: list[bytes]) -> None:
        if not arguments:
            self._say("e-[Command 'db load' requires the # of bytes]")
            return
        size = _atoi(arguments[0])
        self._memory.size = size % 2**32  # a size_t
        if size == 0:
            self._say("e-[Command 'db load' must be >0 bytes]")
            return
        self._memory.position = 0
        if self._memory.size > BUFFER_BYTES:  # said, and not refused
            self._print(f"Supplied buffer size {size} exceeds maximum of {BUFFER_BYTES}\n".encode())
        else:
            self._say(f"m-[Expecting {size} bytes]")

    def _db_print(self) -> None:
        size = self._memory.size
        held = bytes(self._memory.buffer[:size])
        for at in range(0, len(held), 8):
            self._say(f"m-buffer-{held[at : at + 8].hex('-')}")
        if size > BUFFER_BYTES:
            raise _Hang  # it goes on reading behind the buffer
        if size % 8:
            self._say("")

    def _db_data(self, digits: bytes) -> None:
        if len(digits) % 2:
            self._say("e-[Insufficent number of hex digits]")
            return
        for at in range(0, len(digits), 2):
            pair = digits[at : at + 2]
            if not all(digit in b"0123456789abcdefABCDEF" for digit in pair):
                self._print(b"e-[Invalid hex digit '" + pair + b"']\r\n")
                return
            self._store(int(pair, 16))
            if self._memory.position == self._memory.size:
                self.counters.tensors += 1
                self._say("m-load-done")
                return

    def _store(self, value: int) -> None:
        if self._memory.position >= BUFFER_BYTES:
            self.counters.overrun_bytes += 1
            raise _Hang  # nothing checks, and what stands behind the buffer is lost
        self._memory.buffer[self._memory.position] = value
        self._memory.position += 1

    def _work(self, count: int) -> None:
        self.counters.inferences += count
        self._now_ns += count * self.build.infer_ns

    def _stamp(self) -> None:
        """The stamp is taken first and printed after it, which takes its time."""
        if not self.build.energy_mode:
            up_us = (self._now_ns - self._started_ns) // NS_PER_US + self.build.clock_start_us
            step_us = self.build.clock_step_us
            self._say(f"m-lap-us-{up_us // step_us * step_us % COUNTER_US}")

    def _say(self, text: str) -> None:
        self._print(text.encode() + b"\r\n")

    def _print(self, data: bytes) -> None:
        self._out.append(Transmission(self._now_ns, self.baud, data))
        self._now_ns += wire_ns(len(data), self.baud)

    def _taken(self) -> list[Transmission]:
        out, self._out = self._out, []
        return out


def _atoi(text: bytes) -> int:
    """C's atoi on a processor whose int and long have 32 bits: leading digits, saturating."""
    sign = -1 if text.startswith(b"-") else 1
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    end = next((at for at, digit in enumerate(digits) if digit not in b"0123456789"), len(digits))
    return sign * min(int(digits[:end] or b"0"), _INT_MAX) if end <= MAX_COMMAND else 0
