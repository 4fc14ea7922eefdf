"""Device `terminal-agent`: an AI terminal behind the terminal protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import ceil

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

import hil
from drivers.terminal import messages
from drivers.terminal.client import Client
from drivers.terminal.transfer import Transfer, TransferCounters
from drivers.transport.link import open_link
from drivers.transport.options import need_port
from hil.clock import Deadline
from hil.config import device_parameters
from hil.contracts import (
    BenchContext,
    Capability,
    ClockExchange,
    DeviceSpec,
    DeviceStamps,
    Finding,
    Identity,
    InferenceResult,
    ModelImage,
    SafeProof,
)
from hil.errors import CapabilityMissing, DeviceFault, HarnessError, HilError, ModelRefused
from hil.failure import on_failure

_HOT_C = 85.0
_IN_FLIGHT = 8
"""Requests that may wait for an answer; the agent itself keeps only the newest."""


class Parameters(BaseModel):
    """`parameters` of the rig file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    baud: int = Field(115_200, gt=0, description="without meaning on USB and pseudo-terminals")


def build(spec: DeviceSpec, context: BenchContext) -> TerminalAgent:
    """Driver factory (entry point `terminal-agent`). Errors: BadInput."""
    need_port(spec)
    parameters = device_parameters(spec, Parameters)
    return TerminalAgent(spec, parameters, context)


class TerminalAgent:
    """Implements `hil.contracts.OverlappedInference` and `ClockSource`."""

    capabilities = frozenset({Capability.INFERENCE})

    def __init__(self, spec: DeviceSpec, parameters: Parameters, context: BenchContext) -> None:
        self.role = spec.role
        self._spec = spec
        self._baud = parameters.baud
        self._clock = context.clock
        self._client: Client | None = None
        self._welcome: messages.Welcome | None = None
        self._known: messages.Welcome | None = None  # outlives `close`
        self._agent_restarts = 0
        self._losses = TransferCounters()
        self._asked_ns: dict[int, int] = {}
        self._infers: deque[int] = deque(maxlen=_IN_FLIGHT)  # the newest ones

    def open(self, deadline: Deadline) -> None:
        """Take the port and begin a session. Opened again, the same terminal has to answer; an
        agent that has started anew since is counted.

        Errors: those of `open_link`; ProtocolError without a common version of the protocol;
        DeviceFault where another terminal answers; DeadlineMissed, LinkLost.
        """
        self.close()
        link = open_link(self._spec, self._baud, self._clock, deadline=deadline)
        with on_failure(link.close):
            client = Client(link)
            welcome = client.hello(f"hil-testbed {hil.__version__}", deadline)
            self._require_same(welcome)
        self._client = client
        self._welcome = self._known = welcome

    def identity(self, deadline: Deadline) -> Identity:
        """As told at `open`: the protocol has no way for it to change later."""
        welcome = self._greeting()
        return Identity(
            model=welcome.model,
            serial=welcome.serial,
            firmware=welcome.firmware,
            detail={
                "protocol": welcome.version,
                "runtime": welcome.runtime,
                "clock_resolution_ns": welcome.clock_resolution_ns,
                "max_frame": welcome.max_frame,
                "max_model": welcome.max_model,
                "window": welcome.window,
                "agent_process": welcome.boot or "not told",
            },
        )

    def health(self, deadline: Deadline) -> list[Finding]:
        try:
            health = self._ask_health(messages.Status, deadline)
        except HilError as error:
            return [Finding("answers", False, error.message, "check cable, power and the agent")]
        return [Finding("answers", True, f"up for {health.uptime_ns / 1e9:.0f} s"), *_read(health)]

    def ping(self, deadline: Deadline) -> None:
        client = self._opened()
        client.ask(messages.Ping(seq=client.next_seq()), messages.Pong, deadline)

    def exchange(self, deadline: Deadline) -> ClockExchange:
        """A ping that keeps all four stamps (`hil.contracts.ClockSource`)."""
        client = self._opened()
        request = messages.Ping(seq=client.next_seq())
        sent_ns = self._clock.now_ns()
        pong = client.ask(request, messages.Pong, deadline)
        received_ns = self._clock.now_ns()
        return ClockExchange(sent_ns, pong.received_ns, pong.sent_ns, received_ns)

    def counters(self) -> Mapping[str, int]:
        if self._client is None:
            return {}
        return {
            **self._client.counters(),
            "agent_restarts": self._agent_restarts,
            "load_resumes": self._losses.resumes,
            "load_resent_bytes": self._losses.resent_bytes,
        }

    def load(self, model: ModelImage, deadline: Deadline) -> None:
        """As the contract says; the terminal checks the digest itself. What the line loses is
        sent again, and counted."""
        client, welcome = self._opened(), self._greeting()
        if len(model.content) > welcome.max_model:
            raise ModelRefused(
                f"{self.role}: model {model.name!r} has {len(model.content)} bytes, the terminal"
                f" takes {welcome.max_model}"
            )
        for seq in self._asked_ns:  # questions to the network before
            client.forget(seq)
        self._asked_ns = {}
        transfer = Transfer(client, welcome.window)
        try:
            transfer.send(model, deadline)
        finally:
            self._losses.resumes += transfer.counters.resumes
            self._losses.resent_bytes += transfer.counters.resent_bytes

    def infer(
        self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline
    ) -> InferenceResult:
        client = self._opened()
        request = _request(client, inputs)
        self._infers.append(request.seq)
        client.send(request, deadline)
        asked_ns = self._clock.now_ns()
        result, answered_ns = client.arrival(request, messages.Result, deadline)
        return _inferred(result, asked_ns, answered_ns)

    def submit(self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline) -> int:
        """As the contract says; the ticket is the request's sequence number. Of more than a
        few requests without an answer the oldest is given up."""
        client = self._opened()
        request = _request(client, inputs)
        self._infers.append(request.seq)
        client.send(request, deadline)
        self._asked_ns[request.seq] = self._clock.now_ns()
        while len(self._asked_ns) > _IN_FLIGHT:
            oldest = next(iter(self._asked_ns))
            client.forget(oldest)
            del self._asked_ns[oldest]
        return request.seq

    def collect(self, deadline: Deadline) -> tuple[int, InferenceResult] | None:
        """As the contract says. `answered_ns` is when the host took the answer off the line,
        which is here, and so at the earliest in the tick after it came."""
        client = self._opened()
        found = client.newest(tuple(self._asked_ns), messages.Result, deadline)
        if found is None:
            return None
        result, answered_ns = found
        asked_ns = self._asked_ns[result.seq]
        order = list(self._asked_ns)
        for seq in order[: order.index(result.seq) + 1]:
            client.forget(seq)
            del self._asked_ns[seq]
        return result.seq, _inferred(result, asked_ns, answered_ns)

    def cancel(self, ticket: int | None, deadline: Deadline) -> str:
        """Stop the inference with this ticket, or without one the upload that was begun; no
        answer to it will come.

        Returns "stopped" (it was running), "dropped" (it waited, or was an upload) or "nothing"
        (it was over). Errors: CapabilityMissing by protocol 1, DeadlineMissed, LinkLost.
        """
        client = self._opened()
        if self._greeting().version < messages.VERSION_2:
            raise CapabilityMissing(
                f"{self.role}: the terminal speaks protocol 1, which cannot cancel",
                "update its agent",
            )
        if ticket is not None:
            client.forget(ticket)
            self._asked_ns.pop(ticket, None)
        cancel = messages.Cancel(seq=client.next_seq(), target=ticket)
        return client.ask(cancel, messages.Cancelled, deadline).outcome

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """End what runs, drop the network, and read back that the terminal is idle."""
        started_ns = self._clock.now_ns()
        try:
            self._cancel_all(deadline)
            self._ask_health(messages.Reset, deadline)
            health = self._ask_health(messages.Status, deadline)
        except HilError as error:
            state, readings = "unreachable", {"error": error.message}
        else:
            state, readings = health.state, {"model": health.model or ""}
        return SafeProof(
            role=self.role,
            safe=state == "idle",
            state=state,
            readings=readings,
            started_ns=started_ns,
            proved_ns=self._clock.now_ns(),
        )

    def close(self) -> None:
        client, self._client, self._welcome = self._client, None, None
        self._asked_ns = {}
        if client is not None:
            client.close()

    def _cancel_all(self, deadline: Deadline) -> None:
        """What `submit` and `infer` have asked and the terminal may still be at. All are
        cancelled before the first is waited for: the next one would begin to run."""
        if self._greeting().version < messages.VERSION_2:
            return
        client = self._opened()
        cancels = [
            messages.Cancel(seq=client.next_seq(), target=seq)
            for seq in self._infers
            if client.unanswered(seq)
        ]
        for cancel in cancels:
            client.send(cancel, deadline)
        for cancel in cancels:
            client.arrival(cancel, messages.Cancelled, deadline)

    def _require_same(self, welcome: messages.Welcome) -> None:
        known = self._known
        if known is None:
            return
        if (known.model, known.serial) != (welcome.model, welcome.serial):
            raise DeviceFault(
                f"{self.role}: another terminal answers: {welcome.model} {welcome.serial}, before"
                f" it was {known.model} {known.serial}",
                "connect the terminal with which the run began",
            )
        if known.boot != welcome.boot:
            self._agent_restarts += 1

    def _ask_health(
        self, request: type[messages.Status] | type[messages.Reset], deadline: Deadline
    ) -> messages.Health:
        client = self._opened()
        return client.ask(request(seq=client.next_seq()), messages.Health, deadline)

    def _opened(self) -> Client:
        if self._client is None:
            raise HarnessError(f"{self.role} is not open")
        return self._client

    def _greeting(self) -> messages.Welcome:
        if self._welcome is None:
            raise HarnessError(f"{self.role} is not open")
        return self._welcome


