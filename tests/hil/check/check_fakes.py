"""Fakes of what a check looks at, beyond those of tests/support, and ways to read its findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from benches import fake_bench
from fakes import FakeArm, FakeDevice, FakeScene

from hil.check.model import Result, State
from hil.clock import Clock, Deadline
from hil.contracts import (
    NEVER,
    Capability,
    Frame,
    GripperCommand,
    GripperLimits,
    GripperSample,
    JointSample,
    SafeProof,
)
from hil.errors import DeadlineMissed, HarnessError
from hil.rig import Bench
from rigs.schema import Limits


def bench_of(*devices: FakeDevice, limits: Limits | None = None) -> Bench:
    """A bench with these devices, on their clock."""
    bench = fake_bench()
    update = {"limits": limits} if limits else {}
    rig = bench.rig.model_copy(update=update)
    return Bench(rig, Path("fakes.toml"), devices[0].clock, {one.role: one for one in devices})


def named(results: Iterable[Result], name: str) -> Result:
    """The one finding of this name."""
    found = [result for result in results if result.name == name]
    assert len(found) == 1, [result.name for result in found]
    return found[0]


def bad(results: Iterable[Result]) -> list[str]:
    """Names of bad findings, all of which say what to do."""
    found = [result for result in results if result.state is State.BAD]
    assert all(result.remedy for result in found), found
    return [result.name for result in found]


class SlowArm(FakeArm):
    """An arm whose joint `late` answers `late_ns` after the other one."""

    late, late_ns = 1, 0

    def read(self, deadline: Deadline) -> JointSample:
        first_ns = self.clock.now_ns() + self.read_ns
        self.clock.sleep_until(first_ns + self.late_ns)
        sample = super().read(deadline)
        age = sample.age_ns.copy()
        age[1 - self.late] += self.late_ns
        return replace(sample, age_ns=age)


class StuckArm(FakeArm):
    """An arm one of whose joints stays between two ends, as one that is blocked does."""

    stuck, ends = 1, (0.0, 0.0)

    def command(self, position: np.ndarray, deadline: Deadline) -> np.ndarray:
        applied = super().command(position, deadline).copy()
        self.position[self.stuck] = np.clip(self.position[self.stuck], *self.ends)
        return applied


class LeakyArm(FakeArm):
    """An arm whose driver adds to what it is told."""

    more = 0.0

    def command(self, position: np.ndarray, deadline: Deadline) -> np.ndarray:
        return super().command(position + self.more, deadline)


class FakeGripper(FakeDevice):
    """Fingers that move 10 mm a look, to what they were told, or to an object."""

    capabilities = frozenset({Capability.GRIPPER})
    limits = GripperLimits(0.08, (0.02, 0.15), (10.0, 100.0))

    def __init__(self, role: str, clock: Clock) -> None:
        super().__init__(role, clock)
        self.opening = self.target = 0.04
        self.object_m = 0.0
        self.stuck = False
        self.limited = True
        self.enabled = False

    def enable(self, deadline: Deadline) -> None:
        self.reach("enable")
        self.enabled = True

    def make_safe(self, deadline: Deadline) -> SafeProof:
        self.enabled = False
        return super().make_safe(deadline)

    def command(self, wanted: GripperCommand, deadline: Deadline) -> GripperCommand:
        if not self.enabled:
            raise HarnessError("not enabled", "enable it")
        most = self.limits.opening_m if self.limited else 1.0
        self.target = min(wanted.opening_m, most)
        return replace(wanted, opening_m=self.target)

    def read(self, deadline: Deadline) -> GripperSample:
        self.reach("read")
        step = 0.0 if self.stuck else np.clip(self.target - self.opening, -0.01, 0.01)
        self.opening = max(self.opening + step, self.object_m)
        held = self.object_m > 0 and self.opening == self.object_m and self.target < self.opening
        now_ns = self.clock.now_ns()
        return GripperSample(now_ns, self.opening, 0.0, bool(step) and not held, held, 0)


class FakeCamera(FakeDevice):
    """A stream of pictures, `period_ns` apart on the bench's clock."""

    capabilities = frozenset({Capability.CAMERA})
    size, rate_hz = (4, 2), 30.0

    def __init__(self, role: str, clock: Clock) -> None:
        super().__init__(role, clock)
        self.period_ns = 33_333_333
        self.frozen = self.silent = False
        self.index = 0

    def newest(self, deadline: Deadline) -> Frame:
        self.reach("newest")
        due_ns = self.clock.now_ns() + self.period_ns
        if self.silent or due_ns > deadline.at_ns:
            self.clock.sleep_until(deadline.at_ns)
            raise DeadlineMissed("no frame")
        self.clock.sleep_until(due_ns)
        self.index += 1
        image = np.full((2, 4, 3), self.index % 200, np.uint8)
        return Frame(image, due_ns, self.index, 0, self.frozen and self.index > 1, NEVER)


class FakeButton(FakeDevice):
    """An emergency stop that is pressed and released at given times of the bench's clock."""

    capabilities = frozenset({Capability.EMERGENCY_STOP})

    def __init__(self, role: str, clock: Clock) -> None:
        super().__init__(role, clock)
        self.presses: list[tuple[int, int]] = []
        self.cause = ""

    def pressed(self, deadline: Deadline) -> bool:
        self.reach("pressed")
        now_ns = self.clock.now_ns()
        down = any(start <= now_ns < end for start, end in self.presses)
        self.cause = "pressed" if down else ""
        return down


class FakeSupply(FakeDevice):
    """A supply without which nothing else answers; its safe state is off."""

    capabilities = frozenset({Capability.POWER})

    def __init__(self, role: str, clock: Clock, fed: FakeDevice) -> None:
        super().__init__(role, clock)
        self.fed = fed

    def make_safe(self, deadline: Deadline) -> SafeProof:
        self.fed.unplugged = True
        return super().make_safe(deadline)


class FakeTracker(FakeScene):
    """A scene that takes any draw and sees one object, with noise in its places and angles."""

    def __init__(self, role: str, clock: Clock) -> None:
        super().__init__(role, clock, FakeArm("none", clock))
        self.noise = np.zeros(4)
        self.blind_every = 0
        self.looks = 0
        self.arranged: Mapping[str, object] | None = None
        self._rng = np.random.default_rng(1)

    def arrange(self, scene: Mapping[str, object], deadline: Deadline) -> None:
        self.reach("arrange")
        self.arranged = scene

    def track(self, deadline: Deadline) -> Mapping[str, np.ndarray]:
        self.looks += 1
        if self.blind_every and self.looks > 1 and self.looks % self.blind_every == 0:
            return {}
        return {"knob": np.array([0.3, 0.0, 0.1, 0.2]) + self.noise * self._rng.normal(size=4)}
