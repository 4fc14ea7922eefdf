"""`hil bench safety`: a twin in motion is killed, stopped, silenced and unplugged, many times,
and its emergency stop is pressed and falls silent.

The time runs from the instant before the fault to what shows its end. That is the torque of the
last emulated servo going off, stamped in the twin's own process on the same clock. An unplugged
arm can be made safe by nobody; there it is the run's named outcome.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hil.bench.figures import Figure, at_most
from hil.catalogue import load_rig
from hil.clock import NS_PER_MS, NS_PER_S, Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, TwinProcesses
from hil.errors import HarnessError
from hil.loop.loop import Timing
from hil.plan.freeze import Plan, freeze, single
from hil.plugins import DRIVERS, load
from hil.rig import start_twin
from hil.run.apart import run_apart
from hil.run.crew import Crew
from hil.run.episode import longest_tick_ns
from hil.run.ledger import Silent
from hil.safety import StopRequest
from rigs.schema import Rig

RIG, SCENARIO, SEED = "twin-so101", "care-light-switch-press", 1
SCENE, BUTTON, SERVO = "scene", "button", 3
KILL_LIMIT_MS = 50.0
STALE_MS = 100.0
"""Silence of the emergency stop that counts as pressed; more than its driver's default, since its
emulator is one process of many on this host."""

_MOTION_WITHIN_S = 30.0
_ASK_S = 1.0
_FEWEST_MS, _MOST_MS = 60, 400
"""The fault comes this long after the loop began to tick, evenly drawn: anywhere in a tick."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A running twin and a second scene link to its host process."""

    processes: TwinProcesses
    scene: Any
    host_pid: int

    def ask(self) -> Deadline:
        return Deadline.after_s(WallClock(), _ASK_S)

    def torque_off_ns(self) -> int | None:
        """When the last servo's torque went off; None while one is on."""
        status: Mapping[str, int] = self.scene.status(self.ask())
        return None if status["torque_on"] else status["torque_off_ns"]

    def press(self, what: str) -> None:
        """Do something to the emergency stop."""
        self.scene.control(BUTTON, self.ask(), do=what)

    def mend(self) -> None:
        """Bus in order, and the emergency stop, where there is one, reset by hand."""
        self.scene.fault(self.ask())
        if BUTTON in self.processes.ports:
            for what in ("restart", "release", "reset"):
                self.press(what)


@dataclass(frozen=True, slots=True)
class Victim:
    """What a fault is done to."""

    worker_pid: int
    twin: Twin


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to hurt a run, and how it has to end.

    `torque` says whether the torque can still be switched off, `limit_ms` what the p99 of the
    time has to keep, `button` whether the rig has an emergency stop.
    """

    name: str
    inject: Callable[[Victim], None]
    outcome: str
    torque: bool = True
    limit_ms: float | None = None
    button: bool = False


def run(trials: int) -> tuple[Sequence[Figure], Mapping[str, Any]]:
    """`trials` of every fault; figures are time-to-safe in ms. Takes about 3 s a trial."""
    figures: list[Figure] = []
    outcomes: dict[str, dict[str, int]] = {}
    rng = random.Random(SEED)
    for fault in _faults():
        times_ms, ends = _measure(fault, trials, rng)
        outcomes[fault.name] = ends
        figures += _figures(fault, times_ms)
    return figures, {
        "rig": RIG,
        "scenario": SCENARIO,
        "trials": trials,
        "outcomes": outcomes,
        "clock": "CLOCK_MONOTONIC of one host, in three processes",
        "torque off": "as the emulated servos saw it; the wire is a pseudo-terminal",
        "unplug": "the twin's process is killed, which hangs up the bus and the scene link",
        "emergency stop": f"a frame every 10 ms; silent after {STALE_MS:g} ms",
    }


def _faults() -> tuple[Fault, ...]:
    return (
        Fault("kill -9 of the worker", _kill, "error", limit_ms=KILL_LIMIT_MS),
        Fault("SIGSTOP of the worker", _stop, "void"),
        Fault("a servo falls silent", _silence, "error"),
        Fault("arm unplugged", _unplug, "error", torque=False),
        Fault("emergency stop pressed", _press, "interrupted", button=True),
        # it ends as the press does, but a button that is silent cannot be proved safe
        Fault("emergency stop falls silent", _mute, "error", button=True),
    )


def _kill(victim: Victim) -> None:
    os.kill(victim.worker_pid, signal.SIGKILL)


def _stop(victim: Victim) -> None:
    os.kill(victim.worker_pid, signal.SIGSTOP)


def _silence(victim: Victim) -> None:
    victim.twin.scene.fault(victim.twin.ask(), silent=[SERVO])


def _unplug(victim: Victim) -> None:
    os.kill(victim.twin.host_pid, signal.SIGKILL)


def _press(victim: Victim) -> None:
    victim.twin.press("press")


def _mute(victim: Victim) -> None:
    victim.twin.press("silence")


def _measure(fault: Fault, trials: int, rng: random.Random) -> tuple[list[float], dict[str, int]]:
    plan = _plan(fault.button)
    times_ms: list[float] = []
    ends: dict[str, int] = {}
    left = trials
    while left:
        with _twin(plan) as twin:
            for _ in range(left if fault.torque else 1):
                took_ms, outcome = _trial(plan, twin, fault, rng)
                times_ms.append(took_ms)
                ends[outcome] = ends.get(outcome, 0) + 1
                left -= 1
    if set(ends) != {fault.outcome}:
        raise HarnessError(f"{fault.name}: runs ended as {ends}, not all as {fault.outcome!r}")
    return times_ms, ends


def _trial(plan: Plan, twin: Twin, fault: Fault, rng: random.Random) -> tuple[float, str]:
    """One run with one fault in it; time in ms from the fault to its end, and the outcome."""
    delay_s = rng.uniform(_FEWEST_MS, _MOST_MS) / 1000
    injected = _Injection(fault, twin, delay_s, _ticking_ns(plan))
    with tempfile.TemporaryDirectory(prefix="hil-bench-") as folder:
        ending = run_apart(
            plan,
            Path(folder) / "run",
            Silent(),
            StopRequest(),
            lambda _rig, _path: _Lent(twin.processes),
            injected.begin,
        )
    ended_ns = time.monotonic_ns()
    began_ns = injected.finish()
    if fault.torque:
        off_ns = twin.torque_off_ns()
        twin.mend()
        if off_ns is None or off_ns < began_ns:
            raise HarnessError(f"{fault.name}: the torque is still on ({ending.reason})")
        ended_ns = off_ns
    return (ended_ns - began_ns) / NS_PER_MS, ending.outcome


class _Injection:
    """Waits in a thread of its own until the episode's loop ticks, then does harm."""

    def __init__(self, fault: Fault, twin: Twin, delay_s: float, ticking_ns: int) -> None:
        self._fault, self._twin, self._delay_s = fault, twin, delay_s
        self._ticking_ns = ticking_ns
        self._thread: threading.Thread | None = None
        self._at_ns: int | None = None

    def begin(self, crew: Crew) -> None:
        """The worker is about to open the devices."""
        self._thread = threading.Thread(target=self._harm, args=(crew,), daemon=True)
        self._thread.start()

    def finish(self) -> int:
        """When the harm was done. Errors: HarnessError where there was no motion to harm."""
        if self._thread is not None:
            self._thread.join(_MOTION_WITHIN_S)
        if self._at_ns is None:
            raise HarnessError("the loop did not tick in time, nothing could be measured")
        return self._at_ns

    def _harm(self, crew: Crew) -> None:
        end_ns = time.monotonic_ns() + round(_MOTION_WITHIN_S * NS_PER_S)
        while time.monotonic_ns() < end_ns:
            if crew.heart.pulse().allowance_ns == self._ticking_ns:
                time.sleep(self._delay_s)
                self._at_ns = time.monotonic_ns()
                self._fault.inject(Victim(crew.worker.pid, self._twin))
                return
            time.sleep(0.005)


