from pathlib import Path

import pytest

from drivers.discovery import Candidate, candidates, resolve
from hil.errors import BadInput, DeviceNotFound
from rigs.schema import Port

LEADER = Candidate(
    "/dev/ttyACM0", 0x1A86, 0x55D3, "5A46", "USB Single Serial", "1-1", None, ("pci-usb-0:1:1.0",)
)
FOLLOWER = Candidate(
    "/dev/ttyACM1", 0x1A86, 0x55D3, "5A46", "USB Single Serial", "1-2", None, ("pci-usb-0:2:1.0",)
)
DUAL = [
    Candidate("/dev/ttyUSB0", 0x0403, 0x6010, "FT1", "Dual", "1-3:1.0", 0),
    Candidate("/dev/ttyUSB1", 0x0403, 0x6010, "FT1", "Dual", "1-3:1.1", 1),
]


def bench() -> list[Candidate]:
    return [LEADER, FOLLOWER, *DUAL]


@pytest.mark.parametrize(
    ("port", "device"),
    [
        (Port(usb_serial="FT1", interface=1), "/dev/ttyUSB1"),
        (Port(by_path="pci-usb-0:2:1.0"), "/dev/ttyACM1"),
        (Port(by_path="/dev/serial/by-path/pci-usb-0:1:1.0"), "/dev/ttyACM0"),
    ],
)
def test_identity_finds_its_port(port: Port, device: str) -> None:
    assert resolve(port, {}, bench) == device


@pytest.mark.parametrize("port", [Port(usb_serial="5A46"), Port(usb_serial="FT1")])
def test_ambiguous_identity_names_every_candidate(port: Port) -> None:
    with pytest.raises(DeviceNotFound, match="2 ports") as caught:
        resolve(port, {}, bench)
    assert all(str(candidate) in str(caught.value) for candidate in bench())
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("port", [Port(usb_serial="none"), Port(by_path="pci-usb-0:9:1.0")])
def test_missing_identity_names_every_candidate(port: Port) -> None:
    with pytest.raises(DeviceNotFound, match="no port") as caught:
        resolve(port, {}, bench)
    text = str(caught.value)
    for part in ("1a86:55d3", "5A46", "USB Single Serial", "1-1", "/dev/ttyUSB1", "interface 1"):
        assert part in text
    with pytest.raises(DeviceNotFound, match="candidates: none"):
        resolve(port, {}, list)


def test_twin_port() -> None:
    assert resolve(Port(twin="arm"), {"arm": "/dev/pts/7"}, bench) == "/dev/pts/7"
    with pytest.raises(DeviceNotFound, match="candidates: arm"):
        resolve(Port(twin="leg"), {"arm": "/dev/pts/7"}, bench)


def test_file_url(tmp_path: Path) -> None:
    there = tmp_path / "pts 5"
    there.touch()
    assert resolve(Port(url=there.as_uri()), {}, bench) == str(there)
    with pytest.raises(DeviceNotFound, match="ttyACM1"):
        resolve(Port(url=(tmp_path / "gone").as_uri()), {}, bench)


@pytest.mark.parametrize(
    "url", ["rfc2217://rig:4000", "socket://10.0.0.7:5025", "loop://", "replay:///tmp/arm.wire"]
)
def test_url_that_is_opened_as_it_is(url: str) -> None:
    assert resolve(Port(url=url), {}, bench) == url


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("rfc2217://rig", "HOST:PORT"),
        ("spy:///dev/ttyUSB0", "file:///dev/..."),
        ("/dev/pts/5", "file:///dev/..."),
        ("file://rig/dev/pts/5", "form file"),
        ("file:///dev/ttyUSB0", "usb_serial"),
        ("file:///dev/ttyACM1", "1a86:55d3"),
    ],
)
def test_url_that_cannot_be_used(url: str, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        resolve(Port(url=url), {}, bench)
    assert part in str(caught.value)


def test_host_can_be_scanned() -> None:
    found = candidates()
    assert found == sorted(found, key=lambda candidate: candidate.device)
    assert all(candidate.device.startswith("/dev/") for candidate in found)


def test_listed_port_becomes_a_candidate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from serial.tools.list_ports_common import ListPortInfo

    device = tmp_path / "ttyUSB7"
    device.touch()
    links = tmp_path / "by-path"
    links.mkdir()
    (links / "pci-0-usb-3").symlink_to(device)
    info = ListPortInfo(str(device))
    info.vid, info.pid, info.serial_number = 0x0403, 0x6014, "FT2"
    info.product, info.location = "Single", "1-1.4:1.2"
    monkeypatch.setattr("drivers.discovery.list_ports.comports", lambda: [info])
    monkeypatch.setattr("drivers.discovery._BY_PATH", links)
    assert candidates() == [
        Candidate(str(device), 0x0403, 0x6014, "FT2", "Single", "1-1.4:1.2", 2, ("pci-0-usb-3",))
    ]
