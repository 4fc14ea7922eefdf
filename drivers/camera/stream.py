"""OpenCV's capture of one source: opening with time-outs, settings, the next picture.

Every call here may block for as long as OpenCV pleases; only the capture process makes them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.camera.probe import explain
from drivers.camera.source import Kind
from hil.clock import NS_PER_MS
from hil.contracts import NEVER
from hil.errors import LinkLost

_MS_PER_S = 1000
_US_PER_STEP = 100
"""V4L2_CID_EXPOSURE_ABSOLUTE counts in 100 us."""

_MANUAL = 1
"""V4L2_EXPOSURE_MANUAL, which OpenCV hands on as it is."""

_RAW = -1
"""Of CAP_PROP_FORMAT: packets as they came, not decoded."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the capture process is told, as plain data."""

    kind: Kind
    target: str
    shown: str
    width: int | None
    height: int | None
    rate_hz: float
    fourcc: str | None
    exposure_us: float | None
    gain: float | None
    white_balance_k: float | None
    read_timeout_s: float
    open_timeout_s: float


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: NaN where nothing was asked or where the camera tells nothing."""

    asked: float
    obtained: float


@dataclass(frozen=True, slots=True)
class Grabbed:
    """One picture as it came, and when: still to be decoded where it is `coded`."""

    data: NDArray[np.uint8]
    coded: bool
    stamp_ns: int
    device_ns: int


class Stream:
    """An open source.

    Motion JPEG is taken undecoded and decoded here: OpenCV's FFmpeg reader ends at a picture
    that it cannot decode, and fills up one that was cut off with grey, without a word.
    """

    def __init__(self, order: Order) -> None:
        """Errors: LinkLost where OpenCV does not get it open."""
        self._order = order
        self._v4l2 = order.kind is Kind.V4L2
        backend = cv2.CAP_V4L2 if self._v4l2 else cv2.CAP_FFMPEG
        self._capture = cv2.VideoCapture(order.target, backend, self._time_outs())
        if not self._capture.isOpened():
            raise LinkLost(f"{order.shown} cannot be opened{_reason(order)}")
        self.settings: Mapping[str, Setting] = self._set() if self._v4l2 else {}
        self.fourcc = self._fourcc()
        self.coded = self.fourcc in ("MJPG", "JPEG") and self._take_undecoded()

    @property
    def told_rate_hz(self) -> float:
        """The rate OpenCV tells; a guess of its own where the stream says nothing (HTTP)."""
        return float(self._capture.get(cv2.CAP_PROP_FPS))

    @property
    def backend(self) -> str:
        return str(self._capture.getBackendName())

    def grab(self) -> Grabbed:
        """The next picture; the host's stamp is taken before any of it is decoded where the
        format allows that. Errors: LinkLost where the stream ends or is silent for too long."""
        asked_ns = time.monotonic_ns()
        if not self._capture.grab():
            raise self._ended(time.monotonic_ns() - asked_ns)
        stamp_ns = time.monotonic_ns()
        device_ns = self._device_ns()
        there, picture = self._capture.retrieve()
        whole = there and picture is not None
        data = np.asarray(picture, np.uint8) if whole else np.empty(0, np.uint8)
        return Grabbed(data, self.coded, stamp_ns, device_ns)

    def _time_outs(self) -> list[int]:
        if self._v4l2:
            return []  # by the environment of the process
        return [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(self._order.open_timeout_s * _MS_PER_S)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(self._order.read_timeout_s * _MS_PER_S)),
            *(cv2.CAP_PROP_N_THREADS, 1),  # more would each hold back a frame
        ]

    def _set(self) -> dict[str, Setting]:
        """Ask for every setting that was ordered, then read all of them back."""
        order = self._order
        if order.fourcc is not None:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*order.fourcc))
        if order.width is not None and order.height is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, order.width)
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, order.height)
        self._capture.set(cv2.CAP_PROP_FPS, order.rate_hz)
        if order.exposure_us is not None:
            self._capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL)
            self._capture.set(cv2.CAP_PROP_EXPOSURE, order.exposure_us / _US_PER_STEP)
        if order.gain is not None:
            self._capture.set(cv2.CAP_PROP_GAIN, order.gain)
        if order.white_balance_k is not None:
            self._capture.set(cv2.CAP_PROP_AUTO_WB, 0)
            self._capture.set(cv2.CAP_PROP_WB_TEMPERATURE, order.white_balance_k)
        return {
            "exposure_us": self._read(order.exposure_us, cv2.CAP_PROP_EXPOSURE, _US_PER_STEP),
            "gain": self._read(order.gain, cv2.CAP_PROP_GAIN),
            "white_balance_k": self._read(order.white_balance_k, cv2.CAP_PROP_WB_TEMPERATURE),
        }

    def _read(self, asked: float | None, what: int, unit: float = 1.0) -> Setting:
        told = float(self._capture.get(what))
        obtained = told * unit if told >= 0 else float("nan")  # -1: the camera has no such thing
        return Setting(float("nan") if asked is None else asked, obtained)

    def _fourcc(self) -> str:
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        letters = (chr((code >> shift) & 0xFF) for shift in (0, 8, 16, 24))
        return "".join(letter if letter.isprintable() else "?" for letter in letters).upper()

    def _take_undecoded(self) -> bool:
        if self._v4l2:
            return bool(self._capture.set(cv2.CAP_PROP_CONVERT_RGB, 0))
        return bool(self._capture.set(cv2.CAP_PROP_FORMAT, _RAW))

    def _device_ns(self) -> int:
        """V4L2 gives the stamp of the buffer, RTSP that of the sender; over HTTP there is none,
        and what OpenCV says is a count of frames."""
        if self._order.kind is Kind.HTTP:
            return NEVER
        told_ms = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        return round(told_ms * NS_PER_MS) if told_ms > 0 else NEVER

    def _ended(self, waited_ns: int) -> LinkLost:
        timeout_s = self._order.read_timeout_s
        if waited_ns >= timeout_s * _MS_PER_S * NS_PER_MS:
            return LinkLost(f"{self._order.shown} sent no picture for {timeout_s:g} s")
        return LinkLost(f"{self._order.shown} ended the stream")


def _reason(order: Order) -> str:
    said = explain(order.target, order.read_timeout_s) if order.kind is Kind.HTTP else ""
    return f": {said}" if said else ""


def decode(grabbed: Grabbed) -> NDArray[np.uint8] | None:
    """BGR picture, (h, w, 3); None for one that is cut off or is no picture."""
    data = grabbed.data
    if not grabbed.coded:
        return data if data.ndim == 3 and data.shape[2] == 3 else None
    flat = data.reshape(-1)
    if not flat.size:
        return None
    try:
        picture: Any = cv2.imdecode(flat, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(picture, np.uint8)
