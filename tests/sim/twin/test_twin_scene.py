"""Scene link of a running twin: arrange, track, witness, picture, status, faults."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hosting import Shaft, connect, served

from drivers.transport.posix import open_serial
from hil import plugins
from hil.clock import Deadline, VirtualClock, WallClock
from hil.contracts import BenchContext, DeviceSpec, Scene
from hil.errors import BadInput, DeadlineMissed, LinkLost
from sim.twin.launch import ProcessTwin
from sim.twin.scene import PlantScene, build

Within = Callable[[float], Deadline]


def spec(address: str, **parameters: object) -> DeviceSpec:
    return DeviceSpec("scene", "plant-scene", address, parameters, Path())


@pytest.fixture(scope="module")
def draw() -> Mapping[str, object]:
    """One episode of the press-turn task, from its own draw."""
    task = plugins.load(plugins.TASKS, "press-turn")
    drawn: Mapping[str, object] = task.draw(task.Parameters(), np.random.default_rng(5))
    return drawn


def test_it_is_a_scene_that_says_who_it_is(scene: PlantScene, within: Within) -> None:
    assert isinstance(scene, Scene)
    identity = scene.identity(within(5))
    assert identity.model == "plant so101"
    assert identity.detail["step_hz"] == 1000


def test_the_plant_steps_in_pace_with_the_clock(scene: PlantScene, within: Within) -> None:
    before_ns, before = time.monotonic_ns(), scene.status(within(5))
    time.sleep(0.3)
    after_ns, after = time.monotonic_ns(), scene.status(within(5))
    taken = sum(after[name] - before[name] for name in ("steps", "skipped_steps", "stalled_steps"))
    # a busy machine may find the plant a few steps behind, and catching up, at either reading
    assert 250 <= taken <= (after_ns - before_ns) / 1e6 + 50


def test_an_arranged_scene_is_tracked_and_watched(
    scene: PlantScene, within: Within, draw: Mapping[str, object]
) -> None:
    scene.arrange(draw, within(10))
    poses = scene.track(within(5))
    expected = np.asarray(draw["poses"]["switch"], dtype=float)  # type: ignore[index]
    assert poses["switch"].dtype == np.float64
    np.testing.assert_allclose(poses["switch"], expected, atol=0.02)
    witness = scene.witness(within(5))
    assert witness["switch_on"] == 0.0
    assert all(isinstance(value, float) for value in witness.values())


def test_a_scene_that_the_plant_does_not_know_is_refused(scene: PlantScene, within: Within) -> None:
    with pytest.raises(BadInput, match="trampoline"):
        scene.arrange({"elements": [{"kind": "trampoline"}]}, within(5))
    scene.ping(within(5))


def test_a_picture_is_rgb_and_shows_something(
    scene: PlantScene, within: Within, draw: Mapping[str, object]
) -> None:
    scene.arrange(draw, within(10))
    picture = scene.picture(within(10))
    assert picture is not None
    assert picture.dtype == np.uint8
    assert picture.shape == (240, 320, 3)
    assert picture.std() > 5


def test_health_and_proof(scene: PlantScene, within: Within) -> None:
    findings = {finding.name: finding for finding in scene.health(within(5))}
    assert findings["link"].ok
    assert "plant steps" in findings["pace"].detail
    proof = scene.make_safe(within(5))
    assert (proof.safe, proof.state) == (True, "passive")
    assert proof.proved_ns >= proof.started_ns


def test_a_missed_deadline_drops_the_late_answer(scene: PlantScene, within: Within) -> None:
    with pytest.raises(DeadlineMissed, match="picture"):
        scene.picture(within(0.0))
    assert scene.witness(within(10)) is not None
    assert scene.counters()["late_answers"] == 1


@pytest.mark.parametrize("faults", [{"silent": [999]}, {"errors": {1: 99}}])
def test_faults_out_of_range_are_refused(
    scene: PlantScene, within: Within, faults: dict[str, object]
) -> None:
    with pytest.raises(BadInput, match="control of the servo bus"):
        scene.fault(within(5), **faults)  # type: ignore[arg-type]


def test_only_servos_of_the_bus_can_be_switched_off(scene: PlantScene, within: Within) -> None:
    with pytest.raises(BadInput, match="no motor has id 99"):
        scene.power_cycle([1, 99], within(5))


def test_a_client_that_talks_nonsense_is_hung_up_on_and_nobody_else(
    scene: PlantScene, running_twin: ProcessTwin, within: Within
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rude:
        rude.settimeout(5)
        rude.connect(running_twin.ports["scene"])
        rude.sendall(b"\xff\xff\xff\xff")
        assert rude.recv(16) == b""
    scene.ping(within(5))


def test_the_socket_is_for_this_user_only(running_twin: ProcessTwin) -> None:
    folder = Path(running_twin.ports["scene"]).parent
    assert folder.stat().st_mode & 0o777 == 0o700


def test_nobody_at_the_address_is_a_lost_link(
    clock: WallClock, within: Within, tmp_path: Path
) -> None:
    device = build(spec(str(tmp_path / "nobody")), BenchContext(clock))
    with pytest.raises(LinkLost, match="nobody"):
        device.open(within(1))
    device.close()
    device.close()


def test_bad_parameters_are_refused(clock: WallClock) -> None:
    with pytest.raises(BadInput, match="no parameter colour"):
        build(spec("/x", colour="red"), BenchContext(clock))
    with pytest.raises(BadInput, match="needs a port"):
        build(spec(""), BenchContext(clock))
    with pytest.raises(BadInput, match="wall clock"):
        build(spec("/x"), BenchContext(VirtualClock()))


def test_the_port_answers_at_its_own_rate_only(
    scene: PlantScene, running_twin: ProcessTwin, clock: WallClock, within: Within
) -> None:
    before = scene.port_status("servo-bus", within(5))["unheard_bytes"]
    port = open_serial(running_twin.ports["servo-bus"], 115_200, clock)
    try:
        port.write(bytes.fromhex("FF FF 01 02 01 FB"), within(1))
        assert port.read(within(0.1)) == b""
    finally:
        port.close()
    assert scene.port_status("servo-bus", within(5))["unheard_bytes"] == before + 6


class Counting(Shaft):
    """Tells how often it was asked what happened."""

    asked = 0

    def witness(self) -> dict[str, float]:
        self.asked += 1
        return {"asked": float(self.asked)}


def test_what_happened_is_kept_where_nobody_waits_for_the_answer(
    clock: WallClock, within: Within
) -> None:
    plant = Counting()
    with served(plant) as (ports, _, _):
        scene = connect(ports["scene"], clock, within)
        with pytest.raises(DeadlineMissed):
            scene.witness(within(-1.0))
        assert scene.witness(within(10))["asked"] == 1
        scene.close()
