"""Device `mlperf-tiny`: a microcontroller board as the AI device under test.

Its network is part of its firmware: the board says which one it has by name, and nothing can be
sent. Input tensors go over the UART, 31 bytes a command, so one inference of a picture costs
seconds of transport; what is measured is the board's own time between its two stamps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.mlperf_tiny.board import Board, Inferred
from drivers.mlperf_tiny.boardclock import BoardClock, survey
from drivers.mlperf_tiny.laps import COUNTER_US, Throughput, elapsed_us, print_us
from drivers.mlperf_tiny.parameters import Parameters
from drivers.mlperf_tiny.profiles import Profile, load_profiles, tensor_bytes
from drivers.mlperf_tiny.session import Session
from drivers.transport.latency import adapter_latency
from drivers.transport.link import open_link
from drivers.transport.options import need_port
from hil.clock import NS_PER_S, NS_PER_US, Deadline
from hil.config import device_parameters
from hil.contracts import (
    NEVER,
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
    Scalar,
)
from hil.errors import BadInput, DeviceFault, HarnessError, HilError, ModelRefused
from hil.failure import on_failure

_NO_STAMPS = DeviceStamps(NEVER, NEVER, NEVER, NEVER)


@dataclass(frozen=True, slots=True)
class _Opened:
    """What exists only between open and close."""

    board: Board
    clock: BoardClock


def build(spec: DeviceSpec, context: BenchContext) -> MlperfTiny:
    """Driver factory (entry point `mlperf-tiny`). Errors: BadInput."""
    need_port(spec)
    return MlperfTiny(spec, device_parameters(spec, Parameters), context)


class MlperfTiny:
    """Implements `hil.contracts.Inference` and `ClockSource`.

    A board in energy mode marks its stamps with a pin for a power analyser and says none of
    them: it infers, with absent stamps, and refuses everything about time.
    """

    capabilities = frozenset({Capability.INFERENCE})

    def __init__(self, spec: DeviceSpec, parameters: Parameters, context: BenchContext) -> None:
        self.role = spec.role
        self._spec = spec
        self._parameters = parameters
        self._clock = context.clock
        self._profiles = load_profiles()
        self._opened_board: _Opened | None = None
        self._network: Profile | None = None

    def open(self, deadline: Deadline) -> None:
        """Take the port, wait for a board that the opening has reset, find out how it says the
        time and in which steps. Errors: those of `open_link`, DeadlineMissed, DeviceFault."""
        self.close()
        transport = open_link(self._spec, self._parameters.baud, self._clock, deadline=deadline)
        relayed = self._parameters.io_manager
        with on_failure(transport.close):
            session = Session(transport, self._clock, relayed)
            session.start(round(self._parameters.boot_wait_s * NS_PER_S), deadline)
            board = Board(session, relayed)
            self._opened_board = _Opened(board, survey(board, self._parameters.baud, deadline))

    def identity(self, deadline: Deadline) -> Identity:
        """Ask the board for its name, firmware and network."""
        opened = self._open_board()
        name = opened.board.name(deadline)
        firmware, network = opened.board.profile(deadline)
        detail: dict[str, Scalar] = {
            "device": name.device,
            "network": network,
            "network_digest": "not known: the network is part of the firmware",
            "timestamp_mode": opened.board.session.mode or "not known",
            "port": opened.board.session.description,
        }
        if opened.clock.step_us is not None:
            detail["clock_step_us"] = opened.clock.step_us
            detail["first_stamp_printing_us"] = opened.clock.printing_us
        return Identity(model=name.vendor, firmware=firmware, detail=detail)

    def health(self, deadline: Deadline) -> list[Finding]:
        try:
            opened = self._open_board()
            name = opened.board.name(deadline)
        except HilError as error:
            return [Finding("answers", False, error.message, error.remedy)]
        findings = [Finding("answers", True, f"{name.device} of {name.vendor}")]
        return [*findings, *opened.clock.findings(), *adapter_latency(self._spec.address)]

    def ping(self, deadline: Deadline) -> None:
        self._open_board().board.name(deadline)

    def exchange(self, deadline: Deadline) -> ClockExchange:
        """The board's one stamp stands for both of its instants; it is right to one step of its
        clock (`clock_step_us` of the identity). Errors: DeviceFault in energy mode."""
        opened = self._open_board()
        opened.clock.require()
        sent_ns = self._clock.now_ns()
        stamp_us, answer = opened.board.stamp(deadline)
        if stamp_us is None:
            raise DeviceFault(f"{self.role}: the board gave no time stamp")
        at_ns = opened.clock.place(stamp_us, answer.answered_ns)
        return ClockExchange(sent_ns, at_ns, at_ns, answer.answered_ns)

    def counters(self) -> Mapping[str, int]:
        if self._opened_board is None:
            return {}
        board = self._opened_board.board
        loads = {f"loads_{name}": count for name, count in asdict(board.loads).items()}
        return {**board.session.counters(), **loads}

    def load(self, model: ModelImage, deadline: Deadline) -> None:
        """Check that the board's firmware holds the network that `model` names: its name is
        `ic01` or ends in `-ic01`. The content cannot be compared.

        Errors: ModelRefused where it holds another or takes no tensor; DeadlineMissed, LinkLost.
        """
        _, network = self._open_board().board.profile(deadline)
        wanted = model.name.rpartition("-")[2]
        profile = self._profiles.get(network)
        if wanted != network and (profile is None or profile != self._profiles.get(wanted)):
            raise ModelRefused(
                f"{self.role}: the board's firmware holds {network!r}, the model is {model.name!r}",
                "flash the firmware with that network, or choose the scenario for this one",
            )
        if profile is None or not profile.shape:
            raise ModelRefused(
                f"{self.role}: the network {network!r} takes no input over the UART"
                if profile
                else f"{self.role}: the input of network {network!r} is not known",
                f"known are {', '.join(name for name, one in self._profiles.items() if one.shape)}",
            )
        self._network = profile

    def infer(
        self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline
    ) -> InferenceResult:
        """Load the one input and run `iterations` inferences after `warmup` others.

        Of the stamps, `start_ns` and `received_ns` are the board's first, `end_ns` and `sent_ns`
        the second; with several iterations the first and the mean of one later. Copying the
        tensor and warming up are outside of them, printing the first is inside
        (`first_stamp_printing_us` of the identity).
        """
        self.load_tensor(inputs, deadline)
        inferred = self._run(self._parameters.iterations, self._parameters.warmup, deadline)
        values = np.array([inferred.results], np.float32)
        return InferenceResult(
            outputs={self._parameters.output: values},
            stamps=self._stamps(inferred),
            asked_ns=inferred.asked_ns,
            answered_ns=inferred.answered_ns,
        )

    def load_tensor(
        self, inputs: Mapping[str, NDArray[np.float32] | bytes], deadline: Deadline
    ) -> None:
        """Bring the one input into the board's buffer.

        Errors: BadInput (not one input, or one that does not fit), ProtocolError (bytes lost
        again and again), DeviceFault, DeadlineMissed, LinkLost.
        """
        if self._network is None:
            raise DeviceFault(f"{self.role}: no network has been chosen; `load` comes first")
        if len(inputs) != 1:
            raise BadInput(f"{self.role}: a board takes one input, given: {', '.join(inputs)}")
        data = tensor_bytes(self._network, next(iter(inputs.values())))
        self._open_board().board.load(data, deadline, self._parameters.read_back)

    def measure(self, count: int, deadline: Deadline, warmup: int = 10) -> Throughput:
        """Inferences a second over `count` of them, on the tensor that is loaded.

        Errors: DeviceFault in energy mode, for a clock that stands still or runs backwards, or
        for a window longer than the counter; HarnessError without a tensor; DeadlineMissed.
        """
        step_us = self._open_board().clock.require()
        inferred = self._run(count, warmup, deadline)
        if inferred.laps_us is None:
            raise DeviceFault(f"{self.role}: the board gave no time stamps")
        first_us, second_us = inferred.laps_us
        window_us = elapsed_us(first_us, second_us)
        passed_us = (inferred.answered_ns - inferred.asked_ns) // NS_PER_US
        if window_us < 0 or passed_us >= COUNTER_US > max(first_us, second_us):
            raise DeviceFault(
                f"{self.role}: stamps {first_us} and {second_us} us, {passed_us / 1e6:.0f} s apart"
                " for the host, do not give a duration",
                "ask for fewer iterations: a counter of 32 bits wraps after 71 minutes",
            )
        printing_us = print_us(first_us, self._parameters.baud)
        return Throughput(count, window_us, step_us, printing_us)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """A board drives nothing: it is safe when it waits for a command, which its name shows.
        There is no way to stop an inference that runs."""
        started_ns = self._clock.now_ns()
        readings: dict[str, Scalar]
        try:
            name = self._open_board().board.name(deadline)
        except HilError as error:
            state, readings = "unreachable", {"error": error.message}
        else:
            state, readings = "idle", {"name": name.vendor}
        proved_ns = self._clock.now_ns()
        return SafeProof(self.role, state == "idle", state, readings, started_ns, proved_ns)

    def close(self) -> None:
        opened, self._opened_board, self._network = self._opened_board, None, None
        if opened is not None:
            opened.board.session.close()

    def _run(self, count: int, warmup: int, deadline: Deadline) -> Inferred:
        inferred = self._open_board().board.infer(count, warmup, deadline)
        known = self._network.outputs if self._network else None
        if known is not None and len(inferred.results) != known:
            raise DeviceFault(
                f"{self.role}: {len(inferred.results)} results, the network has {known}"
            )
        return inferred

    def _stamps(self, inferred: Inferred) -> DeviceStamps:
        if inferred.laps_us is None:
            return _NO_STAMPS
        first_us, second_us = inferred.laps_us
        one_us = elapsed_us(first_us, second_us) // inferred.count
        start_ns = self._open_board().clock.place(first_us, inferred.answered_ns)
        end_ns = start_ns + one_us * NS_PER_US
        return DeviceStamps(start_ns, start_ns, end_ns, end_ns)

    def _open_board(self) -> _Opened:
        if self._opened_board is None:
            raise HarnessError(f"{self.role} is not open")
        return self._opened_board
