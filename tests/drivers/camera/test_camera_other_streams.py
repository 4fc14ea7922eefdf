"""Streams beside MJPEG over HTTP: RTSP, whose frames carry stamps, and coded video."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_bench import opened, soon
from rtsp_camera import RATE_HZ, rtsp_camera

from hil.clock import NS_PER_S
from hil.contracts import Frame
from hil.errors import LinkLost
from sim.emulated.mjpeg.mark import read


def test_rtsp_frames_carry_the_cameras_own_stamps() -> None:
    with rtsp_camera(320, 240) as served, opened(served.url, rate_hz=RATE_HZ) as eye:
        frames = [eye.newest(soon()) for _ in range(8)]
        for before, after in pairwise(frames):
            steps = _number(after) - _number(before)
            # the stamp is of the picture, however late it came
            stamped_ns = after.device_stamp_ns - before.device_stamp_ns
            assert stamped_ns == pytest.approx(steps * NS_PER_S / RATE_HZ, abs=1e6)
        assert eye.identity(soon()).detail["source"] == served.url
        # what piled up while the stream was opened is not among them; others may have come since
        assert _number(frames[0]) - frames[0].index > RATE_HZ / 4
        served.close()
        with pytest.raises(LinkLost, match="ended the stream"):
            _take_all(eye)


def _number(frame: Frame) -> int:
    """Which of the camera's pictures it is."""
    mark = read(frame.image)
    assert mark is not None
    return mark.number


def _take_all(eye: object) -> None:
    while True:
        eye.newest(soon())  # type: ignore[attr-defined]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


def test_video_that_opencv_decodes_itself(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(
        str(tmp_path / "video.avi"), cv2.VideoWriter.fourcc(*"XVID"), 25.0, (320, 240)
    )
    for tick in range(200):
        writer.write(np.full((240, 320, 3), (0, 0, 40 + tick), np.uint8))
    writer.release()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with opened(f"http://127.0.0.1:{server.server_port}/video.avi") as eye:
                frame = eye.newest(soon())
                assert eye.identity(soon()).detail["fourcc"] != "MJPG"
                middle = frame.image[120, 160]
                assert middle[0] > 30  # red, of RGB
                assert middle[2] < 20
                with pytest.raises(LinkLost, match="ended the stream"):
                    _take_all(eye)
        finally:
            server.shutdown()
            thread.join(10)
