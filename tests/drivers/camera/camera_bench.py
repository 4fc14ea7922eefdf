"""An emulated camera in its own process, and the driver on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from drivers.camera.device import OpenCvCamera, build
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
from sim.emulated.camera import EMULATOR, CameraOptions
from sim.twin.child import Child

CLOCK = WallClock()


def soon(seconds: float = 20.0) -> Deadline:
    """Far enough that only a hang reaches it."""
    return Deadline.after_s(CLOCK, seconds)


@dataclass(frozen=True)
class Emulated:
    """The running camera; `url` is its stream."""

    url: str
    child: Child

    def control(self, **faults: object) -> dict[str, Any]:
        request = Request(self._at("control"), json.dumps(faults).encode(), method="POST")
        with urlopen(request, timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def status(self) -> dict[str, int]:
        with urlopen(self._at("status"), timeout=10) as answer:
            told: dict[str, int] = json.load(answer)
            return told

    def _at(self, path: str) -> str:
        return self.url.rpartition("/")[0] + "/" + path


@contextmanager
def emulated_camera(**options: object) -> Iterator[Emulated]:
    child = Child("camera", EMULATOR.command(CameraOptions.model_validate(options)))
    try:
        yield Emulated(child.announcement(soon())["port"], child)
    finally:
        child.hang_up()
        if not child.ended_by(soon(5)):
            child.kill()
            child.ended_by(soon(5))
        child.release()


def camera(url: str, **parameters: object) -> OpenCvCamera:
    spec = DeviceSpec("eye", "camera", url, parameters, Path())
    return build(spec, BenchContext(CLOCK))


@contextmanager
def opened(url: str, **parameters: object) -> Iterator[OpenCvCamera]:
    device = camera(url, **parameters)
    device.open(soon())
    try:
        yield device
    finally:
        device.close()
