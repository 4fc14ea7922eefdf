"""Starting and ending a twin: options, children that fail, parents that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.feetech.arm import build as build_arm
from drivers.terminal.device import build as build_terminal
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
from hil.errors import BadInput, CapabilityMissing, LinkLost, RigError
from rigs.schema import Twin
from sim.twin import launch
from sim.twin.child import Child
from sim.twin.config import parse_twin
from sim.twin.scene import build as build_scene

Within = Callable[[float], Deadline]
BUS = {"emulator": "sts3215-bus", "joints": "so101"}
SCENE = {"emulator": "scene"}

PARENT = """
import sys, time
from pathlib import Path
from hil.clock import Deadline, WallClock
from rigs.schema import Twin
from sim.twin.launch import start
twin = Twin.model_validate({"plant": "so101", "ports": {"scene": {"emulator": "scene"}}})
running = start(twin, Path(), Deadline.after_s(WallClock(), 30))
print(running.describe()["processes"][0]["pid"], running.ports["scene"], flush=True)
time.sleep(600)
"""


def twin(plant: str = "so101", **ports: dict[str, Any]) -> Twin:
    return Twin.model_validate({"plant": plant, "ports": ports})


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ended(running: launch.ProcessTwin, seconds: float = 10.0) -> bool:
    """Whether a process of the twin has ended, threads and all, in time."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        processes = running.describe()["processes"]
        assert isinstance(processes, list)
        if not all(process["running"] for process in processes):
            return True
        time.sleep(0.02)
    return False


def gone(pid: int, seconds: float = 10.0) -> bool:
    give_up = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < give_up:
        time.sleep(0.02)
    return not alive(pid)


def pids(running: launch.ProcessTwin) -> list[int]:
    processes = running.describe()["processes"]
    assert isinstance(processes, list)
    return [process["pid"] for process in processes]


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        ({"bus": {**BUS, "parity": "even"}}, "twin.ports.bus.parity: unknown key"),
        ({"bus": {**BUS, "baud": 9600}}, "twin.ports.bus.baud"),
        ({"bus": {"emulator": "sts3215-bus"}}, "twin.ports.bus.joints"),
        ({"scene": {**SCENE, "light": 3}}, "twin.ports.scene.light: unknown key"),
        ({"t": {"emulator": "agent", "delay_ms": -1}}, "twin.ports.t.delay_ms"),
        ({"a": SCENE, "b": SCENE}, "more than once: a, b"),
    ],
)
def test_options_are_checked_before_anything_starts(
    ports: dict[str, dict[str, Any]], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        parse_twin(twin(**ports), Path())


def test_an_unknown_option_is_told_the_known_ones() -> None:
    with pytest.raises(BadInput) as caught:
        parse_twin(twin(bus={**BUS, "parity": "even"}), Path())
    assert "baud, joints, supply_v" in str(caught.value)


def test_an_unknown_emulator_is_told_the_known_ones_and_how_one_is_added() -> None:
    with pytest.raises(BadInput) as caught:
        parse_twin(twin(bus={"emulator": "sts9999-bus"}), Path())
    assert "twin.ports.bus: no emulator is called 'sts9999-bus'" in caught.value.message
    for known in ("sts3215-bus", "agent", "estop-box", "scene"):
        assert known in caught.value.remedy
    assert "entry point of group 'hil.emulators'" in caught.value.remedy


def test_two_buses_cannot_drive_one_arm(within: Within) -> None:
    with pytest.raises(RigError) as caught:
        launch.start(twin(a=BUS, b=BUS), Path(), within(30))
    assert "twin.ports.a and twin.ports.b both drive joint" in caught.value.remedy


def test_motors_without_a_plant_are_refused(within: Within) -> None:
    without = Twin.model_validate({"ports": {"bus": BUS}})
    with pytest.raises(RigError) as caught:
        launch.start(without, Path(), within(30))
    assert "twin.ports.bus: moves joints, and the twin has no plant" in caught.value.remedy


def test_an_arm_whose_robot_is_not_modelled_moves(clock: WallClock, within: Within) -> None:
    """The real driver on emulated servos that turn independent joints."""
    with launch.start(twin(plant="axes", bus=BUS, scene=SCENE), Path(), within(30)) as running:
        parameters = {"model": "so101"}
        spec = DeviceSpec("arm", "feetech-arm", running.ports["bus"], parameters, Path())
        arm = build_arm(spec, BenchContext(clock))
        arm.open(within(5))
        arm.enable(within(5))
        target = arm.command(np.linspace(0.1, 0.3, 6), within(1))
        patience = within(10)
        while np.nanmax(np.abs(arm.read(within(1)).position - target)) > 0.01:
            assert not patience.expired
        assert arm.make_safe(within(5)).safe
        arm.close()


def test_with_programs_alone_no_host_process_is_needed() -> None:
    config = parse_twin(twin(t={"emulator": "agent", "delay_ms": 2.5}), Path())
    assert config.host is None
    (program,) = config.programs
    assert (program.name, program.emulator) == ("t", "agent")
    assert "2.5" in program.command


def test_a_twin_starts_describes_itself_and_stops(within: Within) -> None:
    running = launch.start(twin(**{"servo-bus": BUS, "scene": SCENE}), Path(), within(30))
    with running:
        assert set(running.ports) == {"servo-bus", "scene"}
        running.check()
        (pid,) = pids(running)
        socket_path = Path(running.ports["scene"])
        assert socket_path.is_socket()
    assert gone(pid)
    assert not socket_path.parent.exists()
    running.stop()


def test_a_host_killed_under_way_is_a_lost_link_and_an_unsafe_proof(
    clock: WallClock, within: Within
) -> None:
    with launch.start(twin(scene=SCENE), Path(), within(30)) as running:
        spec = DeviceSpec("scene", "plant-scene", running.ports["scene"], {}, Path())
        scene = build_scene(spec, BenchContext(clock))
        scene.open(within(5))
        (pid,) = pids(running)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(LinkLost):
            scene.witness(within(5))
        proof = scene.make_safe(within(1))
        assert (proof.safe, proof.state) == (False, "unknown")
        assert [finding.ok for finding in scene.health(within(1))] == [False]
        scene.close()
        assert ended(running)
        with pytest.raises(RigError, match=r"host .* has ended"):
            running.check()
        folder = Path(running.ports["scene"]).parent
    assert not folder.exists()


def test_a_twin_without_servos_has_none_to_spoil(clock: WallClock, within: Within) -> None:
    with launch.start(twin(scene=SCENE), Path(), within(30)) as running:
        spec = DeviceSpec("scene", "plant-scene", running.ports["scene"], {}, Path())
        scene = build_scene(spec, BenchContext(clock))
        scene.open(within(5))
        with pytest.raises(CapabilityMissing, match="no servo bus"):
            scene.fault(within(5), silent=[1])
        scene.close()


def test_an_unknown_plant_fails_with_the_words_of_the_process(within: Within) -> None:
    with pytest.raises(RigError) as caught:
        launch.start(twin(plant="trampoline", scene=SCENE), Path(), within(30))
    assert "exit code 2" in caught.value.message
    assert "no plant is called 'trampoline'" in caught.value.remedy


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import time; time.sleep(60)", "in time"),
        ("print('hello')", "in place of its ports"),
        ("print([1])", "in place of its ports"),
        ("raise SystemExit('no luck')", "exit code 1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "signal 6"),
    ],
)
def test_a_child_that_does_not_say_where_it_is(within: Within, program: str, message: str) -> None:
    child = Child("odd", [sys.executable, "-c", program])
    try:
        with pytest.raises(RigError, match=message):
            child.announcement(within(0.4 if "sleep" in program else 10))
    finally:
        child.kill()
        assert child.ended_by(within(10))
        child.release()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="cannot be started"):
        Child("missing", [str(tmp_path / "nothing")])


