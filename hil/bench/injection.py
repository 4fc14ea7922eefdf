"""Known delays for a twin, one place at a time, switched on and off between two ticks."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from hil.clock import Deadline
from hil.contracts import Device
from hil.errors import HarnessError, RigError
from hil.failure import on_failure
from hil.rig import Bench, assemble, resolve_ports, start_twin
from rigs.schema import Rig

TERMINAL = "terminal"
WIRED = "terminal-wired"
DELAYS_US = (1_000, 5_000, 20_000)

_START_S = 20.0
_STOP_S = 2.0
_FAULT_WITHIN_S = 0.5

Inject = Callable[[int], None]
"""Sets the delay, in us, of the ticks to come."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a delay is put in.

    `hop` is where the report has to find it, `stage` the loop's stage that needs the time,
    `terminal` the role that infers meanwhile.
    """

    name: str
    hop: str
    stage: str
    terminal: str = TERMINAL


PLACES = (
    Place("the servo's answer", "read", "sense"),
    Place("the wire to the terminal", "there", "infer", WIRED),
    Place("the wire from the terminal", "back", "infer", WIRED),
    Place("the inference", "compute", "infer"),
    Place("the command path", "command", "act"),
)


class _FaultyScene(Protocol):
    """What this needs of a twin's fixture besides its contract."""

    def fault(self, deadline: Deadline, *, delay_us: Mapping[int, int]) -> None: ...


def slow(delay_us: int) -> str:
    """Role of the terminal whose every inference takes so much longer."""
    return f"terminal-{delay_us}-us"


def delayed_rig(rig: Rig) -> Rig:
    """The twin `rig` with more terminals: one behind a wire that can be made longer, and one
    for each delay inside the inference. Its arm is waited for as long as delays take."""
    data = rig.model_dump(by_alias=True, exclude_none=True)
    roles = {WIRED: 0, **{slow(delay_us): delay_us for delay_us in DELAYS_US}}
    for device in data["devices"]:
        if device["role"] == "arm":
            device["parameters"]["answer_timeout_ms"] = 40.0
    for role, delay_us in roles.items():
        data["twin"]["ports"][role] = {"emulator": "agent", "delay_ms": delay_us / 1000}
        data["devices"].append(
            {"role": role, "driver": "terminal-agent", "port": {"twin": role}, "parameters": {}}
        )
    return Rig.model_validate(data)


@contextmanager
def delayed_bench(rig: Rig, path: Path) -> Iterator[tuple[Bench, Wire]]:
    """The bench of `delayed_rig`, not yet opened, and the wire in it."""
    with ExitStack() as held:
        twin = start_twin(rig, path)
        with on_failure(twin.stop):
            addresses = resolve_ports(rig, twin.ports)
            wire = held.enter_context(Wire(addresses[WIRED]))
            bench = assemble(rig, path, {**addresses, WIRED: wire.port}, twin=twin)
        yield held.enter_context(bench), wire


class Wire:
    """A relay in a process of its own; ends with the context.

    Errors: RigError where it does not start.
    """

    def __init__(self, far: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hil.bench.relay", far],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        with on_failure(self.__exit__):
            self.port = self._announced()

    def delay(self, there_us: int, back_us: int) -> None:
        """Delays of the two ways from now on."""
        stdin = self._process.stdin
        if stdin is None:
            raise HarnessError("the relay has no standard input")
        stdin.write(f"{there_us} {back_us}\n".encode())
        stdin.flush()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_S)

    def _announced(self) -> str:
        stdout = self._process.stdout
        if stdout is None or not select.select([stdout], [], [], _START_S)[0]:
            raise RigError("the relay on the terminal's wire does not start")
        line = stdout.readline()
        if not line:
            raise RigError("the relay on the terminal's wire ended at once")
        return str(json.loads(line)["port"])


@contextmanager
def injecting(place: Place, bench: Bench, wire: Wire) -> Iterator[Inject]:
    """How delays are put in at `place`; without any on the way in and out."""
    methods: Mapping[str, Callable[[], Any]] = {
        "read": lambda: _in_the_answer(bench),
        "there": lambda: _plain(lambda delay_us: wire.delay(delay_us, 0)),
        "back": lambda: _plain(lambda delay_us: wire.delay(0, delay_us)),
        "compute": lambda: _in_the_inference(bench),
        "command": lambda: _in_the_command(bench),
    }
    with methods[place.hop]() as inject:
        inject(0)
        try:
            yield inject
        finally:
            inject(0)


@contextmanager
def _plain(inject: Inject) -> Iterator[Inject]:
    yield inject


@contextmanager
def _in_the_answer(bench: Bench) -> Iterator[Inject]:
    """The last servo asked answers so much later than due: the emulator's own fault."""
    scene = cast(_FaultyScene, bench.devices["scene"])
    last = len(bench.joints("arm").names)

    def inject(delay_us: int) -> None:
        scene.fault(bench.deadline(_FAULT_WITHIN_S), delay_us={last: delay_us} if delay_us else {})

    yield inject


@contextmanager
def _in_the_inference(bench: Bench) -> Iterator[Inject]:
    """Another agent answers, one that was started with that delay."""
    terminal, chosen = bench.inference(TERMINAL), [bench.inference(TERMINAL)]
    usual = terminal.infer

    def infer(*arguments: Any) -> Any:
        one = chosen[0]
        return usual(*arguments) if one is terminal else one.infer(*arguments)

    def inject(delay_us: int) -> None:
        chosen[0] = bench.inference(slow(delay_us)) if delay_us else terminal

    with replaced(terminal, "infer", infer):
        yield inject


@contextmanager
def _in_the_command(bench: Bench) -> Iterator[Inject]:
    """The host sleeps before the driver is called."""
    arm, delay_s = bench.joints("arm"), [0.0]
    usual = arm.command

    def command(*arguments: Any) -> Any:
        if delay_s[0]:
            time.sleep(delay_s[0])
        return usual(*arguments)

    def inject(delay_us: int) -> None:
        delay_s[0] = delay_us / 1e6

    with replaced(arm, "command", command):
        yield inject


@contextmanager
def replaced(device: Device, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """`method` in place of one of a device's, for so long as the context lasts."""
    setattr(device, name, method)
    try:
        yield
    finally:
        delattr(device, name)


@contextmanager
def after_each_tick(scene: Device, inject: Inject, plan_us: Sequence[int]) -> Iterator[None]:
    """Sets the delay of every tick of a loop in turn, in the gap before it.

    The witness is asked once before the loop and once after each tick; past the end of
    `plan_us` no delay is left.
    """
    usual = scene.witness  # type: ignore[attr-defined]
    ahead = iter(plan_us)
    now_us = [0]

    def witness(deadline: Deadline) -> Any:
        try:
            return usual(deadline)
        finally:
            wanted = next(ahead, 0)
            if wanted != now_us[0]:
                inject(wanted)
                now_us[0] = wanted

    with replaced(scene, "witness", witness):
        yield
