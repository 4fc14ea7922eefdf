"""`hil twin RIG` prints ports that any other program can open, and ends with it on Ctrl-C."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import adbutils
import pytest
import serial

from hil.catalogue import load_rig, rig_files

TWINS = [name for name in rig_files() if load_rig(name)[0].kind == "twin"]
PATIENCE_S = 60
WITHIN_S = 10


@dataclass(frozen=True)
class Served:
    """What `hil twin` has printed, and the process itself."""

    ports: Mapping[str, str]
    pids: tuple[int, ...]
    process: subprocess.Popen[str]


@contextmanager
def served(rig: str, environment: Mapping[str, str]) -> Iterator[Served]:
    """A running twin; ended by SIGINT as a person would, which has to end it with code 0."""
    command = [sys.executable, "-P", "-m", "hil.cli.main", "twin", rig]
    process = subprocess.Popen(
        command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], PATIENCE_S)[0], "it prints nothing"
        told = json.loads(process.stdout.readline())
        assert told["rig"] == rig
        yield Served(told["ports"], tuple(one["pid"] for one in told["processes"]), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()


def kind_of(address: str) -> str:
    """The scheme of a URL, "scene" for the twin's own socket, "pty" for a device path."""
    scheme = urlsplit(address).scheme
    if scheme:
        return scheme
    return "scene" if Path(address).is_socket() else "pty"


def open_pty(address: str) -> None:
    serial.Serial(address, 115_200, timeout=WITHIN_S).close()


def open_http(address: str) -> None:
    with urlopen(address, timeout=WITHIN_S) as answer:
        assert answer.status == 200


def open_socket(address: str) -> None:
    place = urlsplit(address)
    socket.create_connection((place.hostname, place.port), WITHIN_S).close()


def open_scene(address: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(WITHIN_S)
        client.connect(address)


OPEN = {"pty": open_pty, "http": open_http, "socket": open_socket, "scene": open_scene}


@pytest.mark.parametrize("rig", TWINS)
def test_every_port_of_a_twin_can_be_opened_until_it_ends(
    rig: str, environment: Mapping[str, str]
) -> None:
    with served(rig, environment) as twin:
        assert set(twin.ports) == set(load_rig(rig)[0].twin.ports)  # type: ignore[union-attr]
        for address in twin.ports.values():
            OPEN[kind_of(address)](address)
        left = {name: kind_of(address) for name, address in twin.ports.items()}
    for pid in twin.pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    for name, address in twin.ports.items():
        if left[name] in ("pty", "scene"):
            assert not Path(address).exists()
        else:
            with pytest.raises(OSError, match="refused"):
                OPEN[left[name]](address)


def test_a_device_path_speaks_to_pyserial(environment: Mapping[str, str]) -> None:
    with (
        served("twin-mlperf-tiny", environment) as twin,
        serial.Serial(twin.ports["board"], 115_200, timeout=WITHIN_S) as port,
    ):
        port.write(b"name%")
        heard = port.read_until(b"]\r\n")  # behind what it said when it was switched on
        assert port.read_until(b"m-ready\r\n").endswith(b"m-ready\r\n")
    assert b"m-name-dut-[emulated]" in heard


def test_an_http_address_gives_jpegs_to_any_browser(environment: Mapping[str, str]) -> None:
    with (
        served("twin-camera", environment) as twin,
        urlopen(twin.ports["camera"], timeout=WITHIN_S) as stream,
    ):
        assert "multipart/x-mixed-replace" in stream.headers["Content-Type"]
        assert stream.readline().startswith(b"--")
        while stream.readline().strip():
            pass  # the part's own headers
        assert stream.read(2) == b"\xff\xd8", "a JPEG begins"


def test_a_socket_address_is_an_adb_server_to_adbutils(environment: Mapping[str, str]) -> None:
    with served("twin-android-phone", environment) as twin:
        place = urlsplit(twin.ports["adb"])
        client = adbutils.AdbClient(host=place.hostname, port=place.port, socket_timeout=WITHIN_S)
        (phone,) = client.device_list()
        assert phone.serial == "EMULATED0001"
        assert phone.shell("getprop ro.product.model") == "Emulated Phone"
