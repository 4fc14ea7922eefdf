from __future__ import annotations

import cv2
import numpy as np
import pytest

from drivers.mlperf_tiny.board import MAX_TENSOR
from drivers.mlperf_tiny.profiles import load_profiles, tensor_bytes
from hil.errors import BadInput, HarnessError

PROFILES = load_profiles()


def test_sizes_are_those_of_the_benchmark_s_data_files() -> None:
    sizes = {name: profile.size for name, profile in PROFILES.items()}
    assert sizes == {
        "kws01": 490,
        "vww01": 27_648,
        "ic01": 3072,
        "ad01": 2560,
        "strww01": 0,
        "sww01": 0,
    }
    assert max(sizes.values()) == MAX_TENSOR


def test_pictures_are_interleaved_whichever_way_they_come() -> None:
    picture = np.arange(3072).reshape(32, 32, 3) % 256
    expected = bytes(value % 256 for value in range(3072))
    ic01 = PROFILES["ic01"]
    assert tensor_bytes(ic01, picture.astype(np.float32)) == expected
    assert tensor_bytes(ic01, picture[np.newaxis].astype(np.float32)) == expected
    assert tensor_bytes(ic01, picture.transpose(2, 0, 1)[np.newaxis].astype(np.float32)) == expected
    assert tensor_bytes(ic01, picture.ravel().astype(np.float32)) == expected


def test_a_compressed_picture_is_decoded_here() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes blue first
    data = bytes(cv2.imencode(".png", red)[1])
    assert tensor_bytes(PROFILES["vww01"], data) == bytes([255, 0, 0]) * 96 * 96
    with pytest.raises(BadInput, match="a picture was given"):
        tensor_bytes(PROFILES["kws01"], data)


def test_signed_bytes_and_floats_have_their_form() -> None:
    features = np.full((49, 10), -128, np.float32)
    assert tensor_bytes(PROFILES["kws01"], features) == b"\x80" * 490
    window = np.full((1, 5, 128), 0.5, np.float32)
    assert tensor_bytes(PROFILES["ad01"], window) == b"\x00\x00\x00\x3f" * 640


@pytest.mark.parametrize("value", [128.0, -129.0, 0.5, np.nan, np.inf])
def test_what_a_byte_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match="whole numbers from -128 to 127"):
        tensor_bytes(PROFILES["kws01"], np.full((49, 10), value, np.float32))


def test_another_shape_is_refused_and_named() -> None:
    with pytest.raises(BadInput, match=r"\(32, 32, 3\), given was \(3, 31, 32\)"):
        tensor_bytes(PROFILES["ic01"], np.zeros((3, 31, 32), np.float32))


def test_a_streaming_network_takes_no_tensor() -> None:
    with pytest.raises(HarnessError, match="streaming wakeword"):
        tensor_bytes(PROFILES["sww01"], np.zeros(1, np.float32))
