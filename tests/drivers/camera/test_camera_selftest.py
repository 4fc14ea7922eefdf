"""The self-test's findings, each good and bad."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.camera.capture import Opened
from drivers.camera.mailbox import Account
from drivers.camera.parameters import Parameters
from drivers.camera.picture import look_at
from drivers.camera.selftest import picture_findings, stream_findings
from drivers.camera.source import Kind
from drivers.camera.stream import Setting
from hil.clock import NS_PER_S
from hil.contracts import NEVER, Finding

ASKED = Parameters(width=640, height=480, rate_hz=30.0)
OPENED = Opened(640, 480, "MJPG", "V4L2", 30.0)
ACCOUNT = Account(frames=100, still_since_ns=NS_PER_S, last_ns=NS_PER_S, rate_hz=30.0)


def one(name: str, findings: list[Finding]) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def seen(
    name: str,
    asked: Parameters = ASKED,
    opened: Opened = OPENED,
    account: Account = ACCOUNT,
    kind: Kind = Kind.V4L2,
) -> Finding:
    return one(name, stream_findings(asked, opened, account, kind, NEVER))


def test_all_is_well() -> None:
    assert all(found.ok for found in stream_findings(ASKED, OPENED, ACCOUNT, Kind.V4L2, 5))


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("rate", replace(ACCOUNT, rate_hz=26.9)),
        ("rate", replace(ACCOUNT, rate_hz=float("nan"))),
        ("freeze", replace(ACCOUNT, last_ns=NS_PER_S * 3 // 2)),
        ("drops", replace(ACCOUNT, missed=6)),
        ("pictures", replace(ACCOUNT, broken=1)),
        ("pictures", replace(ACCOUNT, wrong_size=1)),
        ("pictures", replace(ACCOUNT, complaints=1)),
    ],
)
def test_what_the_account_shows(name: str, account: Account) -> None:
    assert seen(name).ok
    bad = seen(name, account=account)
    assert not bad.ok
    assert bad.remedy


def test_size_and_format() -> None:
    other = replace(OPENED, width=320, height=240, fourcc="YUYV")
    assert seen("size", opened=other) == Finding(
        *("size", False, "320 x 240 obtained, 640 x 480 asked"),
        "ask for a size that the camera has, or set it at the camera",
    )
    assert seen("size", Parameters(), other).ok
    assert not seen("fourcc", Parameters(fourcc="MJPG"), other).ok
    assert seen("fourcc", Parameters(fourcc="YUYV"), other).ok


def test_settings_asked_and_obtained() -> None:
    opened = replace(OPENED, settings={"gain": Setting(20, 16), "exposure_us": Setting(100, 102)})
    asked = Parameters(gain=20, exposure_us=100, white_balance_k=4000)
    assert seen("gain", asked, opened).detail == "16 obtained, 20 asked"
    assert not seen("gain", asked, opened).ok
    assert seen("exposure_us", asked, opened).ok
    assert seen("white_balance_k", asked, opened).detail == "nothing obtained, 4000 asked"
    over_http = seen("gain", Parameters(gain=1), kind=Kind.HTTP)
    assert not over_http.ok
    assert "cannot be set over http" in over_http.remedy


def picture(level: int) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), level, np.uint8)


def test_brightness_and_overexposure() -> None:
    for level, dark, burnt in ((5, True, False), (120, False, False), (255, False, True)):
        findings = picture_findings(ASKED, picture(level))
        assert one("brightness", findings).ok is not dark
        assert one("overexposed", findings).ok is not burnt


def test_sharpness_is_relative_to_the_rigs_own_reference() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    soft = np.asarray(cv2.GaussianBlur(noise, (9, 9), 0), np.uint8)
    reference = look_at(noise).sharpness
    assert look_at(soft).sharpness < reference / 4
    told = one("sharpness", picture_findings(ASKED, noise))
    assert told.ok
    assert f"sharpness_reference = {reference:.1f}" in told.detail
    judged = Parameters(sharpness_reference=reference)
    assert one("sharpness", picture_findings(judged, noise)).ok
    assert not one("sharpness", picture_findings(judged, soft)).ok
