"""A HID emergency stop, with a named pipe in place of the kernel's device file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from descriptors import none_left

from drivers.estop.hid import HidParameters, HidStop, hid_devices
from hil.clock import Deadline, WallClock
from hil.contracts import EmergencyStop, TellsCause
from hil.errors import DeviceNotFound, LinkLost

CLOCK = WallClock()
NOW = Deadline(CLOCK, 0)


class Pipe:
    """Writes reports; a named pipe keeps what is written whole, as hidraw does."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def report(self, *values: int) -> None:
        os.write(self.fd, bytes(values))


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    one = Pipe(tmp_path / "hidraw0")
    yield one
    os.close(one.fd)


@pytest.fixture
def stop(pipe: Pipe) -> Iterator[HidStop]:
    parameters = HidParameters(path=str(pipe.path), report_bytes=2, byte=1, mask=1, released=0)
    one = HidStop("stop", parameters, CLOCK)
    one.open(Deadline.after_s(CLOCK, 1))
    yield one
    one.close()


def test_until_a_report_has_come_it_counts_as_pressed(stop: HidStop) -> None:
    assert isinstance(stop, EmergencyStop)
    assert isinstance(stop, TellsCause)
    assert stop.pressed(NOW)
    assert "not known" in stop.cause
    proof = stop.make_safe(NOW)
    assert not proof.safe, "what cannot be said is not safe"


def test_the_newest_report_counts(stop: HidStop, pipe: Pipe) -> None:
    pipe.report(7, 0)
    assert not stop.pressed(NOW)
    assert stop.cause == ""
    pipe.report(7, 1)
    pipe.report(7, 0)
    pipe.report(7, 1)
    assert stop.pressed(NOW)
    assert stop.cause == "pressed"
    assert stop.counters() == {"reports": 4, "bad_reports": 0}
    assert stop.make_safe(NOW).safe
    (finding,) = stop.health(NOW)
    assert not finding.ok
    assert "release" in finding.remedy


def test_a_report_of_another_length_makes_the_state_unknown(stop: HidStop, pipe: Pipe) -> None:
    pipe.report(7, 0)
    assert not stop.pressed(NOW)
    pipe.report(7)
    assert stop.pressed(NOW)
    assert stop.counters()["bad_reports"] == 1


def test_a_device_that_is_gone(stop: HidStop) -> None:
    stop.close()
    with pytest.raises(LinkLost):
        stop.pressed(NOW)
    assert not stop.make_safe(NOW).safe


def listed(folder: Path, number: int, ids: str, unique: str) -> None:
    entry = folder / f"hidraw{number}" / "device"
    entry.mkdir(parents=True)
    (entry / "uevent").write_text(f"HID_ID={ids}\nHID_NAME=Big Red\nHID_UNIQ={unique}\n")


def test_it_is_found_by_what_the_kernel_says_of_it(tmp_path: Path) -> None:
    listed(tmp_path, 0, "0003:000016C0:000005DF", "A1")
    listed(tmp_path, 1, "0003:000016C0:000005DF", "B2")
    listed(tmp_path, 2, "0003:00000001:00000002", "")
    (tmp_path / "hidraw3" / "device").mkdir(parents=True)
    assert [one.serial for one in hid_devices(tmp_path)] == ["A1", "B2", ""]
    both = HidParameters(vendor_id=0x16C0, product_id=0x05DF, report_bytes=1, byte=0)
    with pytest.raises(DeviceNotFound) as caught:
        HidStop("stop", both, CLOCK, tmp_path).open(NOW)
    assert "2 HID devices fit" in str(caught.value)
    assert "16c0:05df, Big Red, serial B2" in str(caught.value)
    one = both.model_copy(update={"serial": "B2"})
    with pytest.raises(DeviceNotFound, match="there is no /dev/hidraw1"):
        HidStop("stop", one, CLOCK, tmp_path).open(NOW)


def test_one_that_goes_while_it_is_opened_is_let_go_of(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unplugged(*_: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    parameters = HidParameters(path=str(pipe.path), report_bytes=2, byte=1)
    stop = HidStop("stop", parameters, CLOCK)
    with monkeypatch.context() as patched:
        patched.setattr("drivers.estop.hid.fcntl.ioctl", unplugged)
        with none_left(), pytest.raises(LinkLost, match="is gone: No such device"):
            stop.open(NOW)
    stop.open(NOW)
    pipe.report(7, 0)
    assert not stop.pressed(NOW)
    stop.close()
