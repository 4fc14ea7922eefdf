"""Independent implementations: adb itself and adbutils, on both ends of the protocol.

adbutils brings the adb program of Google's platform tools; it is client of the emulated server
here, and server of the driver, with the emulated phone behind it through its daemon's protocol.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import adbutils
import numpy as np
import pytest
from adbutils._utils import adb_path
from phone_bench import CLOCK, SERIAL, Emulated, emulated_phone, opened, soon
from test_android_device import DOUBLE, INPUT

from drivers.android.phone import Phone, Ran
from drivers.android.server import AdbServer
from hil.errors import HilError, LinkLost
from sim.emulated.adb import AdbOptions

PATH = "/data/local/tmp/file"


@pytest.fixture(scope="module")
def served() -> Iterator[Emulated]:
    with emulated_phone() as running:
        yield running


@pytest.fixture
def emulated(served: Emulated) -> Iterator[Emulated]:
    yield served
    served.control(state="device")


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def adb(emulated: Emulated, tmp_path: Path) -> Run:
    """The adb program as client of the emulated server."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [adb_path(), "-P", str(emulated.port), *arguments]
        environment = {**os.environ, "HOME": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)

    return run


def test_adb_sees_the_emulated_phone(emulated: Emulated, adb: Run) -> None:
    assert f"{SERIAL}\tdevice" in adb("devices").stdout
    assert "model:Emulated_Phone" in adb("devices", "-l").stdout
    ran = adb("-s", SERIAL, "shell", "getprop ro.product.model; nix")
    assert (ran.returncode, ran.stdout) == (127, "Emulated Phone\n")
    emulated.control(state="unauthorized")
    assert "unauthorized" in adb("shell", "ls").stderr
    assert adb("get-state").stdout == "unauthorized\n"
    emulated.control(state="absent")
    assert "not found" in adb("-s", SERIAL, "get-state").stderr


