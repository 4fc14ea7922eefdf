"""The emulated force sensor on stamps, and at the wrist of a robot of the plant."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from drivers.bota.codec import INVALID, OVERRANGE, Answer, AnswerDecoder, Decoder, Frame
from hil.clock import NS_PER_MS, NS_PER_S
from hil.errors import BadInput
from sim.emulated.bota import BotaOptions, BotaSensor
from sim.plant import Plant
from sim.plants import panda, so101
from sim.twin.emulator import PlantSensor

BAUD = 460_800
EXACT = {
    name: 0.0
    for name in (
        *("noise_n", "noise_nm", "bias_n", "bias_nm", "walk_n", "walk_nm"),
        *("gain_error", "crosstalk"),
    )
}


def made(**options: object) -> BotaSensor:
    return BotaSensor(BotaOptions.model_validate(options))


def told(sensor: BotaSensor, text: bytes, now_ns: int = NS_PER_S) -> list[Answer]:
    decoder = AnswerDecoder()
    return [
        answer for sent in sensor.receive(text, now_ns, BAUD) for answer in decoder.feed(sent.data)
    ]


def streamed(sensor: BotaSensor, seconds: float, from_ns: int = NS_PER_S) -> list[Frame]:
    """The frames of a while, each woken for when it is due."""
    decoder, found = Decoder(), []
    now_ns, end_ns = from_ns, from_ns + round(seconds * NS_PER_S)
    while now_ns < end_ns:
        for sent in sensor.wake(now_ns):
            found += decoder.feed(sent.data)
        due_ns = sensor.due_ns()
        assert due_ns is not None
        now_ns = max(due_ns, now_ns + 1)
    return found


def test_it_streams_as_soon_as_it_has_power_at_the_slowest_rate() -> None:
    frames = streamed(made(), 1.0)
    assert len(frames) == 100
    assert [frame.time_us for frame in frames[:3]] == [0, 10_000, 20_000]


def test_set_up_as_the_makers_example_does() -> None:
    sensor = made()
    assert told(sensor, b"C") == [Answer("C", 0)]
    assert sensor.due_ns() is None
    assert told(sensor, b"c,0,1,0,4") == [Answer("c", 0)]
    assert told(sensor, b"f,64,0,0,1") == [Answer("f", 0)]
    assert told(sensor, b"R") == [Answer("R", 0)]
    frames = streamed(sensor, 1.0, NS_PER_S + 2 * NS_PER_MS)
    assert len(frames) == 800


def test_a_command_may_come_in_pieces_and_only_c_is_heard_while_it_streams() -> None:
    sensor = made()
    assert told(sensor, b"f,64,0,0,1") == []
    told(sensor, b"C")
    assert told(sensor, b"f,12") == []
    assert told(sensor, b"8,0,0,1") == [Answer("f", 0)]
    assert sensor.status()["filter"] == 128


def test_what_it_does_not_do_is_refused() -> None:
    sensor = made()
    told(sensor, b"C")
    assert told(sensor, b"c,0,1,1,4") == [Answer("c", 1)]
    assert told(sensor, b"f,20,0,0,1") == [Answer("f", 1)]
    assert told(sensor, b"S") == [Answer("S", 1)]
    assert sensor.status()["refused"] == 3


def test_another_rate_of_the_line_is_not_heard() -> None:
    sensor = made()
    assert sensor.receive(b"C", 0, 9600) == []
    assert sensor.status()["unheard_bytes"] == 1


def test_load_saturation_and_faults_are_in_the_frame() -> None:
    sensor = made(load=(1, 2, 3, 0.1, 0.2, 0.3), model=EXACT)
    (frame, *_) = streamed(sensor, 0.02)
    assert frame.wrench == pytest.approx((1, 2, 3, 0.1, 0.2, 0.3), abs=0.006)
    sensor.control({"load": (5000, 0, 0, 0, 0, 0)})
    frame = streamed(sensor, 0.02, 2 * NS_PER_S)[-1]
    assert frame.wrench[0] == pytest.approx(300)
    assert frame.status & OVERRANGE
    sensor.control({"load": (0, 0, 0, 0, 0, 0), "status": INVALID})
    assert streamed(sensor, 0.02, 3 * NS_PER_S)[-1].status & INVALID
    sensor.control({"corrupt": 2})
    whole = len(streamed(sensor, 0.1, 4 * NS_PER_S))
    assert sensor.status()["frames"] == 3 * 2 + 2 * 5 + whole + 2
    sensor.control({"silent": True})
    assert streamed(sensor, 0.1, 5 * NS_PER_S) == []
    with pytest.raises(BadInput, match="corrupt"):
        sensor.control({"corrupt": -1})


def test_after_a_pause_of_the_host_the_newest_are_sent() -> None:
    sensor = made()
    streamed(sensor, 0.1)
    sent = sensor.wake(10 * NS_PER_S)
    assert len(sent) == 6
    assert all(later.start_ns > before.start_ns for before, later in pairwise(sent))


@pytest.fixture(scope="module")
def arm() -> Iterator[Plant]:
    plant = panda(500)
    yield plant
    plant.close()


def test_at_a_wrist_it_feels_what_hangs_on_it(arm: Plant) -> None:
    sensor = made(model=EXACT)
    assert isinstance(sensor, PlantSensor)
    sensor.fit(arm)
    on = np.ones(len(arm.joint_names), dtype=np.bool_)
    for scene in ({}, {"elements": []}):  # the second has bodies of its own
        arm.arrange(scene, arm.home)
        arm.drive(arm.home, arm.most_torque, on)
        for _ in range(200):
            arm.step()
        now_ns = 10 * NS_PER_S * arm.arrangement
        assert streamed(sensor, 0.02, now_ns)[0].status == INVALID, "not one step was felt yet"
        arm.step()
        frame = streamed(sensor, 0.02, now_ns + NS_PER_S)[-1]
        # the last link, hand and fingers: 1.6 kg pull along the tool's z, which points down
        assert frame.wrench[2] == pytest.approx(15.6, abs=0.2)
        assert np.abs(frame.wrench[:2]).max() < 0.5


def test_a_robot_without_wrist_or_none_is_refused(arm: Plant) -> None:
    with pytest.raises(BadInput, match="robot 1 is not in the plant"):
        made(robot=1).fit(arm)
    hobby = so101(500)
    with pytest.raises(BadInput, match="no wrist"):
        made().fit(hobby)
    hobby.close()
    with pytest.raises(BadInput, match="no robots"):
        made().fit(object())