class _Lent:
    """A twin that outlives the run it is lent to."""

    def __init__(self, twin: TwinProcesses) -> None:
        self._twin = twin

    @property
    def ports(self) -> Mapping[str, str]:
        return self._twin.ports

    def describe(self) -> Mapping[str, object]:
        return self._twin.describe()

    def check(self) -> None:
        self._twin.check()

    def stop(self) -> None:
        """It is wanted again."""


def _plan(button: bool) -> Plan:
    rig, path = load_rig(RIG)
    if button:
        rig = with_button(rig)
    return freeze(single(SCENARIO, 1), "0" * 64, rig, path, SEED, "expert")


def with_button(rig: Rig) -> Rig:
    """The twin `rig` with an emergency stop beside it."""
    data = rig.model_dump(by_alias=True, exclude_none=True)
    data["twin"]["ports"][BUTTON] = {"emulator": "estop-box"}
    button = {"role": BUTTON, "driver": "estop-box", "port": {"twin": BUTTON}}
    data["devices"].append({**button, "parameters": {"stale_ms": STALE_MS}})
    return Rig.model_validate(data)


def _ticking_ns(plan: Plan) -> int:
    """The silence allowed while the episode's loop ticks, by which its motion is known."""
    timing = Timing.of(plan.scenarios[SCENARIO].scenario.loop)
    return longest_tick_ns(timing) + round(plan.rig.watchdog.tick_timeout_ms * NS_PER_MS)


@contextmanager
def _twin(plan: Plan) -> Iterator[Twin]:
    with _ended(start_twin(plan.rig, plan.rig_path)) as processes:
        context = BenchContext(WallClock())
        spec = DeviceSpec(SCENE, "plant-scene", processes.ports[SCENE], {}, plan.rig_path.parent)
        with closing(load(DRIVERS, "plant-scene")(spec, context)) as scene:
            scene.open(Deadline.after_s(WallClock(), _ASK_S))
            about = scene.identity(Deadline.after_s(WallClock(), _ASK_S))
            yield Twin(processes, scene, int(about.detail["pid"]))


@contextmanager
def _ended(twin: TwinProcesses) -> Iterator[TwinProcesses]:
    """The twin, ended on the way out."""
    try:
        yield twin
    finally:
        twin.stop()


def _figures(fault: Fault, times_ms: Sequence[float]) -> list[Figure]:
    what = "to torque off" if fault.torque else "to the named outcome"
    p50, p99 = (float(np.quantile(times_ms, q, method="inverted_cdf")) for q in (0.5, 0.99))
    tail = f"{fault.name}, {what}, p99"
    limit_ms = fault.limit_ms
    return [
        Figure(f"{fault.name}, {what}, p50", p50, "ms"),
        Figure(tail, p99, "ms") if limit_ms is None else at_most(tail, p99, "ms", limit_ms),
        Figure(f"{fault.name}, {what}, max", max(times_ms), "ms"),
    ]
