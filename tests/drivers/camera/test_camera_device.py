"""The driver on the emulated camera: OpenCV's real path, from the socket to the frame."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NoReturn
from urllib.error import HTTPError

import cv2
import numpy as np
import pytest
from camera_bench import CLOCK, Emulated, camera, emulated_camera, opened, soon

from drivers.camera.device import OpenCvCamera, build
from hil.clock import NS_PER_S, VirtualClock
from hil.contracts import NEVER, BenchContext, Camera, DeviceSpec, Finding, Frame, Rescue
from hil.errors import BadInput, DeadlineMissed, HarnessError, LinkLost, RigError
from sim.emulated.mjpeg.faults import Faults
from sim.emulated.mjpeg.mark import Mark, read

SIZE = {"width": 320, "height": 240}


@pytest.fixture(scope="module")
def served() -> Iterator[Emulated]:
    with emulated_camera(**SIZE) as running:
        yield running


@pytest.fixture
def emulated(served: Emulated) -> Iterator[Emulated]:
    yield served
    served.control(**_default_faults())


@pytest.fixture
def eye(emulated: Emulated) -> Iterator[OpenCvCamera]:
    with opened(emulated.url, **SIZE) as device:
        yield device


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A self-test that watches for a moment and not for a second: for what shows at once."""
    monkeypatch.setattr("drivers.camera.device._WATCH_NS", NS_PER_S // 20)


def _default_faults() -> dict[str, object]:
    return Faults().model_dump()


def marked(frame: Frame) -> Mark:
    mark = read(frame.image)
    assert mark is not None
    return mark


def take_all(eye: OpenCvCamera, patience_s: float = 20.0) -> NoReturn:
    """Take frame after frame, until one does not come."""
    while True:
        eye.newest(soon(patience_s))


def frames_until(eye: OpenCvCamera, counter: str, count: int) -> None:
    """Take frames until a counter has risen to `count`."""
    deadline = soon()
    while eye.counters()[counter] < count:
        eye.newest(deadline)


def finding(eye: OpenCvCamera, name: str) -> Finding:
    return next(one for one in eye.health(soon()) if one.name == name)


def bad(eye: OpenCvCamera) -> set[str]:
    return {one.name for one in eye.health(soon()) if not one.ok}


def found_bad(eye: OpenCvCamera, name: str) -> bool:
    """Whether the self-test comes to say so, frame after frame."""
    deadline = soon()
    while name not in bad(eye):
        if deadline.expired:
            return False
        eye.newest(deadline)
    return True


def test_frames_come_once_each_in_order_and_stamped(eye: OpenCvCamera) -> None:
    frames = [eye.newest(soon()) for _ in range(10)]
    marks = [marked(frame) for frame in frames]
    assert isinstance(eye, Camera)
    assert eye.size == (320, 240)
    for before, after in pairwise(frames):
        assert after.index > before.index
        assert after.stamp_ns > before.stamp_ns
        assert not after.repeated
    # what the camera left out and what the host counts tell the same story
    assert marks[-1].number - marks[0].number >= frames[-1].index - frames[0].index
    for frame, mark in zip(frames, marks, strict=True):
        assert mark.stamp_ns <= frame.stamp_ns <= CLOCK.now_ns()
        assert frame.device_stamp_ns == NEVER
        assert frame.image.shape == (240, 320, 3)


def test_the_newest_frame_is_returned_after_a_pause(eye: OpenCvCamera) -> None:
    first = eye.newest(soon())
    for _ in range(5):
        eye.ping(soon())
    later = eye.newest(soon())
    assert later.index >= first.index + 5
    assert eye.counters()["unread"] >= 4
    assert marked(later).number >= marked(first).number + 5


def test_a_picture_of_known_colour_is_rgb(tmp_path: Path) -> None:
    red = np.zeros((240, 320, 3), np.uint8)
    red[..., 2] = 200  # BGR, as OpenCV writes it
    cv2.imwrite(str(tmp_path / "red.png"), red)
    with (
        emulated_camera(**SIZE, pattern=tmp_path / "red.png") as emulated,
        opened(emulated.url) as eye,
    ):
        middle = eye.newest(soon()).image[120:, :].reshape(-1, 3).mean(axis=0)
    assert middle[0] > 150
    assert middle[1] < 50
    assert middle[2] < 50


def test_identity_and_health_of_a_good_camera(emulated: Emulated) -> None:
    with opened(emulated.url, **SIZE, rate_share=0.2, missed_share=1.0) as eye:
        identity = eye.identity(soon())
        assert identity.detail["source"] == emulated.url
        assert identity.detail["fourcc"] == "MJPG"
        assert bad(eye) == set()
        assert eye.make_safe(soon()).safe


def test_no_frame_by_the_deadline(emulated: Emulated, eye: OpenCvCamera) -> None:
    emulated.control(stall=True)
    eye.newest(soon())
    with pytest.raises(DeadlineMissed, match="no new frame in time"):
        take_all(eye, 0.3)
    before = eye.counters()["missed"]
    emulated.control(stall=False)
    eye.newest(soon())
    assert eye.counters()["missed"] - before > 5  # the stall shows in the gap


def test_a_second_owner_is_refused(emulated: Emulated, eye: OpenCvCamera) -> None:
    other = camera(emulated.url)
    with pytest.raises(RigError, match="in use by this process"):
        other.open(soon())
    other.close()
    eye.close()
    other.open(soon())
    other.close()


def test_a_stream_silent_for_too_long_has_ended(emulated: Emulated) -> None:
    with opened(emulated.url, read_timeout_s=0.5) as eye:
        frames_until(eye, "frames", 10)
        emulated.control(stall=True)
        with pytest.raises(LinkLost, match=r"sent no picture for 0\.5 s"):
            take_all(eye)
        with pytest.raises(LinkLost):
            eye.newest(soon())
        assert not finding(eye, "answers").ok
        emulated.control(stall=False)
        eye.open(soon())
        assert eye.newest(soon()).index < 10, "counted anew"


def test_hang_up(emulated: Emulated, eye: OpenCvCamera) -> None:
    emulated.control(hang_up=True)
    with pytest.raises(LinkLost, match="ended the stream"):
        take_all(eye)


@pytest.mark.usefixtures("brief")
def test_freeze_shows_in_frames_counters_and_health(emulated: Emulated) -> None:
    with opened(emulated.url, freeze_s=0.2) as eye:
        emulated.control(freeze=True)
        frames_until(eye, "repeated", 3)
        last = eye.newest(soon())
        assert last.repeated
        assert found_bad(eye, "freeze")
        emulated.control(freeze=False)
        deadline = soon()
        while eye.newest(deadline).repeated:
            continue
        assert finding(eye, "freeze").ok


@pytest.mark.usefixtures("brief")
def test_dropped_frames_are_counted(emulated: Emulated, eye: OpenCvCamera) -> None:
    emulated.control(drop_share=0.6)
    frames_until(eye, "missed", 10)
    assert emulated.status()["dropped"] > 0
    assert "drops" in bad(eye)


def test_a_slow_camera(emulated: Emulated, eye: OpenCvCamera) -> None:
    emulated.control(rate_hz=8.0)
    frames_until(eye, "missed", 6)
    assert {"rate", "drops"} <= bad(eye)


def test_delay_shows_in_the_age_of_what_is_seen(emulated: Emulated, eye: OpenCvCamera) -> None:
    emulated.control(delay_ms=300)
    deadline = soon()
    frame = eye.newest(deadline)
    while frame.stamp_ns - marked(frame).stamp_ns < 300e6:
        frame = eye.newest(deadline)


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("how", ["truncated", "garbage", "empty"])
def test_broken_pictures_are_counted_and_the_stream_goes_on(
    emulated: Emulated, eye: OpenCvCamera, how: str
) -> None:
    emulated.control(broken=how, broken_share=0.5)
    frames_until(eye, "broken", 3)
    assert "pictures" in bad(eye)
    emulated.control(broken="none")
    assert marked(eye.newest(soon()))


def test_only_broken_pictures_miss_the_deadline(emulated: Emulated, eye: OpenCvCamera) -> None:
    emulated.control(broken="truncated")
    deadline = soon()
    while eye.counters()["broken"] < 2 and not deadline.expired:
        eye.health(soon(0.3))
    with pytest.raises(DeadlineMissed, match="could not be decoded"):
        take_all(eye, 0.2)


def test_pictures_of_another_size_are_dropped_and_named(
    emulated: Emulated, eye: OpenCvCamera
) -> None:
    emulated.control(width=160, height=120)
    with pytest.raises(DeadlineMissed, match="size was not 320 x 240, the last 160 x 120"):
        take_all(eye, 0.5)
    assert eye.counters()["wrong_size"] > 0


@pytest.mark.usefixtures("brief")
def test_another_size_than_was_asked_is_a_finding(emulated: Emulated) -> None:
    with opened(emulated.url, width=640, height=480) as eye:
        assert finding(eye, "size").detail == "320 x 240 obtained, 640 x 480 asked"
        assert "size" in bad(eye)
        assert eye.size == (320, 240)


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize(("fault", "name"), [("dark", "brightness"), ("overexposed",) * 2])
def test_light(emulated: Emulated, eye: OpenCvCamera, fault: str, name: str) -> None:
    assert name not in bad(eye)
    emulated.control(**{fault: True})
    assert found_bad(eye, name)


@pytest.mark.usefixtures("brief")
def test_blur_against_the_rigs_own_reference(emulated: Emulated, eye: OpenCvCamera) -> None:
    detail = finding(eye, "sharpness").detail
    reference = float(detail.rpartition("= ")[2].rstrip(")"))
    eye.close()
    with opened(emulated.url, sharpness_reference=reference) as judged:
        assert finding(judged, "sharpness").ok
        emulated.control(blur=True)
        assert found_bad(judged, "sharpness")


def test_a_capture_that_dies_is_named(eye: OpenCvCamera) -> None:
    assert eye._capture is not None
    os.kill(eye._capture.pid, signal.SIGKILL)
    with pytest.raises(LinkLost, match="killed by SIGKILL"):
        take_all(eye)


def test_a_capture_that_hangs_holds_up_neither_read_nor_close(eye: OpenCvCamera) -> None:
    assert eye._capture is not None
    pid = eye._capture.pid
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DeadlineMissed):
        take_all(eye, 0.3)
    eye.close()
    assert select.select([pidfd], [], [], 0)[0]  # it is gone
    os.close(pidfd)
    eye.close()
    with pytest.raises(HarnessError, match="not open"):
        eye.newest(soon())


