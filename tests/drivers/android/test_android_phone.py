"""One phone: states as outcomes, shell, files, reboot."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator

import pytest
from phone_bench import CLOCK, SERIAL, Emulated, emulated_phone, soon

from drivers.android import phone as phone_module
from drivers.android.phone import Phone, Ran
from drivers.android.server import AdbServer
from hil.errors import (
    BadInput,
    DeadlineMissed,
    DeviceFault,
    DeviceNotFound,
    HilError,
    LinkLost,
    RigError,
)
from sim.emulated.android.faults import Faults

PATH = "/data/local/tmp/file"


@pytest.fixture(scope="module")
def served() -> Iterator[Emulated]:
    with emulated_phone() as running:
        yield running


@pytest.fixture
def emulated(served: Emulated) -> Iterator[Emulated]:
    yield served
    faults = Faults.model_validate({}).model_dump()
    served.control(**{**faults, "mute": []})


@pytest.fixture
def phone(emulated: Emulated) -> Phone:
    return Phone(AdbServer(emulated.address), SERIAL, CLOCK)


@pytest.mark.parametrize(
    ("state", "error", "words", "remedy"),
    [
        ("absent", DeviceNotFound, "does not see it; phones there: none", "USB debugging"),
        ("offline", LinkLost, "does not answer", "adb reconnect"),
        ("unauthorized", RigError, "does not trust", "unlock its screen"),
        ("authorizing", LinkLost, "is being asked", ""),
        ("connecting", LinkLost, "connecting to it", ""),
        ("recovery", RigError, "recovery system", "reboot"),
        ("bootloader", RigError, "boot loader", "fastboot"),
        ("no permissions (user may not open it)", BadInput, "may not open", "udev rule"),
    ],
)
def test_states_are_outcomes(
    emulated: Emulated, phone: Phone, state: str, error: type[HilError], words: str, remedy: str
) -> None:
    emulated.control(state=state)
    deadline = soon(0.4)
    with pytest.raises(error, match=words) as refused:
        phone.ready(deadline)
    assert remedy in refused.value.remedy
    assert SERIAL in refused.value.message


def test_a_phone_of_another_name_is_absent_and_those_there_are_named(emulated: Emulated) -> None:
    other = Phone(AdbServer(emulated.address), "OTHER", CLOCK)
    with pytest.raises(DeviceNotFound, match=rf"{SERIAL} \(device\)"):
        other.ready(soon())


def test_offline_is_asked_to_reconnect_once_in_a_cool_down(
    emulated: Emulated, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = emulated.status()["reconnects"]
    emulated.control(state="offline")
    for _ in range(3):
        with pytest.raises(LinkLost, match="offline"):
            phone.ready(soon(0.3))
    assert emulated.status()["reconnects"] == before + 1
    assert phone.reconnects == 1
    monkeypatch.setattr(phone_module, "COOL_DOWN_S", 0.0)
    emulated.control(reconnect_cures=True)
    phone.ready(soon())
    assert phone.state(soon()) == "device"
    assert phone.reconnects == 2


def test_a_state_that_passes_is_waited_for(emulated: Emulated, phone: Phone) -> None:
    emulated.control(state="authorizing")
    trusted = threading.Timer(0.2, emulated.control, kwargs={"state": "device"})
    trusted.start()
    phone.ready(soon())
    trusted.join()


def test_shell(phone: Phone) -> None:
    assert phone.shell("echo 'a b'; nix", soon()) == Ran(
        127, "a b\n", "/system/bin/sh: nix: inaccessible or not found\n"
    )
    assert phone.properties(soon())["ro.product.model"] == "Emulated Phone"


def test_output_is_bounded(
    emulated: Emulated, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated.control(shell={"yes": [0, "y\n" * 14_000, ""]})
    assert len(phone.shell("yes", soon()).stdout) == 28_000
    monkeypatch.setattr(phone_module, "_OUTPUT_LIMIT", 1000)
    with pytest.raises(DeviceFault, match="says too much"):
        phone.shell("yes", soon())


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_000])
def test_a_file_arrives_whole(emulated: Emulated, phone: Phone, size: int) -> None:
    content = os.urandom(size)
    digest = hashlib.sha256(content).hexdigest()
    assert phone.push(content, PATH, 0o755, soon()) == digest
    assert phone.pull(PATH, soon()) == content
    assert emulated.status()["files"] == {PATH: size}
    emulated.control(sha256sum=False)
    assert phone.digest(PATH, soon()) == digest


def test_files_that_are_not_there(emulated: Emulated, phone: Phone) -> None:
    assert phone.digest("/sdcard/none", soon()) == ""
    assert phone.pull("/sdcard/none", soon()) is None
    emulated.control(sha256sum=False)
    assert phone.digest("/sdcard/none", soon()) == ""


def test_a_file_that_was_spoilt_does_not_get_its_name(emulated: Emulated, phone: Phone) -> None:
    emulated.control(spoil_files=True)
    with pytest.raises(DeviceFault, match="has SHA-256"):
        phone.push(b"content", "/sdcard/spoilt", 0o644, soon())
    assert "/sdcard/spoilt" not in emulated.status()["files"]


@pytest.mark.parametrize(
    ("path", "full", "words"),
    [("/system/x", False, "Permission denied"), ("/sdcard/x", True, "No space left")],
)
def test_a_file_that_is_refused(
    emulated: Emulated, phone: Phone, path: str, full: bool, words: str
) -> None:
    emulated.control(full=full)
    with pytest.raises(DeviceFault, match=words):
        phone.push(bytes(200_000), path, 0o644, soon())


def test_a_comma_cannot_be_pushed(phone: Phone) -> None:
    with pytest.raises(BadInput, match="comma"):
        phone.push(b"x", "/sdcard/a,b", 0o644, soon())


@pytest.mark.parametrize("share", [0, 1, 65_536, 1_000_000, 3_999_999])
def test_a_phone_that_vanishes_in_the_middle_of_a_push(
    emulated: Emulated, phone: Phone, share: int
) -> None:
    emulated.control(vanish_after=share)
    with pytest.raises(LinkLost, match=r"is absent.*the push of") as lost:
        phone.push(bytes(4_000_000), PATH, 0o644, soon())
    assert "plug it in" in lost.value.remedy


def test_a_server_that_stalls_in_the_middle(emulated: Emulated, phone: Phone) -> None:
    emulated.control(stall=True)
    for call in (
        lambda: phone.shell("echo", soon(0.2)),
        lambda: phone.push(b"x", PATH, 0o644, soon(0.2)),
        lambda: phone.ready(soon(0.2)),
    ):
        with pytest.raises(DeadlineMissed):
            call()


def test_a_server_that_takes_no_more_in_the_middle_of_a_push() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                for _ in range(2):  # the phone, and its sync service
                    link.recv(1000)
                    link.sendall(b"OKAY")
                done.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"socket://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(DeadlineMissed, match="bytes in time"):
            Phone(AdbServer(address), SERIAL, CLOCK).push(bytes(1 << 25), PATH, 0o644, soon(0.5))
        done.set()
        thread.join(10)


def test_a_reboot_is_seen_to_begin_and_to_end(emulated: Emulated, phone: Phone) -> None:
    before = emulated.status()["reboots"]
    phone.reboot(soon())
    assert emulated.status()["reboots"] == before + 1
    assert phone.shell("getprop sys.boot_completed", soon()).stdout == "1\n"
    emulated.control(reboot_s=30)
    with pytest.raises(DeadlineMissed):
        phone.reboot(soon(0.5))
    emulated.control(state="device")