def test_adb_pushes_and_pulls(emulated: Emulated, adb: Run, tmp_path: Path) -> None:
    content = os.urandom(200_000)
    (tmp_path / "there").write_bytes(content)
    assert adb("push", str(tmp_path / "there"), PATH).returncode == 0
    digest = hashlib.sha256(content).hexdigest()
    assert adb("shell", "sha256sum", PATH).stdout.startswith(digest)
    assert adb("pull", PATH, str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_bytes() == content


def test_adb_forwards_reconnects_and_reboots(emulated: Emulated, adb: Run) -> None:
    port = adb("forward", "tcp:0", "tcp:9").stdout.strip()
    assert f"{SERIAL} tcp:{port} tcp:9" in adb("forward", "--list").stdout
    assert adb("forward", "--remove", f"tcp:{port}").returncode == 0
    assert adb("forward", "--list").stdout.strip() == ""
    assert "reconnecting" in adb("reconnect").stdout
    assert adb("reboot").returncode == 0
    assert adb("wait-for-disconnect").returncode == 0
    assert adb("wait-for-device").returncode == 0


def test_adbutils_on_the_emulated_server(emulated: Emulated) -> None:
    client = adbutils.AdbClient("127.0.0.1", emulated.port, socket_timeout=30)
    assert client.server_version() == 41
    assert [(one.serial, one.state) for one in client.list()] == [(SERIAL, "device")]
    device = client.device(SERIAL)
    assert device.shell("getprop ro.soc.model") == "EMU-1"
    ran = device.shell2("echo out; nix", v2=True)
    assert (ran.returncode, ran.stdout.strip()) == (127, "out")
    content = os.urandom(70_000)
    assert device.sync.push(io.BytesIO(content), PATH, check=True) == len(content)
    assert device.sync.read_bytes(PATH) == content
    port = device.forward_port("tcp:9")
    assert [(one.local, one.remote) for one in device.forward_list()] == [(f"tcp:{port}", "tcp:9")]


class RealServer:
    """adb's own server with daemons of the emulated phone."""

    def __init__(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.processes: list[subprocess.Popen[bytes]] = [
            subprocess.Popen(
                [adb_path(), "-P", str(port), "nodaemon", "server"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # neither the network nor USB is searched: it would wait 3 s for what is there
                env={**os.environ, "HOME": str(home), "ADB_MDNS": "0", "ADB_USB": "0"},
            )
        ]
        self.client = AdbServer(f"socket://127.0.0.1:{port}")
        self.address = f"socket://127.0.0.1:{port}"
        self._await()

    def plug_in(self, state: str = "device") -> str:
        """Start a daemon and have the server connect to it; its serial number."""
        command = [sys.executable, str(Path(__file__).with_name("adbd.py"))]
        options = AdbOptions.model_validate({}).model_dump_json()
        daemon = subprocess.Popen(
            [*command, options, state], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.processes.append(daemon)
        assert daemon.stdout is not None
        serial = f"127.0.0.1:{json.loads(daemon.stdout.readline())['port']}"
        answers = state != "offline"
        try:
            self.client._asked(f"host:connect:{serial}", soon(5 if answers else 0.5))
        except HilError:  # the server waits for the phone itself
            assert not answers
        return serial

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait(10)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def _await(self) -> None:
        deadline = soon()
        while True:
            try:
                self.client.version(deadline)
            except LinkLost:
                if deadline.expired or self.processes[0].poll() is not None:
                    raise
                time.sleep(0.1)  # it says nowhere that it has begun to listen
            else:
                return


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    server = RealServer(tmp_path_factory.mktemp("home"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def serial(real: RealServer) -> str:
    return real.plug_in()


def test_the_drivers_client_on_adbs_own_server(real: RealServer, serial: str) -> None:
    phone = Phone(real.client, serial, CLOCK)
    phone.ready(soon())
    assert phone.shell("echo out; nix", soon()) == Ran(
        127, "out\n", "/system/bin/sh: nix: inaccessible or not found\n"
    )
    content = os.urandom(1_500_000)
    digest = hashlib.sha256(content).hexdigest()
    assert phone.push(content, PATH, 0o644, soon()) == digest
    assert phone.pull(PATH, soon()) == content
    port = real.client.forward(serial, "tcp:9", soon())
    assert [one.local for one in real.client.forwards(soon())] == [f"tcp:{port}"]
    real.client.unforward(serial, port, soon())
    assert real.client.forwards(soon()) == []


def test_the_driver_infers_through_adbs_own_server(real: RealServer, serial: str) -> None:
    with opened(real.address, serial=serial) as device:
        device.load(DOUBLE, soon())
        result = device.infer(INPUT, soon())
        np.testing.assert_array_equal(result.outputs["y"], [[2, 4, 6]])
        assert [one.name for one in device.health(soon()) if not one.ok] == []
        assert device.make_safe(soon()).safe
    assert real.client.forwards(soon()) == []


def test_states_in_the_words_of_adbs_own_server(real: RealServer) -> None:
    words: dict[str, Any] = {
        "unauthorized": "unauthorized|authorizing",
        "offline": "offline|absent",
    }
    for state, expected in words.items():
        phone = Phone(real.client, real.plug_in(state), CLOCK)
        with pytest.raises(HilError, match=expected):
            phone.ready(soon(1))
    with pytest.raises(HilError, match="absent"):
        Phone(real.client, "NOBODY", CLOCK).ready(soon())


def test_a_phone_that_goes_in_the_middle(real: RealServer) -> None:
    serial = real.plug_in()
    with opened(real.address, serial=serial) as device:
        device.load(DOUBLE, soon())
        real.processes[-1].kill()
        with pytest.raises(LinkLost, match=serial):
            _infer_on(device)


def _infer_on(device: Any) -> None:
    deadline = soon()
    while not deadline.expired:
        device.infer(INPUT, deadline)
