"""The driver on the emulated phone, whose agent runs networks."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from phone_bench import AGENT, CLOCK, SERIAL, Emulated, emulated_phone, opened, soon, terminal

from drivers.android.device import AndroidTerminal, build
from drivers.android.server import AdbServer
from drivers.transport.link import Link
from hil.clock import NS_PER_MS, VirtualClock
from hil.contracts import (
    BenchContext,
    ClockSource,
    DeviceSpec,
    ModelImage,
    OverlappedInference,
    Rescue,
    WireTimes,
)
from hil.errors import (
    BadInput,
    DeadlineMissed,
    DeviceFault,
    DeviceNotFound,
    HarnessError,
    LinkLost,
    RigError,
)
from sim.emulated.android.faults import Faults

DOUBLE_ONNX = bytes.fromhex(
    "08093a4c0a0e0a01780a016b12017922034d756c1201672a0d0801100122040000004042016b5a130a01781"
    "20e0a0c080112080a0208010a02080362130a0179120e0a0c080112080a0208010a02080342040a001011"
)
"""Opset 17: y = 2 x, both float32 of shape (1, 3)."""

DOUBLE = ModelImage("double", DOUBLE_ONNX, hashlib.sha256(DOUBLE_ONNX).hexdigest())
INPUT = {"x": np.array([[1, 2, 3]], np.float32)}


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
def phone(emulated: Emulated) -> Iterator[AndroidTerminal]:
    with opened(emulated.address) as device:
        yield device


def infer_until_lost(phone: AndroidTerminal) -> None:
    deadline = soon()
    while not deadline.expired:
        phone.infer(INPUT, deadline)


def test_inference_on_the_phone(phone: AndroidTerminal) -> None:
    phone.load(DOUBLE, soon())
    result = phone.infer(INPUT, soon())
    np.testing.assert_array_equal(result.outputs["y"], [[2, 4, 6]])
    stamps = result.stamps
    assert 0 <= stamps.received_ns <= stamps.start_ns <= stamps.end_ns <= stamps.sent_ns
    phone.ping(soon())
    ticket = phone.submit(INPUT, soon())
    found = phone.collect(soon())
    assert found is not None
    assert found[0] == ticket


def test_time_over_adb_is_marked_as_none_of_the_phones(emulated: Emulated) -> None:
    whole = {"serial": SERIAL, "agent": AGENT}
    spec = DeviceSpec("phone", "android", emulated.address, whole, Path())
    phone = build(spec, BenchContext(CLOCK))
    phone.open(soon())
    assert isinstance(phone, OverlappedInference)
    assert isinstance(phone, Rescue)
    assert not isinstance(phone, ClockSource)
    assert not isinstance(phone, WireTimes)
    assert isinstance(spec.control.link, Link)
    assert "network" in spec.control.link.untimed
    assert "functional only" in str(phone.identity(soon()).detail["timing"])
    assert any(one.name == "timing" for one in phone.health(soon()))
    phone.close()


def test_identity(phone: AndroidTerminal) -> None:
    identity = phone.identity(soon())
    assert identity.model == "Testbed Emulated Phone"
    assert identity.serial == SERIAL
    assert identity.firmware.startswith("testbed/emulated:14")
    assert identity.detail["soc"] == "EMU-1"
    assert identity.detail["adb_serial"] == SERIAL


def test_health(emulated: Emulated, phone: AndroidTerminal) -> None:
    assert [one for one in phone.health(soon()) if not one.ok] == []
    emulated.control(battery_percent=10, battery_c=45, thermal_status=4, doze="IDLE")
    bad = {one.name for one in phone.health(soon()) if not one.ok}
    assert bad == {"battery", "battery temperature", "thermal status", "doze"}
    emulated.control(mute=["thermalservice", "power"])
    bad = {one.name for one in phone.health(soon()) if not one.ok}
    assert {"thermal status", "screen"} <= bad
    emulated.control(state="unauthorized")
    found = phone.health(soon())
    assert [one.ok for one in found] == [False]
    assert "unlock" in found[0].remedy


def test_safe_state_is_read_back(emulated: Emulated, phone: AndroidTerminal) -> None:
    assert emulated.status()["agent_pid"] is not None
    assert len(emulated.status()["forwards"]) == 1
    for _ in range(2):
        proof = phone.make_safe(soon())
        assert proof.safe
        assert proof.readings == {"agent": "stopped", "forwards": 0}
    assert emulated.status()["agent_pid"] is None
    assert emulated.status()["forwards"] == {}
    phone.close()
    phone.open(soon())
    phone.load(DOUBLE, soon())


def test_an_agent_that_does_not_stop_is_not_safe(
    emulated: Emulated, phone: AndroidTerminal
) -> None:
    emulated.control(agent="stays")
    proof = phone.make_safe(soon(0.5))
    assert not proof.safe
    assert "does not stop" in str(proof.readings["error"])


def test_a_phone_that_is_gone_is_not_safe(emulated: Emulated, phone: AndroidTerminal) -> None:
    emulated.control(state="absent")
    proof = phone.make_safe(soon(2))
    assert not proof.safe
    assert "absent" in str(proof.readings["error"])


def test_an_answer_that_says_neither_is_not_safe(
    emulated: Emulated, phone: AndroidTerminal
) -> None:
    emulated.control(shell={"pidof org.hil.agent": [127, "", "pidof: not found"]})
    proof = phone.make_safe(soon(2))
    assert not proof.safe
    assert "cannot tell whether the agent runs" in str(proof.readings["error"])


def test_the_forward_goes_with_the_device(emulated: Emulated) -> None:
    with opened(emulated.address):
        assert len(emulated.status()["forwards"]) == 1
    assert emulated.status()["forwards"] == {}


def test_a_forward_left_behind_is_removed(emulated: Emulated) -> None:
    stale = AdbServer(emulated.address).forward(SERIAL, "localabstract:hil-agent", soon())
    with opened(emulated.address):
        assert str(stale) not in emulated.status()["forwards"]


def test_vanishes_in_the_middle_of_an_inference(emulated: Emulated, phone: AndroidTerminal) -> None:
    phone.load(DOUBLE, soon())
    emulated.control(vanish_after=300)
    with pytest.raises(LinkLost, match=r"is absent.*an inference"):
        infer_until_lost(phone)
    emulated.control(state="device")
    phone.open(soon())
    phone.load(DOUBLE, soon())
    phone.infer(INPUT, soon())


def test_goes_offline_in_the_middle_of_a_load(emulated: Emulated, phone: AndroidTerminal) -> None:
    emulated.control(vanish_after=40)
    with pytest.raises(LinkLost, match="it went during a load"):
        phone.load(DOUBLE, soon())


def test_an_agent_that_dies_on_a_phone_that_lives(
    emulated: Emulated, phone: AndroidTerminal
) -> None:
    phone.load(DOUBLE, soon())
    os.kill(emulated.status()["agent_pid"], signal.SIGKILL)
    with pytest.raises((LinkLost, DeadlineMissed)):
        phone.infer(INPUT, soon(3))


def test_an_agent_that_does_not_start(emulated: Emulated) -> None:
    emulated.control(agent="fail")
    with pytest.raises(DeviceFault, match="does not start: Error: Requires permission"):
        terminal(emulated.address).open(soon())


def test_an_agent_that_never_serves(emulated: Emulated) -> None:
    emulated.control(agent="deaf")
    with pytest.raises(DeadlineMissed, match="does not serve on localabstract:hil-agent"):
        terminal(emulated.address).open(soon(1.0))
    assert emulated.status()["forwards"] == {}
    assert emulated.status()["agent_pid"] is None


def test_files_are_put_there_once(emulated: Emulated, tmp_path: Path) -> None:
    (tmp_path / "agent.bin").write_bytes(b"binary")
    remote = "/data/local/tmp/agent"
    files = [{"local": "agent.bin", "remote": remote, "mode": 0o755}]
    device = terminal(emulated.address, tmp_path, agent={**AGENT, "files": files})
    device.open(soon())
    assert emulated.status()["files"][remote] == 6
    device.close()
    emulated.control(full=True)  # a second push would be refused
    device.open(soon())
    device.close()
    (tmp_path / "agent.bin").write_bytes(b"another")
    with pytest.raises(DeviceFault, match="No space left"):
        device.open(soon())
    (tmp_path / "agent.bin").unlink()
    with pytest.raises(BadInput, match="No such file"):
        device.open(soon())


def test_a_second_owner_is_refused_and_does_no_harm(
    emulated: Emulated, phone: AndroidTerminal
) -> None:
    other = terminal(emulated.address)
    with pytest.raises(RigError, match="in use by this process"):
        other.open(soon())
    assert other.make_safe(soon()).state == "not open"
    with pytest.raises(RigError, match="in use"):
        other.rescue(soon())
    other.close()
    phone.load(DOUBLE, soon())  # still served


OWNER = """
import sys
from phone_bench import opened
with opened(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_rescue_of_a_phone_whose_owner_was_killed(emulated: Emulated) -> None:
    command = [sys.executable, "-c", OWNER, emulated.address]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        rescuer = terminal(emulated.address)
        with pytest.raises(RigError, match=f"pid {owner.pid}"):
            rescuer.rescue(soon())
        owner.kill()
        owner.wait(10)
    assert emulated.status()["agent_pid"] is not None
    proof = rescuer.rescue(soon())
    assert proof.safe
    assert emulated.status()["forwards"] == {}
    assert emulated.status()["agent_pid"] is None


def test_an_absent_phone_cannot_be_opened(emulated: Emulated) -> None:
    emulated.control(state="absent")
    with pytest.raises(DeviceNotFound, match="absent"):
        terminal(emulated.address).open(soon())


def test_a_stalled_server_cannot_be_opened_and_holds_up_no_close(
    emulated: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.android.device._CLOSE_NS", 100 * NS_PER_MS)
    device = terminal(emulated.address)
    device.open(soon())
    emulated.control(stall=True)
    with pytest.raises(DeadlineMissed):
        device.open(soon(0.3))
    device.close()


def test_an_old_android_is_refused() -> None:
    with emulated_phone(sdk=23) as old, pytest.raises(BadInput, match="Android 7"):
        terminal(old.address).open(soon())


def test_delay_shows_in_the_phones_own_stamps() -> None:
    with emulated_phone(agent_delay_ms=40.0) as slow, opened(slow.address) as device:
        device.load(DOUBLE, soon())
        stamps = device.infer(INPUT, soon()).stamps
    assert stamps.end_ns - stamps.start_ns >= 40e6


def test_parameters_and_clock() -> None:
    usual = "socket://127.0.0.1:5037"
    with pytest.raises(BadInput, match="serial"):
        terminal(usual, serial="two words")
    with pytest.raises(BadInput, match="running"):
        terminal(usual, agent={"start": "a", "stop": "b"})
    with pytest.raises(BadInput, match="needs a port") as refused:
        terminal("")
    assert usual in refused.value.remedy
    with pytest.raises(BadInput, match="another host"):
        terminal("socket://192.0.2.1:5037")
    spec = DeviceSpec("p", "android", usual, {"serial": SERIAL, "agent": AGENT}, Path())
    with pytest.raises(BadInput, match="wall clock"):
        build(spec, BenchContext(VirtualClock()))


def test_before_it_is_opened() -> None:
    device = terminal("socket://127.0.0.1:1")
    device.close()
    assert device.counters() == {"reconnects": 0, "agent_waits": 0}
    assert [one.ok for one in device.health(soon())] == [False]
    for call in (lambda: device.load(DOUBLE, soon()), lambda: device.infer(INPUT, soon())):
        with pytest.raises(HarnessError, match="not open"):
            call()
    assert not device.make_safe(soon()).safe