def test_a_child_that_ignores_everything_is_killed(
    within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "STOP_S", 0.2)
    stubborn = (
        "import json, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(json.dumps({'ports': {'scene': 'x'}}), flush=True); time.sleep(60)"
    )
    monkeypatch.setattr(launch, "host_command", lambda _: [sys.executable, "-c", stubborn])
    running = launch.start(twin(scene=SCENE), Path(), within(30))
    (pid,) = pids(running)
    running.stop()
    assert gone(pid)


def test_killing_the_parent_ends_the_twin() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert parent.stdout is not None
        pid, _, path = parent.stdout.readline().strip().partition(" ")
        assert alive(int(pid))
        parent.kill()
        assert gone(int(pid))
        assert not Path(path).parent.exists()
    finally:
        parent.kill()
        parent.wait(10)
        if parent.stdout is not None:
            parent.stdout.close()


def test_interrupt_is_left_to_the_parent_and_terminate_ends(within: Within) -> None:
    with launch.start(twin(scene=SCENE), Path(), within(30)) as running:
        (pid,) = pids(running)
        os.kill(pid, signal.SIGINT)
        time.sleep(0.1)
        running.check()
        os.kill(pid, signal.SIGTERM)
        assert gone(pid)


def test_an_agent_is_started_beside_the_host(clock: WallClock, within: Within) -> None:
    ports = {"terminal": {"emulator": "agent", "delay_ms": 0.0}, "scene": SCENE}
    with launch.start(twin(**ports), Path(), within(30)) as running:
        assert set(running.ports) == {"terminal", "scene"}
        spec = DeviceSpec("terminal", "terminal-agent", running.ports["terminal"], {}, Path())
        terminal = build_terminal(spec, BenchContext(clock))
        terminal.open(within(10))
        terminal.ping(within(5))
        terminal.close()
        children = pids(running)
    assert len(children) == 2
    assert all(gone(pid) for pid in children)
