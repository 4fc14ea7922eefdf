"""Cameras: how many frames really come, and whether they are new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hil.check.model import About, Part, Result
from hil.clock import NS_PER_S, Clock, Deadline
from hil.contracts import Camera, Frame
from hil.errors import DeadlineMissed

_WATCH_S = 2.0
_SHARE = 0.9
"""Of the rate asked for, that has to be obtained."""

_SLOWER = (
    "more light (automatic exposure slows a camera down), a smaller size, MJPG, or a USB port"
    " of its own; or ask for the rate that it has"
)


def check_camera(camera: Camera, clock: Clock, stop: Callable[[], bool]) -> Iterator[Result]:
    """Size, measured rate, and whether the picture stands still. Brightness and sharpness are
    the driver's own findings. Errors: LinkLost where the stream ends."""
    about = About(Part.SCENE, camera.role)
    width, height = camera.size
    yield about.ok("size", f"{width} x {height} obtained", {"width": width, "height": height})
    frames = watch(camera, clock, stop)
    yield _rate(about, camera, frames)
    if len(frames) > 1:
        yield _moving(about, frames)


def watch(camera: Camera, clock: Clock, stop: Callable[[], bool]) -> list[Frame]:
    """The frames of two seconds, as they come. Errors: LinkLost."""
    until = Deadline.after_s(clock, _WATCH_S)
    frames: list[Frame] = []
    while not until.expired and not stop():
        try:
            frames.append(camera.newest(until))
        except DeadlineMissed:
            break
    return frames


def _rate(about: About, camera: Camera, frames: list[Frame]) -> Result:
    asked_hz = camera.rate_hz
    if len(frames) < 2:
        detail = f"{len(frames)} frames in {_WATCH_S:g} s, {asked_hz:g} a second asked"
        remedy = "check its cable and its port, and what else uses it"
        return about.bad("rate", detail, remedy, {"rate_hz": 0.0})
    spent_s = (frames[-1].stamp_ns - frames[0].stamp_ns) / NS_PER_S
    rate_hz = (frames[-1].index - frames[0].index) / spent_s if spent_s > 0 else 0.0
    missed = sum(frame.missed for frame in frames[1:])
    detail = (
        f"{rate_hz:.1f} frames a second measured over {spent_s:.1f} s, {asked_hz:g} asked,"
        f" {missed} missing"
    )
    data = {"rate_hz": rate_hz, "asked_hz": asked_hz, "missed": missed}
    if rate_hz < _SHARE * asked_hz:
        return about.bad("rate", detail, _SLOWER, data)
    return about.ok("rate", detail, data)


def _moving(about: About, frames: list[Frame]) -> Result:
    repeated = sum(frame.repeated for frame in frames[1:])
    detail = f"{repeated} of {len(frames) - 1} the same, bit for bit, as the one before"
    if repeated == len(frames) - 1:
        remedy = "it has frozen: replug it; or it shows something that is no camera's picture"
        return about.bad("freeze", detail, remedy, {"repeated": repeated})
    return about.ok("freeze", detail, {"repeated": repeated})
