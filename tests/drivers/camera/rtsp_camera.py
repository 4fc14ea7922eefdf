"""An RTSP camera for one client: JPEG over RTP (RFC 2435), interleaved on the TCP connection."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from hil.clock import NS_PER_US
from sim.emulated.mjpeg.faults import Faults
from sim.emulated.mjpeg.mark import Mark
from sim.emulated.mjpeg.pattern import Pattern

RATE_HZ = 25
CLOCK_HZ = 90_000
_PAYLOAD = 1400
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=control:track0\r\n"
)


def rtp_packets(jpeg: bytes, size: tuple[int, int], stamp: int, first: int) -> Iterator[bytes]:
    """The packets of one picture; `first` is the sequence number of the first."""
    tables, scan = _taken_apart(jpeg)
    at = 0
    while at < len(scan):
        part = scan[at : at + _PAYLOAD]
        last = at + len(part) == len(scan)
        header = struct.pack(">BBHII", 0x80, 26 | last << 7, first & 0xFFFF, stamp & 0xFFFFFFFF, 1)
        jpeg_header = struct.pack(">I", at) + bytes([1, 255, size[0] // 8, size[1] // 8])
        if at == 0:
            jpeg_header += struct.pack(">BBH", 0, 0, len(tables)) + tables
        yield header + jpeg_header + part
        at, first = at + len(part), first + 1


def _taken_apart(jpeg: bytes) -> tuple[bytes, bytes]:
    """Quantisation tables and the scan."""
    tables, at = b"", 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        segment = jpeg[at + 4 : at + 2 + length]
        if marker == 0xDB:
            tables += b"".join(segment[k + 1 : k + 65] for k in range(0, len(segment), 65))
        at += 2 + length
        if marker == 0xDA:
            return tables, jpeg[at:-2]


class RtspCamera:
    """Serves the emulated camera's pictures at `url`, to one client after another."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._pattern = Pattern(size, None, 80, 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.url = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/live"

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        self._listener.settimeout(0.1)
        while not self._stopped.is_set():
            try:
                link, _ = self._listener.accept()
            except TimeoutError:
                continue
            with link:
                try:
                    self._talk(link)
                except OSError:
                    continue

    def _talk(self, link: socket.socket) -> None:
        link.settimeout(10)
        heard = b""
        while True:
            while b"\r\n\r\n" not in heard:
                data = link.recv(4096)
                if not data:
                    return
                heard += data
            request, _, heard = heard.partition(b"\r\n\r\n")
            lines = request.decode().split("\r\n")
            method = lines[0].split(" ")[0]
            number = next(line for line in lines if line.lower().startswith("cseq"))
            more = {
                "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
                "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n",
                "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
                "PLAY": "Session: 1\r\nRange: npt=0.000-\r\n",
            }.get(method, "")
            body = _SDP if method == "DESCRIBE" else ""
            link.sendall(f"RTSP/1.0 200 OK\r\n{number}\r\n{more}\r\n{body}".encode())
            if method == "PLAY":
                self._play(link)
                return

    def _play(self, link: socket.socket) -> None:
        begun_s, number, sequence = time.monotonic(), 0, 0
        faults = Faults.model_validate({})
        while not self._stopped.is_set():
            time.sleep(max(0.0, begun_s + number / RATE_HZ - time.monotonic()))
            mark = Mark(number, time.monotonic_ns() // NS_PER_US)
            image = self._pattern.render(mark, faults)
            # RFC 2435 knows 4:2:0 with the standard Huffman tables
            jpeg = bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])
            stamp = number * CLOCK_HZ // RATE_HZ
            for packet in rtp_packets(jpeg, self._size, stamp, sequence):
                link.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
                sequence += 1
            number += 1


@contextmanager
def rtsp_camera(width: int, height: int) -> Iterator[RtspCamera]:
    running = RtspCamera((width, height))
    try:
        yield running
    finally:
        running.close()
