"""Sources, settings and decoding, without a camera."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera import stream
from drivers.camera.source import Kind, Source, check_device, parse_source, redacted, usb_facts
from drivers.camera.stream import Grabbed, Order, Setting, Stream, decode
from hil.contracts import NEVER
from hil.errors import BadInput, DeviceNotFound, LinkLost


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("/dev/v4l/by-path/x", Source(Kind.V4L2, "/dev/v4l/by-path/x", "/dev/v4l/by-path/x")),
        ("http://h:80/s", Source(Kind.HTTP, "http://h:80/s", "http://h:80/s")),
        ("https://h/s?key=1", Source(Kind.HTTP, "https://h/s?key=1", "https://h/s")),
        ("rtsp://me:pw@h/1", Source(Kind.RTSP, "rtsp://me:pw@h/1", "rtsp://h/1")),
    ],
)
def test_sources(address: str, source: Source) -> None:
    assert parse_source(address) == source


@pytest.mark.parametrize("address", ["video0", "ftp://h/x", "http:///x", ""])
def test_what_is_no_source(address: str) -> None:
    with pytest.raises(BadInput, match="no camera"):
        parse_source(address)


def test_passwords_are_not_shown() -> None:
    text = "cannot open rtsp://me:pw@h/1 nor http://h/2"
    assert redacted(text) == "cannot open rtsp://h/1 nor http://h/2"
    with pytest.raises(BadInput) as refused:
        parse_source("ftp://me:pw@h/x")
    assert "pw" not in str(refused.value)


def test_device_paths_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFound, match="no camera"):
        check_device(str(tmp_path / "none"))
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(BadInput, match="character device"):
        check_device(str(plain))


def test_no_right_to_open_names_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(BadInput, match="udev"):
        check_device("/dev/null")


def test_what_the_kernel_knows_of_a_usb_camera(tmp_path: Path) -> None:
    device = tmp_path / "usb" / "1-2"
    interface = device / "1-2:1.0"
    interface.mkdir(parents=True)
    for name, text in {"idVendor": "046d", "idProduct": "0825", "serial": "A1"}.items():
        (device / name).write_text(text + "\n")
    node = tmp_path / "class" / "video7"
    node.mkdir(parents=True)
    (node / "name").write_text("Cam\n")
    (node / "device").symlink_to(interface)
    facts = usb_facts("/dev/video7", tmp_path / "class")
    expected = {"name": "Cam", "vid": "046d", "pid": "0825", "serial": "A1", "bus": "1-2:1.0"}
    assert facts == expected
    assert usb_facts("/dev/video8", tmp_path / "class") == {}


class FakeV4l2:
    """A camera with steps: exposure in 100 us up to 300, gain in steps of 16, no white balance."""

    def __init__(self, target: str, backend: int, parameters: list[int]) -> None:
        assert backend == cv2.CAP_V4L2
        self.properties = {
            cv2.CAP_PROP_EXPOSURE: 156.0,
            cv2.CAP_PROP_AUTO_EXPOSURE: 3.0,
            cv2.CAP_PROP_GAIN: 0.0,
            cv2.CAP_PROP_FRAME_WIDTH: 640.0,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")),
        }

    def isOpened(self) -> bool:  # noqa: N802  OpenCV's name
        return True

    def set(self, what: int, value: float) -> bool:
        if what in (cv2.CAP_PROP_AUTO_WB, cv2.CAP_PROP_WB_TEMPERATURE):
            return False
        if what == cv2.CAP_PROP_EXPOSURE:
            if self.properties[cv2.CAP_PROP_AUTO_EXPOSURE] != 1:
                return False
            value = min(value, 300)
        if what == cv2.CAP_PROP_GAIN:
            value = value // 16 * 16
        self.properties[what] = value
        return True

    def get(self, what: int) -> float:
        return self.properties.get(what, -1.0)


ORDER = Order(
    kind=Kind.V4L2,
    target="/dev/x",
    shown="/dev/x",
    width=None,
    height=None,
    rate_hz=30.0,
    fourcc=None,
    exposure_us=None,
    gain=None,
    white_balance_k=None,
    read_timeout_s=1.0,
    open_timeout_s=1.0,
)


def test_settings_are_asked_and_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream.cv2, "VideoCapture", FakeV4l2)
    asked = {"exposure_us": 50_000, "gain": 20, "white_balance_k": 4000, "fourcc": "MJPG"}
    opened = Stream(replace(ORDER, **asked))
    assert opened.settings["exposure_us"] == Setting(50_000, 30_000)
    assert opened.settings["gain"] == Setting(20, 16)
    assert opened.settings["white_balance_k"].asked == 4000
    assert np.isnan(opened.settings["white_balance_k"].obtained)
    assert opened.fourcc == "MJPG"
    assert opened.coded


def test_settings_that_nobody_asked_are_read_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream.cv2, "VideoCapture", FakeV4l2)
    opened = Stream(ORDER)
    assert np.isnan(opened.settings["exposure_us"].asked)
    assert opened.settings["exposure_us"].obtained == 15_600
    assert opened.fourcc == "YUYV"
    assert not opened.coded


def test_a_device_that_is_no_camera_cannot_be_opened() -> None:
    with pytest.raises(LinkLost, match="cannot be opened"):
        Stream(replace(ORDER, target="/dev/null"))


def coded(data: bytes) -> Grabbed:
    return Grabbed(np.frombuffer(data, np.uint8), True, 0, NEVER)


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1])


def test_a_whole_picture_is_decoded(jpeg: bytes) -> None:
    picture = decode(coded(jpeg))
    assert picture is not None
    assert picture.shape == (48, 64, 3)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_picture_that_is_cut_off_is_none(jpeg: bytes, share: float) -> None:
    assert decode(coded(jpeg[: int(len(jpeg) * share)])) is None


@given(st.binary(max_size=300))
def test_no_bytes_make_the_decoder_raise(data: bytes) -> None:
    picture = decode(coded(data))
    assert picture is None or picture.ndim == 3


def test_what_is_not_coded_must_be_a_picture() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    assert decode(Grabbed(picture, False, 0, NEVER)) is not None
    assert decode(Grabbed(picture[..., 0], False, 0, NEVER)) is None
    assert decode(Grabbed(np.empty(0, np.uint8), False, 0, NEVER)) is None
