"""Device `android`: a phone or Android terminal behind adb (`hil.contracts.Inference`).

The phone runs the agent of `docs/terminal-agent.md` on a local socket; adb forwards to it. Time
over adb is never a latency of the phone: between host and agent stand the adb server, a USB
stack on both sides and a second server on the phone, 5 to 30 ms that nobody bounds. What the
phone's own stamps say of an inference is its time; the host's stamps are kept as what they
are, and no clock is mapped through this link.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.android import vitals
from drivers.android.agent import AgentOnPhone
from drivers.android.parameters import Parameters
from drivers.android.phone import Phone
from drivers.android.server import USUAL, AdbServer
from drivers.claim import Claim
from drivers.terminal.device import TerminalAgent
from drivers.terminal.device import build as build_terminal
from drivers.transport.options import need_port
from hil.clock import NS_PER_S, Deadline
from hil.config import device_parameters
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    Identity,
    InferenceResult,
    ModelImage,
    SafeProof,
    Scalar,
)
from hil.errors import (
    BadInput,
    DeadlineMissed,
    HarnessError,
    HilError,
    LinkLost,
)
from hil.failure import on_failure

T = TypeVar("T")
_Inputs = Mapping[str, NDArray[np.float32] | bytes]

_SHELL_WITH_CODES = "shell_v2"
_RETRY_S = 0.1
_CLOSE_NS = NS_PER_S
_PROPERTIES = {
    "android": "ro.build.version.release",
    "sdk": "ro.build.version.sdk",
    "build": "ro.build.display.id",
    "soc": "ro.soc.model",
    "soc_maker": "ro.soc.manufacturer",
    "platform": "ro.board.platform",
    "abi": "ro.product.cpu.abi",
}
TIMING = "over adb: times of the host are functional only, the phone's own stamps are its time"


def build(spec: DeviceSpec, context: BenchContext) -> AndroidTerminal:
    """Driver factory (entry point `android`). The port is an adb server of this host, since
    what is forwarded ends there. Errors: BadInput."""
    need_port(spec, f'{{ url = "{USUAL}" }}, the usual adb server')
    if context.clock.virtual:
        raise BadInput(
            f"device {spec.role!r}: a phone needs a wall clock", "use a twin or real rig"
        )
    return AndroidTerminal(spec, device_parameters(spec, Parameters), context)


class AndroidTerminal:
    """Implements `hil.contracts.OverlappedInference` and `Rescue`."""

    capabilities = frozenset({Capability.INFERENCE})

    def __init__(self, spec: DeviceSpec, parameters: Parameters, context: BenchContext) -> None:
        self.role = spec.role
        self._spec = spec
        self._parameters = parameters
        self._context = context
        self._clock = context.clock
        server = AdbServer(spec.address)
        if not server.on_this_host:
            raise BadInput(
                f"device {spec.role!r}: the {server.place} is on another host",
                "a forward ends on the server's own loopback: name a server of this host",
            )
        self._phone = Phone(server, parameters.serial, context.clock)
        self._agent = AgentOnPhone(self._phone, parameters.agent, spec.base)
        self._claim: Claim | None = None
        self._terminal: TerminalAgent | None = None
        self._agent_waits = 0

    def open(self, deadline: Deadline) -> None:
        """Claim the phone, start its agent, and greet it.

        Errors: RigError (claimed by another program), those of `Phone.ready` for every state
        but "device", BadInput (Android 6 or older), DeviceFault (the agent does not start),
        DeadlineMissed, LinkLost.
        """
        self.close()
        self._claim = self._claimed()
        with on_failure(self.close), on_failure(self._stop_agent):
            self._phone.ready(deadline)
            features = self._phone.server.features(self._phone.serial, deadline)
            if _SHELL_WITH_CODES not in features:
                raise BadInput(
                    f"phone {self._phone.serial} cannot tell how a command ended",
                    "Android 7 or later is needed",
                )
            self._terminal = self._reach(self._agent.start(deadline), deadline)

    def identity(self, deadline: Deadline) -> Identity:
        """From the phone's properties, and the agent's greeting."""
        told = self._phone.properties(deadline)
        agent = self._opened().identity(deadline)
        maker, model = told.get("ro.product.manufacturer", ""), told.get("ro.product.model", "")
        detail: dict[str, Scalar] = {
            name: told[key] for name, key in _PROPERTIES.items() if key in told
        }
        return Identity(
            model=" ".join(filter(None, (maker, model))) or "Android device",
            serial=told.get("ro.serialno", self._phone.serial),
            firmware=told.get("ro.build.fingerprint", ""),
            detail={
                **detail,
                "adb_serial": self._phone.serial,
                "adb_server": self._phone.server.version(deadline),
                "agent": agent.firmware,
                "runtime": agent.detail.get("runtime", ""),
                "timing": TIMING,
                "line_proves_safe": False,  # the adb server does, which stops the agent
            },
        )

    def health(self, deadline: Deadline) -> list[Finding]:
        """State at the server, what the phone says of itself, what its agent says of itself."""
        try:
            self._phone.ready(deadline)
            told = {
                name: self._told(command, deadline) for name, command in vitals.COMMANDS.items()
            }
        except HilError as error:
            return [Finding("answers", False, error.message, error.remedy or "check the cable")]
        return [
            Finding("answers", True, "adb says: device"),
            Finding("timing", True, TIMING),
            *vitals.findings(self._parameters, told),
            *self._agent_health(deadline),
        ]

    def ping(self, deadline: Deadline) -> None:
        """A round trip to the agent."""
        self._through("a ping", lambda: self._opened().ping(deadline), deadline)

    def counters(self) -> Mapping[str, int]:
        own = {"reconnects": self._phone.reconnects, "agent_waits": self._agent_waits}
        return {**own, **(self._terminal.counters() if self._terminal else {})}

    def load(self, model: ModelImage, deadline: Deadline) -> None:
        """As the contract says; the agent checks the digest itself."""
        self._through("a load", lambda: self._opened().load(model, deadline), deadline)

    def infer(self, inputs: _Inputs, deadline: Deadline) -> InferenceResult:
        """As the contract says. The result's `stamps` are the phone's; `asked_ns` and
        `answered_ns` hold the time over adb and are no latency of the phone."""
        return self._through(
            "an inference", lambda: self._opened().infer(inputs, deadline), deadline
        )

    def submit(self, inputs: _Inputs, deadline: Deadline) -> int:
        """As the contract says."""
        return self._through(
            "an inference", lambda: self._opened().submit(inputs, deadline), deadline
        )

    def collect(self, deadline: Deadline) -> tuple[int, InferenceResult] | None:
        """As the contract says."""
        return self._through("an inference", lambda: self._opened().collect(deadline), deadline)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Stop the agent, remove the forward, and read back that both are gone. Nothing is
        proved of a phone that is not open; `rescue` takes it first."""
        if self._claim is None:
            now_ns = self._clock.now_ns()
            return SafeProof(self.role, False, "not open", {}, now_ns, now_ns)
        return self._end_agent(deadline)

    def rescue(self, deadline: Deadline) -> SafeProof:
        """As `make_safe`, for a phone whose owner is dead. Errors: RigError where it is not."""
        self._claim = self._claim or self._claimed()
        try:
            return self._end_agent(deadline)
        finally:
            self.close()

    def close(self) -> None:
        """Hang up, remove the forward where it is still there, let go of the phone."""
        terminal, self._terminal = self._terminal, None
        if terminal is not None:
            terminal.close()
        if self._claim is not None:
            with contextlib.suppress(HilError):
                self._agent.unforward(Deadline.after(self._clock, _CLOSE_NS))
            self._release()

    def _reach(self, port: int, deadline: Deadline) -> TerminalAgent:
        """The agent behind the forward, which takes a connection long before an agent that is
        starting does, and then drops it."""
        spec = replace(
            self._spec,
            driver="terminal-agent",
            address=f"socket://127.0.0.1:{port}",
            parameters={},
        )
        terminal = build_terminal(spec, self._context)
        while True:
            try:
                terminal.open(deadline)
            except LinkLost as error:
                if deadline.remaining_s() < _RETRY_S:
                    raise self._mute(error, deadline) from error
                self._agent_waits += 1
                time.sleep(_RETRY_S)
            else:
                return terminal

    def _mute(self, error: HilError, deadline: Deadline) -> HilError:
        lost = self._phone.lost(error, "the greeting of its agent", deadline)
        if lost is not error:
            return lost
        return DeadlineMissed(
            f"phone {self._phone.serial}: its agent does not serve on {self._agent.socket}",
            "see what the agent says of itself in `adb logcat`, and whether the name is right",
        )

    def _end_agent(self, deadline: Deadline) -> SafeProof:
        started_ns = self._clock.now_ns()
        readings: dict[str, Scalar] = {}
        terminal, self._terminal = self._terminal, None
        if terminal is not None:
            terminal.close()
        try:
            self._agent.stop(deadline)
            readings["agent"] = "stopped"
            self._agent.unforward(deadline)
            readings["forwards"] = len(self._agent.forwards(deadline))
        except HilError as error:
            readings["error"] = error.message
        safe = readings == {"agent": "stopped", "forwards": 0}
        state = "agent stopped" if safe else "not proved"
        return SafeProof(self.role, safe, state, readings, started_ns, self._clock.now_ns())

    def _stop_agent(self) -> None:
        self._agent.stop(Deadline.after(self._clock, _CLOSE_NS))

    def _told(self, command: str, deadline: Deadline) -> str:
        """What a command of the phone tells; nothing where it fails."""
        ran = self._phone.shell(command, deadline)
        return "" if ran.code else ran.stdout

    def _agent_health(self, deadline: Deadline) -> list[Finding]:
        if self._terminal is None:
            return [Finding("agent", False, "not open", "open the device first")]
        return [replace(one, name=f"agent {one.name}") for one in self._terminal.health(deadline)]

    def _through(self, during: str, call: Callable[[], T], deadline: Deadline) -> T:
        """Where the link goes, say what became of the phone."""
        try:
            return call()
        except LinkLost as error:
            raise self._phone.lost(error, during, deadline) from error

    def _claimed(self) -> Claim:
        phone = self._phone  # a serial number is unique at one server only
        return Claim(f"{phone.server.place}/{phone.serial}", f"phone {phone.serial}")

    def _release(self) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

    def _opened(self) -> TerminalAgent:
        if self._terminal is None:
            raise HarnessError(f"{self.role} is not open")
        return self._terminal
