"""Running the network so that it can be stopped from another thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from drivers.terminal.messages import Outcome
from hil.contracts import Scalar
from hil.errors import DeviceFault
from models.runtime import Network, Tensors

_REMEMBERED = 32
"""Cancelled inferences of which it is still known what became of them."""

Inputs = Mapping[str, NDArray[np.float32] | bytes]


class Cancelled(Exception):
    """The host does not want the answer any more."""


class StoppableNetwork(Network):
    """A network whose run another thread can end."""

    def __init__(self, content: bytes, preprocess: Mapping[str, Mapping[str, Scalar]]) -> None:
        super().__init__(content, preprocess)
        self._options = ort.RunOptions()
        self._session = _WithOptions(self._session, self._options)

    def stop(self) -> None:
        """End the run that is going on, with DeviceFault; the engine looks between two nodes of
        the network. Without one the next run ends at once, unless `ready` is called before."""
        self._options.terminate = True

    def ready(self) -> None:
        """Take back a `stop` that came too late."""
        self._options.terminate = False


class _WithOptions:
    """A session whose runs all have the same options."""

    def __init__(self, session: Any, options: ort.RunOptions) -> None:
        self._session = session
        self._options = options

    def run(self, names: None, tensors: Tensors) -> list[NDArray[np.float32]]:
        values: list[NDArray[np.float32]] = self._session.run(names, tensors, self._options)
        return values


@dataclass(frozen=True, slots=True)
class Run:
    """One inference: outputs, and the agent's stamps around it."""

    outputs: Tensors
    start_ns: int
    end_ns: int


class Runner:
    """Runs one inference at a time; `cancel` may be called from another thread meanwhile.

    Args:
        delay_ns: fault injection: wait so long inside every inference.
        now_ns: the agent's monotonic clock.
    """

    def __init__(self, delay_ns: int, now_ns: Callable[[], int]) -> None:
        self._delay_ns = delay_ns
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._running: tuple[int, StoppableNetwork] | None = None
        self._unwanted: deque[int] = deque(maxlen=_REMEMBERED)
        self._outcomes: dict[int, Outcome] = {}

    def run(self, seq: int, network: StoppableNetwork, inputs: Inputs) -> Run:
        """Errors: BadInput (the inputs do not fit), DeviceFault (the network failed), Cancelled."""
        self._begin(seq, network)
        start_ns = self._now_ns()
        try:
            outputs = network.run(network.prepare(inputs))
            self._delay()
            end_ns = self._now_ns()
        except DeviceFault:
            if self._end(seq):
                raise Cancelled from None
            raise
        except BaseException:
            self._end(seq)
            raise
        if self._end(seq):
            raise Cancelled
        return Run(outputs, start_ns, end_ns)

    def cancel(self, seq: int) -> None:
        """Stop inference `seq`, or keep it from running once its turn comes."""
        with self._lock:
            if self._running is not None and self._running[0] == seq:
                self._running[1].stop()
                self._stop.set()
            else:
                self._unwanted.append(seq)

    def outcome(self, seq: int) -> Outcome:
        """What became of a cancelled inference, once its turn is over."""
        return self._outcomes.get(seq, "nothing")

    def forget(self) -> None:
        """A new session counts its requests anew."""
        with self._lock:
            self._unwanted.clear()
            self._outcomes.clear()

    def _begin(self, seq: int, network: StoppableNetwork) -> None:
        with self._lock:
            if seq in self._unwanted:
                self._remember(seq, "dropped")
                raise Cancelled
            network.ready()
            self._stop.clear()
            self._running = seq, network

    def _end(self, seq: int) -> bool:
        """Whether the run was stopped."""
        with self._lock:
            self._running = None
            stopped = self._stop.is_set()
            if stopped:
                self._remember(seq, "stopped")
            return stopped

    def _remember(self, seq: int, outcome: Outcome) -> None:
        self._outcomes[seq] = outcome
        while len(self._outcomes) > _REMEMBERED:
            del self._outcomes[next(iter(self._outcomes))]

    def _delay(self) -> None:
        if not self._delay_ns:
            return
        until_ns = self._now_ns() + self._delay_ns
        while (left_ns := until_ns - self._now_ns()) > 0 and not self._stop.wait(left_ns / 1e9):
            pass