PARENT = """
import json, sys
from pathlib import Path
from drivers.camera.device import build
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
clock = WallClock()
device = build(DeviceSpec("eye", "camera", sys.argv[1], {}, Path()), BenchContext(clock))
device.open(Deadline.after_s(clock, 20))
print(json.dumps(device._capture.pid), flush=True)
sys.stdin.read()
"""


def test_the_capture_ends_with_its_parent(emulated: Emulated) -> None:
    command = [sys.executable, "-c", PARENT, emulated.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pidfd = os.pidfd_open(json.loads(parent.stdout.readline()))
        parent.kill()
        assert select.select([pidfd], [], [], 20)[0]
    os.close(pidfd)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(LinkLost, match="cannot be opened") as lost:
        camera(f"http://127.0.0.1:{port}/stream").open(soon())
    assert "refused" in lost.value.message


def test_somebody_else_there(emulated: Emulated) -> None:
    for path, word in (("status", "application/json"), ("nothing", "404")):
        with pytest.raises(LinkLost) as lost:
            camera(emulated.url.replace("stream.mjpg", path)).open(soon())
        assert word in lost.value.message
    emulated.control(refuse=True)
    with pytest.raises(LinkLost, match="cannot be opened") as lost:
        camera(emulated.url).open(soon())
    assert "503" in lost.value.message


def test_somebody_who_never_answers_misses_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        deadline = soon(1.0)
        with pytest.raises((DeadlineMissed, LinkLost)):
            camera(f"http://127.0.0.1:{silent.getsockname()[1]}/s").open(deadline)


def test_passwords_of_a_url_are_in_no_message() -> None:
    with pytest.raises(LinkLost) as lost:
        camera("http://me:hush@127.0.0.1:1/stream?token=hush").open(soon())
    assert "hush" not in str(lost.value)


@pytest.mark.parametrize(
    ("parameters", "word"),
    [({"width": 640}, "go together"), ({"rate": 5}, "rate_hz"), ({"fourcc": "mj"}, "fourcc")],
)
def test_parameters_that_make_no_sense(parameters: dict[str, object], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        camera("http://h/s", **parameters)


def test_what_a_camera_cannot_be_built_from() -> None:
    spec = DeviceSpec("eye", "camera", "", {}, Path())
    with pytest.raises(BadInput, match="needs a port"):
        build(spec, BenchContext(CLOCK))
    with pytest.raises(BadInput, match="wall clock"):
        build(DeviceSpec("eye", "camera", "http://h/s", {}, Path()), BenchContext(VirtualClock()))


def test_before_it_is_opened() -> None:
    device = camera("http://h/s")
    assert isinstance(device, Camera)
    assert device.size == (0, 0)
    assert device.counters() == {}
    assert [one.ok for one in device.health(soon())] == [False]
    assert not device.make_safe(soon()).safe
    assert isinstance(device, Rescue)
    assert device.rescue(soon()).safe
    device.close()
    with pytest.raises(HarnessError, match="not open"):
        device.identity(soon())


def test_control_refuses_what_it_does_not_know(emulated: Emulated) -> None:
    for faults in ({"frieze": True}, {"drop_share": 2}, {"width": 161, "height": 120}):
        with pytest.raises(HTTPError) as refused:
            emulated.control(**faults)
        assert refused.value.code == 400
        assert b"control" in refused.value.read()
        refused.value.close()
