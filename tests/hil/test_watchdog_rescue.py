"""Making safe from outside, and ports that a dead owner marked as its own."""

from __future__ import annotations

import array
import fcntl
import os
import tempfile
import termios
import tty
from collections.abc import Mapping
from contextlib import closing

from fakes import FakeArm, FakeDevice

from hil.clock import Deadline, VirtualClock
from hil.contracts import Device, Rescue, SafeProof
from hil.errors import LinkLost
from hil.watchdog.rescue import HeldPorts, make_safe_from_outside

_TIOCGEXCL = 0x80045440


class UrgentArm(FakeArm):
    """Can be rescued on a port that nobody has open."""

    def rescue(self, deadline: Deadline) -> SafeProof:
        self.calls.append("rescue")
        if self.unplugged:
            raise LinkLost("cable cut")
        now_ns = self.clock.now_ns()
        return SafeProof(self.role, True, "torque off", {}, now_ns, now_ns)


def proofs(devices: Mapping[str, Device], clock: VirtualClock) -> list[tuple[str, bool]]:
    addresses = {role: "" if role == "person" else "/dev/ttyX" for role in devices}
    found = make_safe_from_outside(devices, addresses, clock)
    return [(proof.role, proof.safe) for proof in found]


def test_what_can_be_rescued_goes_first_and_is_not_opened() -> None:
    clock = VirtualClock()
    scene, arm, person = (
        FakeDevice("scene", clock),
        UrgentArm("arm", clock),
        FakeDevice("person", clock),
    )
    assert isinstance(arm, Rescue)
    devices: dict[str, Device] = {"scene": scene, "arm": arm, "person": person}
    assert proofs(devices, clock) == [("arm", True), ("scene", True), ("person", True)]
    assert arm.calls == ["rescue"]
    assert scene.calls == ["open", "make_safe"]
    assert not scene.is_open, "closed again"
    assert person.calls == ["make_safe"], "without a port there is nothing to open"


def test_a_device_that_is_gone_is_not_safe_and_stops_no_other() -> None:
    clock = VirtualClock()
    arm, scene = UrgentArm("arm", clock), FakeDevice("scene", clock)
    arm.unplugged = True
    found = make_safe_from_outside(
        {"arm": arm, "scene": scene}, {"arm": "/dev/a", "scene": "/dev/b"}, clock
    )
    assert [proof.safe for proof in found] == [False, True]
    assert "cable cut" in str(found[0].readings["error"])


def exclusive(fd: int) -> bool:
    state = array.array("i", [0])
    fcntl.ioctl(fd, _TIOCGEXCL, state)
    return bool(state[0])


def test_the_mark_of_a_dead_owner_is_taken_off() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    with closing(HeldPorts([path])) as held:
        assert held.addresses == (path,)
        owner = os.open(path, os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(owner, termios.TIOCEXCL)
        os.close(owner)  # as a kill does it: without taking the mark off
        assert exclusive(slave)
        held.unlock()
        assert not exclusive(slave)
    os.close(slave)
    os.close(master)


def test_what_is_no_serial_port_is_left_alone() -> None:
    with (
        tempfile.NamedTemporaryFile() as file,
        closing(HeldPorts([file.name, "/dev/no-such-port"])) as held,
    ):
        assert held.addresses == ()
