"""A camera's self-test: what was obtained against what was asked, as findings. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from drivers.camera.capture import Opened
from drivers.camera.mailbox import Account
from drivers.camera.parameters import Parameters
from drivers.camera.picture import look_at
from drivers.camera.source import Kind
from hil.clock import NS_PER_S
from hil.contracts import NEVER, Finding

_TOLERANCE = 0.05
"""Cameras have steps: a setting within 5 % of what was asked was obtained."""


def stream_findings(
    asked: Parameters, opened: Opened, account: Account, kind: Kind, device_ns: int
) -> list[Finding]:
    """Size, settings, rate, freeze, missing and damaged pictures.

    `device_ns` is the camera's own stamp of a frame, NEVER where it has none.
    """
    return [
        _size(asked, opened),
        *_format(asked, opened),
        *_settings(asked, opened, kind),
        _rate(asked, account),
        _freeze(asked, account),
        _missing(asked, account),
        _damage(account),
        _stamps(device_ns),
    ]


def picture_findings(asked: Parameters, image: NDArray[np.uint8]) -> list[Finding]:
    """Brightness, overexposure and sharpness of an RGB picture (h, w, 3)."""
    look = look_at(image)
    bright = look.brightness >= asked.brightness_min
    burnt = look.overexposed > asked.overexposed_share
    return [
        Finding(
            "brightness",
            bright,
            f"mean {look.brightness:.0f} of 255, at least {asked.brightness_min:g} wanted",
            "" if bright else "take off the lens cap, switch on the light, raise the exposure",
        ),
        Finding(
            "overexposed",
            not burnt,
            f"{look.overexposed:.1%} of the pixels, {asked.overexposed_share:.0%} may be",
            "less light, or a shorter exposure" if burnt else "",
        ),
        _sharpness(asked, look.sharpness),
    ]


def _sharpness(asked: Parameters, found: float) -> Finding:
    reference = asked.sharpness_reference
    if reference is None:
        detail = (
            f"variance of the Laplacian {found:.1f}, relative: compare it with this camera's own"
            f" when the picture is sharp (sharpness_reference = {found:.1f})"
        )
        return Finding("sharpness", True, detail)
    share = found / reference
    sharp = share >= asked.sharpness_share
    detail = (
        f"{share:.0%} of the reference {reference:g} (variance of the Laplacian, relative),"
        f" at least {asked.sharpness_share:.0%} wanted"
    )
    remedy = "clean and focus the lens; or the scene is another than that of the reference"
    return Finding("sharpness", sharp, detail, "" if sharp else remedy)


def _size(asked: Parameters, opened: Opened) -> Finding:
    got = f"{opened.width} x {opened.height}"
    if asked.width is None:
        return Finding("size", True, f"{got}, none was asked")
    ok = (asked.width, asked.height) == (opened.width, opened.height)
    detail = f"{got} obtained, {asked.width} x {asked.height} asked"
    remedy = "ask for a size that the camera has, or set it at the camera"
    return Finding("size", ok, detail, "" if ok else remedy)


def _format(asked: Parameters, opened: Opened) -> Iterator[Finding]:
    if asked.fourcc is not None:
        ok = asked.fourcc == opened.fourcc
        detail = f"{opened.fourcc} obtained, {asked.fourcc} asked"
        yield Finding("fourcc", ok, detail, "" if ok else "`v4l2-ctl --list-formats` lists them")


def _settings(asked: Parameters, opened: Opened, kind: Kind) -> Iterator[Finding]:
    wanted: Mapping[str, float | None] = {
        "exposure_us": asked.exposure_us,
        "gain": asked.gain,
        "white_balance_k": asked.white_balance_k,
    }
    for name, value in wanted.items():
        got = opened.settings[name].obtained if name in opened.settings else math.nan
        told = f"{got:g}" if math.isfinite(got) else "nothing"
        if value is not None:
            ok = math.isclose(got, value, rel_tol=_TOLERANCE)
            why = "the camera has steps and limits: ask for one of its own"
            if kind is not Kind.V4L2:
                why = f"cannot be set over {kind.value}: set it at the camera, leave it out here"
            yield Finding(name, ok, f"{told} obtained, {value:g} asked", "" if ok else why)
        elif math.isfinite(got):
            yield Finding(name, True, f"{told}, none was asked")


def _rate(asked: Parameters, account: Account) -> Finding:
    ok = account.rate_hz >= asked.rate_share * asked.rate_hz
    got = f"{account.rate_hz:.1f}" if math.isfinite(account.rate_hz) else "not known"
    detail = f"{got} frames a second obtained, {asked.rate_hz:g} asked"
    remedy = "more light (automatic exposure slows a camera down), MJPG, a smaller size, a USB port"
    return Finding("rate", ok, detail, "" if ok else f"{remedy} of its own")


def _freeze(asked: Parameters, account: Account) -> Finding:
    still_ns = 0 if account.last_ns == NEVER else account.last_ns - account.still_since_ns
    frozen = still_ns >= asked.freeze_s * NS_PER_S
    detail = f"the same picture for {still_ns / NS_PER_S:.2f} s, {account.repeated} repeated in all"
    remedy = "the camera hangs: replug it; or it shows something that cannot move"
    return Finding("freeze", not frozen, detail, remedy if frozen else "")


def _missing(asked: Parameters, account: Account) -> Finding:
    due = account.frames + account.missed
    share = account.missed / due if due else 0.0
    ok = share <= asked.missed_share
    detail = f"{account.missed} of {due} missing by the stamps, {asked.missed_share:.0%} may be"
    remedy = "another USB port, a smaller picture, a wired network; or ask for a lower rate_hz"
    return Finding("drops", ok, detail, "" if ok else remedy)


def _damage(account: Account) -> Finding:
    ok = not (account.broken or account.wrong_size or account.complaints)
    detail = (
        f"{account.broken} could not be decoded, {account.wrong_size} of another size,"
        f" {account.complaints} with a warning of the decoder"
    )
    remedy = "check cable and hub; a warning can be harmless, as some cameras pad their pictures"
    return Finding("pictures", ok, detail, "" if ok else remedy)


def _stamps(device_ns: int) -> Finding:
    detail = (
        "none of the camera's own: ages count from when the host had the frame"
        if device_ns == NEVER
        else "the camera's own are there, and gaps are measured by them"
    )
    return Finding("stamps", True, detail)
