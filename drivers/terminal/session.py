"""The agent's side of the conversation: one request in, one answer out. No I/O of its own."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.terminal import machine, messages
from drivers.terminal.codec import MAX_FRAME
from drivers.terminal.picture import MAX_PIXELS, jpeg_size
from drivers.terminal.runner import Cancelled, Runner, StoppableNetwork
from drivers.terminal.upload import Upload
from hil.errors import BadInput, DeviceFault, HilError, ModelRefused, ProtocolError
from models.runtime import runtime_version


@dataclass(frozen=True, slots=True)
class Limits:
    """What the agent takes, bytes; told to the host in `welcome`."""

    max_frame: int = MAX_FRAME
    max_model: int = 64 * 1024 * 1024
    window: int = 32 * 1024


@dataclass(frozen=True, slots=True)
class _Loaded:
    name: str
    sha256: str
    network: StoppableNetwork


class _Refusal(Exception):
    def __init__(self, code: messages.ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Session:
    """State of the agent between requests: nothing, an upload, or a network ready to run.

    Args:
        firmware: version string told to the host.
        delay_ms: fault injection: wait this long inside every inference, between its start
            and end stamps.
        now_ns: the agent's monotonic clock.
        link_counters: counters of the link, shown in `health`.
        versions: of the protocol, that this agent speaks.
    """

    def __init__(
        self,
        firmware: str,
        limits: Limits,
        delay_ms: float = 0.0,
        now_ns: Callable[[], int] = time.monotonic_ns,
        link_counters: Callable[[], Mapping[str, int]] = dict,
        versions: Sequence[int] = messages.VERSIONS,
    ) -> None:
        self._firmware = firmware
        self._limits = limits
        self._runner = Runner(round(delay_ms * 1e6), now_ns)
        self._now_ns = now_ns
        self._link_counters = link_counters
        self._versions = tuple(versions)
        self._parser = messages.requests()
        self._started_ns = now_ns()
        self._boot = _identifier()
        self._version: int | None = None  # spoken with the present host
        self._session: int | None = None
        self._upload: Upload | None = None
        self._loaded: _Loaded | None = None
        self._inferences = 0
        self._refused = 0

    def answer(self, message: Mapping[str, object], received_ns: int) -> messages.Answer:
        """The answer to one decoded map, whatever it holds; never raises."""
        try:
            return self._dispatch(self._parse(message), received_ns)
        except _Refusal as refusal:
            return self.refuse(message, refusal.code, refusal.text)

    def refuse(
        self, message: Mapping[str, object], code: messages.ErrorCode, text: str
    ) -> messages.Error:
        """Error answer to `message`."""
        self._refused += 1
        return messages.Error(seq=_sequence(message), code=code, text=text[:1024])

    def overhear(self, message: Mapping[str, object]) -> None:
        """Called as a request comes in, perhaps from another thread and while `answer` runs: a
        cancel has to act before its turn. Never raises."""
        target = message.get("target")
        if (
            message.get("type") == "cancel"
            and type(target) is int
            and self._session is not None
            and message.get("session") == self._session
        ):
            self._runner.cancel(target)

    def _parse(self, message: Mapping[str, object]) -> messages.Request:
        if str(message.get("type")) not in self._parser.types:
            raise _Refusal("unknown-type", f"no request is called {message.get('type')!r:.80}")
        try:
            return self._parser.parse(message)
        except ProtocolError as error:
            raise _Refusal("bad-message", error.message) from error

    def _dispatch(self, request: messages.Request, received_ns: int) -> messages.Answer:
        if isinstance(request, messages.Hello):
            return self._hello(request)
        self._require_session(request)
        match request:
            case messages.Infer():
                return self._infer(request, received_ns)
            case messages.Ping():
                seq, sent_ns = request.seq, self._now_ns()
                return messages.Pong(seq=seq, received_ns=received_ns, sent_ns=sent_ns)
            case messages.LoadBegin():
                return self._load_begin(request)
            case messages.LoadChunk():
                return self._load_chunk(request)
            case messages.LoadEnd():
                return self._load_end(request)
            case messages.Cancel():
                return self._cancel(request)
            case messages.Reset():
                self._loaded = self._upload = None
        return self._health(request.seq)

    def _hello(self, hello: messages.Hello) -> messages.Welcome:
        """The model goes with the session; by version 2 an unfinished upload stays for a host
        that lost its line and comes back."""
        self._loaded = None
        common = set(self._versions) & set(hello.versions)
        self._version = max(common, default=None)
        second = self._version is not None and self._version >= messages.VERSION_2
        self._session = _identifier() if second else None
        self._runner.forget()
        if not second:
            self._upload = None
        if self._version is None:
            raise _Refusal(
                "version", f"host speaks {hello.versions}, this agent {list(self._versions)}"
            )
        return messages.Welcome(
            seq=hello.seq,
            version=self._version,
            model=machine.model_name(),
            serial=machine.serial_number(),
            firmware=self._firmware,
            runtime=runtime_version(),
            clock_resolution_ns=machine.clock_resolution_ns(),
            max_frame=self._limits.max_frame,
            max_model=self._limits.max_model,
            window=self._limits.window,
            session=self._session,
            boot=self._boot if second else None,
        )

    def _require_session(self, request: messages.Request) -> None:
        if self._version is None:
            raise _Refusal("no-session", "say hello first")
        if self._session is not None and request.session != self._session:
            raise _Refusal(
                "no-session", f"session {request.session} is over; {self._session} has begun since"
            )
        if self._session is None and isinstance(request, messages.Cancel):
            raise _Refusal("unknown-type", "protocol 1 has no request 'cancel'")

    def _load_begin(self, begin: messages.LoadBegin) -> messages.LoadAck:
        kept = self._upload if self._session is not None else None
        self._upload = self._loaded = None
        if begin.total > self._limits.max_model:
            raise _Refusal(
                "too-large", f"{begin.total} bytes, at most {self._limits.max_model} are taken"
            )
        if kept is None or not kept.is_of(begin):
            kept = Upload(begin)
        kept.begin = begin  # the name and the preprocessing may be others
        self._upload = kept
        return messages.LoadAck(seq=begin.seq, received=kept.received)

    def _load_chunk(self, chunk: messages.LoadChunk) -> messages.LoadAck:
        upload = self._present_upload()
        try:
            upload.add(chunk)
        except ProtocolError as error:
            raise _Refusal("offset", error.message) from error
        return messages.LoadAck(seq=chunk.seq, received=upload.received)

    def _load_end(self, end: messages.LoadEnd) -> messages.Loaded:
        upload = self._present_upload()
        self._upload = None
        begun_ns = self._now_ns()
        try:
            content = upload.finish()
        except ModelRefused as error:
            raise _Refusal("digest", error.message) from error
        try:
            network = StoppableNetwork(content, upload.begin.preprocess)
        except HilError as error:
            raise _Refusal("model", error.message) from error
        self._loaded = _Loaded(upload.begin.name, upload.begin.sha256, network)
        return messages.Loaded(
            seq=end.seq,
            sha256=upload.begin.sha256,
            load_ns=self._now_ns() - begun_ns,
            first_run_ns=network.first_run_ns,
        )

    def _present_upload(self) -> Upload:
        if self._upload is None:
            raise _Refusal("offset", "no load-begin came before")
        return self._upload

    def _infer(self, infer: messages.Infer, received_ns: int) -> messages.Result:
        if self._loaded is None:
            raise _Refusal("not-loaded", "no model is loaded")
        values = {name: _value(name, given) for name, given in infer.inputs.items()}
        try:
            run = self._runner.run(infer.seq, self._loaded.network, values)
        except Cancelled as error:
            raise _Refusal("cancelled", "as the host asked") from error
        except BadInput as error:
            raise _Refusal("input", error.message) from error
        except DeviceFault as error:
            raise _Refusal("inference", error.message) from error
        self._inferences += 1
        return messages.Result(
            seq=infer.seq,
            outputs={name: messages.Tensor.of(value) for name, value in run.outputs.items()},
            received_ns=received_ns,
            start_ns=run.start_ns,
            end_ns=run.end_ns,
            sent_ns=self._now_ns(),
        )

    def _cancel(self, cancel: messages.Cancel) -> messages.Cancelled:
        outcome: messages.Outcome = "nothing"
        if cancel.target is not None:
            outcome = self._runner.outcome(cancel.target)
        elif self._upload is not None:
            self._upload, outcome = None, "dropped"
        return messages.Cancelled(seq=cancel.seq, outcome=outcome)

    def _health(self, seq: int) -> messages.Health:
        state: messages.State = "loading" if self._upload else "ready" if self._loaded else "idle"
        return messages.Health(
            seq=seq,
            state=state,
            model=self._loaded.name if self._loaded else None,
            sha256=self._loaded.sha256 if self._loaded else None,
            uptime_ns=self._now_ns() - self._started_ns,
            memory_bytes=machine.peak_memory_bytes(),
            temperature_c=machine.temperature_c(),
            counters={
                "inferences": self._inferences,
                "refused": self._refused,
                **self._link_counters(),
            },
        )


def superseded(batch: Sequence[Mapping[str, object]]) -> frozenset[int]:
    """Places in `batch` of infer requests that a later one in it makes pointless.

    Without this a terminal slower than its host's loop would answer ever older questions.
    """
    places = [i for i, message in enumerate(batch) if message.get("type") == "infer"]
    return frozenset(places[:-1])


def _value(name: str, given: messages.Tensor | messages.Image) -> messages.Array | bytes:
    """What the network takes. A picture is looked at before a decoder makes room for it."""
    if isinstance(given, messages.Tensor):
        return given.array()
    size = jpeg_size(given.data)
    if size is None:
        raise _Refusal("input", f"input {name!r}: {len(given.data)} bytes that are no picture")
    if size[0] * size[1] > MAX_PIXELS:
        raise _Refusal(
            "input", f"input {name!r} has {size[0]} x {size[1]} pixels, at most {MAX_PIXELS} fit"
        )
    return given.data


def _identifier() -> int:
    """A number that an earlier session or process is unlikely to have had; never 0."""
    return secrets.randbelow(2**32 - 1) + 1


def _sequence(message: Mapping[str, object]) -> int:
    seq = message.get("seq")
    if isinstance(seq, int) and 0 <= seq < messages.SEQUENCE_LIMIT:
        return int(seq)
    return 0
