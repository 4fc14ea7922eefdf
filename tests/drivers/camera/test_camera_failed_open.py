"""A capture that cannot be started leaves neither descriptors nor a claim."""

from __future__ import annotations

import errno

import pytest
from camera_bench import camera, soon
from descriptors import none_left

from drivers.claim import Claim
from hil.errors import HarnessError

URL = "http://127.0.0.1:9/nobody"


def refused(*_: object, **__: object) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("os.memfd_create", OSError),
        ("os.eventfd", OSError),
        ("subprocess.Popen", HarnessError),
    ],
)
def test_whatever_of_it_cannot_be_had(
    part: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"drivers.camera.capture.{part}", refused)
    eye = camera(URL)
    with none_left(), pytest.raises(error, match="Too many open files"):
        eye.open(soon())
    with none_left():
        Claim(f"camera {URL}", "the camera").release()
    assert eye.size == (0, 0)
