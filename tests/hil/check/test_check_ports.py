"""Where a port is, who may use it, how long its adapter holds bytes back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from check_fakes import bad, named

from hil.check.model import State
from hil.check.ports import check_port, usb_place
from rigs.rights import udev_rules
from rigs.schema import Port

FTDI = Port(usb_serial="FT1", interface=0)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> str:
    """A character device that everybody may use, unless a test takes the right away."""
    return os.devnull


def test_a_usb_port_says_where_it_is_plugged_in(tmp_path: Path) -> None:
    place = tmp_path / "devices/pci0/usb1/1-1/1-1.2/1-1.2:1.0/ttyUSB0"
    place.mkdir(parents=True)
    tty = tmp_path / "sys/class/tty/ttyUSB0"
    tty.mkdir(parents=True)
    (tty / "device").symlink_to(place)
    assert usb_place("/dev/ttyUSB0", tmp_path) == "1-1.2:1.0"
    assert usb_place("/dev/ttyS0", tmp_path) == ""
    found = list(check_port(FTDI, "arm", "/dev/ttyUSB0", None, 1, tmp_path))
    port = named(found, "port")
    assert "usb_serial 'FT1', interface 0 is /dev/ttyUSB0, plugged in at 1-1.2:1.0" in port.detail


def test_who_may_use_it_is_said(device: str) -> None:
    found = named(check_port(FTDI, "arm", device, None, 1), "rights")
    assert found.state is State.OK
    assert found.detail == "you may read and write it (crw-rw-rw- root:root)"


def test_a_missing_right_names_the_user_and_the_rule_that_grants_it(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != device)
    found = list(check_port(FTDI, "arm", device, None, 1))
    assert bad(found) == ["rights"]
    rights = named(found, "rights")
    assert f"may not read and write {device}" in rights.detail
    assert str(udev_rules()) in rights.remedy
    assert "udevadm" in rights.remedy


@pytest.mark.parametrize(("timer_ms", "state"), [(1, State.OK), (2, State.OK), (16, State.BAD)])
def test_the_latency_timer_is_held_against_the_rig_s_limit(
    device: str, timer_ms: int, state: State
) -> None:
    found = named(check_port(FTDI, "arm", device, timer_ms, 2), "latency timer")
    assert found.state is state
    assert found.detail == f"{timer_ms} ms, limit 2 ms"
    if state is State.BAD:
        assert "echo 2 | sudo tee /sys/bus/usb-serial/devices/null/latency_timer" in found.remedy


def test_a_port_behind_a_network_can_certify_no_time() -> None:
    url = "rfc2217://lab:4001"
    found = list(check_port(Port(url=url), "arm", url, None, 1))
    assert named(found, "time").state is State.NOTE
    assert "network" in named(found, "time").detail
    assert not bad(found)
    assert "rights" not in [result.name for result in found]


def test_users_and_groups_without_a_name_are_told_by_number(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("grp.getgrgid", unknown)
    assert "0:0" in named(check_port(FTDI, "arm", device, None, 1), "rights").detail