def _request(client: Client, inputs: Mapping[str, NDArray[np.float32] | bytes]) -> messages.Infer:
    values: dict[str, messages.Tensor | messages.Image] = {
        name: messages.Image(data=value) if isinstance(value, bytes) else messages.Tensor.of(value)
        for name, value in inputs.items()
    }
    return messages.Infer(seq=client.next_seq(), inputs=values)


def _inferred(result: messages.Result, asked_ns: int, answered_ns: int) -> InferenceResult:
    return InferenceResult(
        outputs={name: tensor.array() for name, tensor in result.outputs.items()},
        stamps=DeviceStamps(result.received_ns, result.start_ns, result.end_ns, result.sent_ns),
        asked_ns=asked_ns,
        answered_ns=answered_ns,
    )


def _read(health: messages.Health) -> list[Finding]:
    loaded = health.model or "none"
    findings = [
        Finding("model", True, f"{health.state}, model: {loaded}"),
    ]
    if health.memory_bytes is not None:
        findings.append(Finding("memory", True, f"{ceil(health.memory_bytes / 2**20)} MiB at most"))
    if health.temperature_c is not None:
        cool = health.temperature_c < _HOT_C
        detail = f"{health.temperature_c:.1f} degrees Celsius, limit {_HOT_C}"
        findings.append(Finding("temperature", cool, detail, "" if cool else "let it cool down"))
    return findings
