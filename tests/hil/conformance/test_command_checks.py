"""A driver that takes a command where it must not is found, and energises nothing by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeDevice

from hil.clock import Deadline, WallClock
from hil.conformance.command_checks import CHECKS
from hil.conformance.model import NotConforming
from hil.conformance.subject import Opened, Subject
from hil.contracts import (
    Capability,
    DeviceSpec,
    GripperCommand,
    GripperLimits,
    GripperSample,
    JointLimits,
    JointSample,
    SafeProof,
)
from hil.errors import DeviceFault, HarnessError
from rigs.schema import Device as DeviceTable

CLOCK = WallClock()
(CHECK,) = CHECKS


@dataclass
class Motor:
    """The device and the line to it: a target switches its torque on, as some servos have it."""

    torque: bool = False
    was_driven: bool = False
    cut: bool = False
    lost: int = 0

    def send(self, *, torque: bool, driven: bool = False) -> None:
        if self.cut:
            self.lost += 8
            return
        self.torque = torque
        self.was_driven = self.was_driven or driven

    def plant_faults(
        self, faults: Sequence[Mapping[str, object]], seed: int, origin_ns: int
    ) -> None:
        assert list(faults) == [{"kind": "drop", "direction": "to-device"}]
        self.cut = True

    def lift_faults(self) -> Mapping[str, int]:
        lost, self.cut, self.lost = self.lost, False, 0
        return {"lost_bytes": lost} if lost else {}


class Driver(FakeDevice):
    """Keeps the promise on commands but for `flaw`; what it commands stays where it is."""

    def __init__(self, motor: Motor, flaw: str) -> None:
        super().__init__("it", CLOCK)
        self.motor, self.flaw = motor, flaw
        self.enabled = False
        self.reads = self.refusals = 0

    def enable(self, deadline: Deadline) -> None:
        self.enabled = self.flaw != "never"
        self.motor.send(torque=True)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        self.enabled = self.enabled and self.flaw == "forgets"
        self.motor.send(torque=False)
        woken = self.flaw == "wakes" and self.refusals > 1
        state, now_ns = "torque on" if woken else "torque off", CLOCK.now_ns()
        return SafeProof(self.role, self.flaw != "unsafe", state, {}, now_ns, now_ns)

    def drive(self) -> None:
        if self.flaw == "sends first":
            self.motor.send(torque=True)
        if not self.enabled and self.flaw != "no guard":
            self.refuse()
        self.motor.send(torque=True, driven=True)

    def refuse(self) -> None:
        self.refusals += 1
        if self.flaw == "other error":
            raise DeviceFault("it: not active", "enable it")
        if self.flaw == "other defect":
            raise ValueError("not active")
        said = "no" if self.flaw == "nameless" else "it: not enabled"
        raise HarnessError(said, "" if self.flaw == "helpless" else "enable it")


class Axis(Driver):
    """One joint, whose first read has a gap."""

    capabilities = frozenset({Capability.JOINTS})
    names = ("a",)
    limits = JointLimits(-np.ones(1), np.ones(1), np.ones(1))

    def read(self, deadline: Deadline) -> JointSample:
        self.reads += 1
        seen = np.array([np.nan if self.reads == 1 else 0.25])
        age_ns = np.array([-1 if self.reads == 1 else 0])
        return JointSample(CLOCK.now_ns(), seen, seen, seen, age_ns)

    def command(self, position: np.ndarray, deadline: Deadline) -> np.ndarray:
        assert position == [0.25]
        self.drive()
        return position


class Fingers(Driver):
    """A gripper."""

    capabilities = frozenset({Capability.GRIPPER})
    limits = GripperLimits(0.08, (0.02, 0.15), (10.0, 100.0))

    def read(self, deadline: Deadline) -> GripperSample:
        return GripperSample(CLOCK.now_ns(), 0.03, 0.0, False, False, 0)

    def command(self, wanted: GripperCommand, deadline: Deadline) -> GripperCommand:
        assert wanted == GripperCommand(0.03, 0.02, 10.0), "gently, where it is"
        self.drive()
        return wanted


class Silent(Axis):
    """A joint that never says where it is."""

    def read(self, deadline: Deadline) -> JointSample:
        self.reads = 0
        return super().read(deadline)


class Pretended(Subject):
    """A driver from above in place of what a rig's driver would build."""

    def build(self) -> Opened:
        given: Mapping[str, Any] = self.table.parameters
        spec = DeviceSpec(self.role, "it", "", {}, self.base)
        if given["watched"]:
            spec.control.link = given["motor"]
        return Opened(given["kind"](given["motor"], given["flaw"]), spec)


def check(motor: Motor, flaw: str = "", kind: type = Axis, *, watched: bool = True) -> str:
    parameters = {"motor": motor, "flaw": flaw, "kind": kind, "watched": watched}
    table = DeviceTable(role="it", driver="it", parameters=parameters)
    return CHECK.run(Pretended(table, "", Path(), CLOCK, 500.0))


@pytest.mark.parametrize("kind", [Axis, Fingers])
@pytest.mark.parametrize(
    ("watched", "says"), [(True, "nothing was sent"), (False, "cannot be watched")]
)
def test_a_driver_with_the_guard_passes(kind: type, watched: bool, says: str) -> None:
    motor = Motor()
    assert says in check(motor, kind=kind, watched=watched)
    assert motor.was_driven, "once enabled, its command is taken"
    assert not motor.torque


@pytest.mark.parametrize("kind", [Axis, Fingers])
@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(
    ("flaw", "says"),
    [
        ("no guard", "after open it takes a command without being enabled"),
        ("forgets", "after make_safe it takes a command without being enabled"),
        ("never", "command once enabled raised HarnessError"),
        ("other error", "command after open raised DeviceFault"),
        ("other defect", "not of the error tree"),
        ("nameless", "does not name 'it'"),
        ("helpless", "no remedy"),
        ("unsafe", "could not be made safe"),
    ],
)
def test_each_flaw_is_found_and_the_device_left_safe(
    kind: type, flaw: str, says: str, watched: bool
) -> None:
    motor = Motor()
    with pytest.raises(NotConforming, match=says):
        check(motor, flaw, kind, watched=watched)
    assert not motor.torque


def test_a_driver_without_the_guard_energises_nothing_on_a_line_that_is_watched() -> None:
    motor = Motor()
    with pytest.raises(NotConforming):
        check(motor, "no guard")
    assert not motor.was_driven


def test_a_driver_that_refuses_too_late_is_found() -> None:
    with pytest.raises(NotConforming, match="has sent 8 bytes"):
        check(Motor(), "sends first")


def test_a_proof_that_holds_no_longer_is_found() -> None:
    with pytest.raises(NotConforming, match=r"it was 'torque off', and after .* 'torque on'"):
        check(Motor(), "wakes")


def test_a_joint_that_never_says_where_it_is_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.conformance.command_checks._WITHIN_S", 0.05)
    with pytest.raises(NotConforming, match="never says where it is"):
        check(Motor(), kind=Silent)
