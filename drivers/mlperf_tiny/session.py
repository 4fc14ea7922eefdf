"""The conversation with one board: one command at a time, each up to its `m-ready`.

The protocol has no sequence numbers, so an answer that comes late could be taken for one to the
next command. After anything that leaves the board's place in the conversation unknown (a missed
deadline, a restart) the session therefore finds its place again before it says anything else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Final

from drivers.mlperf_tiny.codec import (
    Decoder,
    Failure,
    Heard,
    Mark,
    Message,
    Mode,
    Name,
    Note,
    Passthrough,
    TimestampMode,
)
from drivers.mlperf_tiny.lines import encode_command
from drivers.transport.base import Transport
from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.errors import DeadlineMissed, DeviceFault, ProtocolError

PROBE_NS: Final = 2 * NS_PER_S
"""How long a board may take to say its name before it is asked again."""

_QUIET_NS = 100 * NS_PER_MS
"""Pause after which nothing more is on its way of the answers to earlier probes."""

_MAX_MESSAGES = 8192
"""Of one answer; reading back the largest tensor takes 3456 lines."""

_DRAIN_READS = 64
"""Bound of dropping what is pending: a board that floods must not hold us."""


class BoardRestarted(DeviceFault):
    """The board has started again in the middle of a conversation: its tensor is gone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a board said to one command, without debug output and `m-ready`.

    `asked_ns` is when the command had been written, `answered_ns` when `m-ready` had been read.
    """

    messages: tuple[Message, ...]
    asked_ns: int
    answered_ns: int


@dataclass(slots=True)
class SessionCounters:
    """`stale_bytes` were pending before a command; `probes` are attempts to find the place."""

    commands: int = 0
    timeouts: int = 0
    probes: int = 0
    restarts: int = 0
    stale_bytes: int = 0


@dataclass(slots=True)
class _Gathering:
    """Messages of one answer as they come in."""

    relayed: bool  # an IO manager stands between, whose own m-ready comes first
    messages: list[Message] = field(default_factory=list)
    ready: bool = False

    def take(self, heard: Heard) -> None:
        if self.ready:
            return
        if heard.relayed is not self.relayed and not isinstance(heard.message, Failure):
            return  # the IO manager's own words, but for its complaints
        if heard.message is Mark.READY:
            self.ready = True
        elif not isinstance(heard.message, Note | Passthrough):
            self.messages.append(heard.message)


class Session:
    """One board on one line. Owns the transport; not for use from two threads.

    Args:
        transport: the board's line, or its IO manager's.
        clock: of the stamps and deadlines.
        io_manager: an IO manager stands between, which hands commands on (`dut ...`).

    Attributes:
        mode: as the board told at a start, None where none was seen.
        starts: changes whenever the board says that it has started, also unasked.
    """

    def __init__(self, transport: Transport, clock: Clock, io_manager: bool = False) -> None:
        self._transport = transport
        self._clock = clock
        self._relayed = io_manager
        self._decoder = Decoder()
        self._counters = SessionCounters()
        self._placed = False
        self._owed = True  # answers to other commands may still be on their way
        self.mode: Mode | None = None
        self.starts = 0

    @property
    def description(self) -> str:
        """Where the board is connected."""
        return self._transport.description

    def start(self, boot_ns: int, deadline: Deadline) -> None:
        """Meet the board: opening the line may have reset it, so it is given `boot_ns` to say
        that it starts; one that says nothing runs already. Either way it is then asked its name.

        Errors: DeadlineMissed, LinkLost.
        """
        listening = _Gathering(self._relayed)
        waiting = deadline.sooner(boot_ns)
        while not listening.ready and self._listen(listening, waiting):
            if listening.messages:  # it is starting: that may take its time
                waiting = deadline
        quiet = boot_ns >= _QUIET_NS and not (listening.ready or listening.messages)
        self._owed = not (quiet or _restarted(listening))
        self._placed = False
        self._find_place(deadline)

    def ask(self, command: str, deadline: Deadline) -> Answer:
        """Send one command and wait for its `m-ready`.

        Errors: BoardRestarted where the board starts again meanwhile, DeadlineMissed,
        ProtocolError for an answer without end, LinkLost.
        """
        if not self._placed:
            self._find_place(deadline)
        self._drop_pending()
        asked_ns = self._send(command, deadline)
        gathered = _Gathering(self._relayed)
        while not gathered.ready:
            if not self._listen(gathered, deadline):
                self._placed, self._owed = False, True
                self._counters.timeouts += 1
                raise DeadlineMissed(
                    f"{self.description}: no end of the answer to {_short(command)} in time"
                    f" ({_heard(gathered)})",
                    "check baud rate, cable and power; a board that got a bare `%` hangs until"
                    " it is switched off and on",
                )
            self._refuse_restart(gathered, f"during {_short(command)}")
        return Answer(tuple(gathered.messages), asked_ns, self._clock.now_ns())

    def counters(self) -> dict[str, int]:
        """Faults of the conversation by name."""
        lines = asdict(self._decoder.lines.counters)
        return {**asdict(self._counters), **asdict(self._decoder.counters), **lines}

    def close(self) -> None:
        """Release the transport; never raises."""
        self._transport.close()

    def _send(self, command: str, deadline: Deadline) -> int:
        self._counters.commands += 1
        self._transport.write(
            encode_command(f"dut {command}" if self._relayed else command), deadline
        )
        return self._clock.now_ns()

    def _listen(self, gathering: _Gathering, deadline: Deadline) -> bool:
        """Take in what is there; False once the deadline has passed.

        A board that floods the line keeps `read` from running dry, so the clock is asked too.
        """
        data = self._transport.read(deadline)
        if not data:
            return False
        self._take(gathering, data)
        return gathering.ready or not deadline.expired

    def _take(self, gathering: _Gathering, data: bytes) -> None:
        for heard in self._decoder.feed(data):
            if isinstance(heard.message, TimestampMode):
                self.mode = heard.message.mode
            self.starts += _begins(heard.message)
            gathering.take(heard)
        if len(gathering.messages) > _MAX_MESSAGES:
            self._placed, self._owed = False, True
            raise ProtocolError(
                f"{self.description}: more than {_MAX_MESSAGES} messages without m-ready"
            )

    def _refuse_restart(self, gathered: _Gathering, when: str) -> None:
        if _restarted(gathered):
            self._placed = False
            self._counters.restarts += 1
            raise BoardRestarted(
                f"{self.description}: the board started again {when}",
                "check its supply and whether something resets it",
            )

    def _drop_pending(self) -> None:
        """Start with a quiet line. Errors: BoardRestarted where the board says it has started."""
        now = Deadline.after(self._clock, 0)
        dropped = _Gathering(self._relayed)
        for _ in range(_DRAIN_READS):
            data = self._transport.read(now)
            if not data:
                break
            self._counters.stale_bytes += len(data)
            dropped.ready = False
            self._take(dropped, data)
        self._refuse_restart(dropped, "while nothing was asked")

    def _find_place(self, deadline: Deadline) -> None:
        """Ask for the name until it comes, and let what else is on its way run out: answers to
        what was given up, or to whoever had the line before.

        A command that somebody left half sent spoils the first question, and a board that was
        busy answers several at once.
        """
        asked = 0
        while True:
            self._counters.probes += 1
            asked += 1
            self._send("name", deadline)
            gathered = _Gathering(self._relayed)
            patience = deadline.sooner(PROBE_NS)
            while not gathered.ready and self._listen(gathered, patience):
                pass
            if gathered.ready and any(isinstance(one, Name) for one in gathered.messages):
                break
            if deadline.expired:
                self._owed = True
                self._counters.timeouts += 1
                raise DeadlineMissed(
                    f"{self.description}: nothing there says its name ({_heard(gathered)})",
                    "check that a board with MLPerf-Tiny firmware is on this port, at this baud"
                    " rate (115200 for performance, 9600 behind an IO manager)",
                )
        if self._owed or asked > 1:
            self._run_out(deadline)
        self._placed, self._owed = True, False

    def _run_out(self, deadline: Deadline) -> None:
        """Wait until nothing comes any more. Errors: DeadlineMissed, LinkLost."""
        while data := self._transport.read(deadline.sooner(_QUIET_NS)):
            self._counters.stale_bytes += len(data)
            self._take(_Gathering(self._relayed), data)
            if deadline.expired:
                break
        if deadline.expired:
            self._owed = True
            self._counters.timeouts += 1
            raise DeadlineMissed(
                f"{self.description}: answers to earlier commands may still come",
                f"it takes {_QUIET_NS // NS_PER_MS} ms to see that none does",
            )


def _restarted(gathered: _Gathering) -> bool:
    """Whether the board has said that it starts."""
    return any(map(_begins, gathered.messages))


def _begins(message: Message) -> bool:
    """Whether a board says this when it starts, and only then."""
    return isinstance(message, TimestampMode) or message is Mark.INIT_DONE


def _short(command: str) -> str:
    return repr(command if len(command) <= 24 else command[:21] + "...")


def _heard(gathered: _Gathering) -> str:
    if not gathered.messages:
        return "nothing was heard"
    return f"last heard: {gathered.messages[-1]}"
