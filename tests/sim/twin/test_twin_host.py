"""One host for several emulated devices: their ports, their joints, what is done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hosting import Shaft, connect, served
from numpy.typing import NDArray

from drivers.transport.posix import open_serial
from hil.clock import NS_PER_MS, Deadline, VirtualClock, WallClock
from hil.contracts import FloatArray
from hil.errors import BadInput, CapabilityMissing
from sim.twin.bench import Bench, build_plant, mount
from sim.twin.config import HostConfig, HostedPort
from sim.twin.emulator import Body, Drive, Emulator, Scalar
from sim.twin.host import PacedBench, StopFlag, serve
from sim.twin.pacing import Transmission

Within = Callable[[float], Deadline]
BAUD = 115_200
PERIOD_NS = 5_000_000


class Clockwork:
    """Sends the number of its turn every 5 ms from when it is first looked at; answers what it
    is told in capitals."""

    baud = BAUD

    def __init__(self) -> None:
        self.next_ns = 0
        self.turns = 0
        self.told: list[Mapping[str, object]] = []

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        return [Transmission(now_ns, line_baud, data.upper())]

    def due_ns(self) -> int | None:
        return self.next_ns

    def wake(self, now_ns: int) -> list[Transmission]:
        first_ns = self.next_ns or now_ns
        sent = []
        for at_ns in range(first_ns, now_ns + 1, PERIOD_NS):
            sent.append(Transmission(at_ns, BAUD, bytes((self.turns % 256,))))
            self.turns += 1
            self.next_ns = at_ns + PERIOD_NS
        return sent

    def status(self) -> Mapping[str, Scalar]:
        return {"turns": self.turns}

    def control(self, args: Mapping[str, object]) -> None:
        if "wind" not in args:
            raise BadInput(f"a clockwork is not to be {list(args)}", "it can: wind")
        self.told.append(args)


class Motors(Clockwork):
    """Drives its joints to 1, 2, ... rad with as many N m."""

    def __init__(self, *joints: str, torque_off_ns: int = 0, on: int = 0) -> None:
        super().__init__()
        self.joints = joints
        self.seen: list[Sequence[Body]] = []
        self._torque = {"torque_on": on, "torque_off_ns": torque_off_ns}

    def step(self, dt: float, bodies: Sequence[Body]) -> list[Drive]:
        self.seen.append(bodies)
        return [Drive(n, n, enabled=True) for n in range(1, len(self.joints) + 1)]

    def due_ns(self) -> None:
        return None

    def status(self) -> Mapping[str, Scalar]:
        return self._torque


class Told(Shaft):
    """Keeps the set-points of its last step."""

    def __init__(self, *names: str) -> None:
        super().__init__(names)
        self.last: dict[str, tuple[float, float, bool]] = {}

    def joints(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        numbers = np.arange(len(self.joint_names), dtype=float)
        return numbers, 10 * numbers, 100 * numbers

    def drive(
        self, target: FloatArray, torque_limit: FloatArray, enabled: NDArray[np.bool_]
    ) -> None:
        rows = zip(target.tolist(), torque_limit.tolist(), enabled.tolist(), strict=True)
        self.last = dict(zip(self.joint_names, rows, strict=True))


def config(*names: str, plant: str | None = None) -> HostConfig:
    ports = tuple(HostedPort(name=name, emulator="any") for name in names)
    return HostConfig(plant=plant, ports=ports, scene_port="scene")


def test_a_step_gives_way_to_answers_on_the_wire_but_not_for_longer_than_a_period() -> None:
    plant, clock = Shaft(), VirtualClock()
    paced = PacedBench(Bench(plant, []), clock)  # of 1 kHz
    answers_end_ns = NS_PER_MS + NS_PER_MS // 2
    for now_us, steps in ((900, 0), (1000, 0), (1400, 0), (1500, 1), (2000, 2)):
        clock.sleep_until(now_us * 1000)
        paced.step(answers_end_ns)
        assert plant.steps == steps
    clock.sleep_until(3 * NS_PER_MS)
    paced.step(5 * NS_PER_MS)  # a long answer, which has to be sent between steps
    assert plant.steps == 3
    assert paced.counters()["skipped_steps"] == 0


def test_motors_of_several_devices_meet_at_one_plant() -> None:
    plant = Told("wrist", "jaw", "lid", "elbow")
    arm, hand = Motors("elbow", "wrist"), Motors("jaw")
    Bench(plant, mount(plant, {"arm": arm, "hand": hand})).step()
    assert arm.seen[-1] == [Body(3.0, 30.0, 300.0), Body(0.0, 0.0, 0.0)]
    assert hand.seen[-1] == [Body(1.0, 10.0, 100.0)]
    assert plant.last == {
        "elbow": (1.0, 1.0, True),
        "wrist": (2.0, 2.0, True),
        "jaw": (1.0, 1.0, True),
        "lid": (0.0, 0.0, False),
    }


def test_every_device_knows_its_joints_before_the_first_step() -> None:
    plant, arm = Told("elbow"), Motors("elbow")
    Bench(plant, mount(plant, {"arm": arm}))
    assert len(arm.seen) == 1


def test_a_joint_has_one_motor() -> None:
    with pytest.raises(BadInput, match=r"twin\.ports\.a and twin\.ports\.b both drive joint 'jaw'"):
        mount(Told("jaw", "lid"), {"a": Motors("lid", "jaw"), "b": Motors("jaw")})


def test_a_device_and_its_plant_have_to_fit() -> None:
    with pytest.raises(BadInput, match=r"twin\.ports\.a drives joint 'toe', the plant has jaw"):
        mount(Told("jaw", "lid"), {"a": Motors("lid", "toe")})


def test_motors_need_a_plant() -> None:
    hosted: dict[str, Emulator] = {"arm": Motors("elbow"), "clock": Clockwork()}
    with pytest.raises(BadInput, match=r"twin\.ports\.arm: moves joints") as caught:
        serve(None, config("arm", "clock"), hosted, lambda _: None, StopFlag(), None)
    assert 'plant = "axes"' in caught.value.remedy


def test_a_plant_can_be_made_of_the_joints_that_are_driven() -> None:
    with closing(build_plant("axes", 500, ["thumb", "index"])) as plant:
        assert plant.joint_names == ("thumb", "index")
        assert plant.step_s == 1 / 500
    with pytest.raises(BadInput, match="none drives any"):
        build_plant("axes", 500, [])


@pytest.mark.parametrize("plant", [None, Shaft()], ids=["no plant", "a plant"])
def test_two_streams_on_one_host_without_a_word_from_the_client(
    plant: Shaft | None, clock: WallClock, within: Within
) -> None:
    hosted = {"a": Clockwork(), "b": Clockwork()}
    with served(plant, config("a", "b"), hosted) as (ports, _, _):
        assert set(ports) == {"a", "b", "scene"}
        for name in ("a", "b"):
            with closing(open_serial(ports[name], BAUD, clock)) as port:
                heard = b""
                while len(heard) < 20:
                    more = port.read(within(5))
                    assert more
                    heard += more
                turns = [(later - earlier) % 256 for earlier, later in pairwise(heard)]
                assert set(turns) == {1}


def test_each_port_answers_its_own_client(clock: WallClock, within: Within) -> None:
    hosted = {"a": Motors(), "b": Motors()}
    with (
        served(None, config("a", "b"), hosted) as (ports, _, _),
        closing(open_serial(ports["a"], BAUD, clock)) as a,
        closing(open_serial(ports["b"], BAUD, clock)) as b,
    ):
        a.write(b"x", within(5))
        assert a.read(within(5)) == b"X"
        b.write(b"y", within(5))
        assert b.read(within(5)) == b"Y"
        assert a.read(within(0.0)) == b""


def test_control_and_status_go_to_the_device_at_a_port(clock: WallClock, within: Within) -> None:
    hosted = {"a": Clockwork(), "b": Clockwork()}
    with served(None, config("a", "b"), hosted) as (ports, _, _):
        scene = connect(ports["scene"], clock, within)
        scene.control("b", within(5), wind=3, how={"hand": "left"})
        assert (hosted["a"].told, hosted["b"].told) == ([], [{"wind": 3, "how": {"hand": "left"}}])
        status = scene.port_status("b", within(5))
        assert int(status["turns"]) > 0
        assert {"received_bytes", "sent_bytes"} <= set(status)
        with pytest.raises(BadInput, match="not to be"):
            scene.control("a", within(5), kick=True)
        with pytest.raises(BadInput, match="serves no port 'c'") as caught:
            scene.port_status("c", within(5))
        assert "a, b" in caught.value.remedy
        with pytest.raises(BadInput, match="serves no port 'c'"):
            scene.control("c", within(5), wind=1)
        scene.close()


def test_a_twin_without_a_plant_says_what_it_lacks(clock: WallClock, within: Within) -> None:
    with served(None, config("a"), {"a": Clockwork()}) as (ports, _, _):
        scene = connect(ports["scene"], clock, within)
        asked: list[Callable[[], Any]] = [
            lambda: scene.arrange({}, within(5)),
            lambda: scene.track(within(5)),
            lambda: scene.witness(within(5)),
            lambda: scene.picture(within(5)),
        ]
        for ask in asked:
            with pytest.raises(CapabilityMissing, match="no plant"):
                ask()
        with pytest.raises(CapabilityMissing, match="no servo bus"):
            scene.fault(within(5), silent=[1])
        assert scene.identity(within(5)).model == "no plant"
        assert [finding.name for finding in scene.health(within(5))] == ["link"]
        assert scene.make_safe(within(5)).safe
        assert scene.status(within(5)) == {"torque_on": 0, "torque_off_ns": 0}
        scene.close()


def test_the_torque_of_the_twin_is_that_of_all_its_devices(
    clock: WallClock, within: Within
) -> None:
    hosted = {"a": Motors(on=2, torque_off_ns=50), "b": Motors(on=1, torque_off_ns=70)}
    with served(None, config("a", "b"), hosted) as (ports, _, _):
        scene = connect(ports["scene"], clock, within)
        assert scene.status(within(5)) == {"torque_on": 3, "torque_off_ns": 70}
        scene.close()


def test_what_fell_due_in_a_slow_request_leaves_before_its_answer(
    clock: WallClock, within: Within
) -> None:
    """So that a client which asks for a picture does not find the other devices silent."""
    hosted = {"a": Clockwork()}
    with (
        served(Shaft(), config("a"), hosted) as (ports, _, _),
        closing(open_serial(ports["a"], BAUD, clock)) as port,
    ):
        scene = connect(ports["scene"], clock, within)
        port.read(within(5))
        scene.arrange({"slow": True}, within(5))  # takes 200 ms
        heard = port.read(within(0.0))
        assert len(heard) >= 200e6 / PERIOD_NS - 3
        scene.close()
