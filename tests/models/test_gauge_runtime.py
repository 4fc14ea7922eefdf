"""The runtime and the zoo: what is accepted, and what is refused with which words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from hil.errors import BadInput, ModelRefused
from models.card import ImageInput
from models.runtime import Network, decode_image
from models.zoo import find_model, load_card, model_names

_DOUBLE = bytes.fromhex(  # opset 17: y = 2 x, both float32 of shape (1, 3)
    "08093a4c0a0e0a01780a016b12017922034d756c1201672a0d0801100122040000004042016b5a130a01781"
    "20e0a0c080112080a0208010a02080362130a0179120e0a0c080112080a0208010a02080342040a001011"
)
_GRAY = ImageInput(width=4, height=2, color="gray", scale=0.5)


def _png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def test_a_network_says_what_it_takes_and_has_run_once() -> None:
    network = Network(_DOUBLE, {})
    assert [(port.name, port.shape) for port in network.inputs] == [("x", (1, 3))]
    assert network.first_run_ns > 0
    outputs = network.run(network.prepare({"x": np.array([[1, 2, 3]], np.float64)}))
    np.testing.assert_array_equal(outputs["y"], np.array([[2, 4, 6]], np.float32))


def test_a_gray_image_is_averaged_over_areas_and_scaled() -> None:
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:, 4:] = 200
    pixels[0, 0] = 40
    tensor = decode_image(_png(pixels), _GRAY)
    assert tensor.shape == (1, 1, 2, 4)
    assert tensor.dtype == np.float32
    np.testing.assert_array_equal(tensor[0, 0], [[5, 0, 100, 100], [0, 0, 100, 100]])


def test_a_colour_image_has_red_first() -> None:
    blue_green_red = np.full((2, 2, 3), (10, 20, 30), np.uint8)
    tensor = decode_image(
        _png(blue_green_red), ImageInput(width=2, height=2, color="rgb", scale=1.0)
    )
    assert tensor.shape == (1, 3, 2, 2)
    np.testing.assert_array_equal(tensor[0, :, 0, 0], [30, 20, 10])


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"x" * 100])
def test_bytes_that_are_no_picture_are_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="'eye'"):
        decode_image(data, _GRAY, "eye")


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "takes the inputs x, given: none"),
        ({"x": np.zeros((3,), np.float32)}, r"shape \(3,\), the network takes \(1, 3\)"),
        ({"x": b"\xff\xd8"}, "is a tensor, an image was given"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Network(_DOUBLE, {}).prepare(inputs)  # type: ignore[arg-type]


def test_a_tensor_for_an_image_input_is_refused() -> None:
    card, model = load_card(find_model("gauge-reading"))
    with pytest.raises(BadInput, match="is an image, a tensor was given"):
        Network(model.content, model.preprocess).prepare(
            {card.inputs[0].name: np.zeros((1, 1, 96, 96), np.float32)}
        )


@pytest.mark.parametrize("content", [b"", b"junk", _DOUBLE[:40]])
def test_what_is_no_network_is_refused(content: bytes) -> None:
    with pytest.raises(ModelRefused, match="no session can be built"):
        Network(content, {})


def test_preprocess_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ModelRefused, match="inputs the network lacks: y"):
        Network(_DOUBLE, {"y": _GRAY.model_dump()})
    with pytest.raises(ModelRefused, match="width"):
        Network(_DOUBLE, {"x": {**_GRAY.model_dump(), "width": 0}})


def test_the_zoo_lists_what_it_has_when_a_name_is_unknown(tmp_path: Path) -> None:
    assert "gauge-reading" in model_names()
    with pytest.raises(BadInput, match="gauge-reading"):
        find_model("gauge-writing")
    with pytest.raises(BadInput, match=r"card\.toml"):
        find_model(tmp_path)


def test_a_changed_network_is_refused_with_both_digests(tmp_path: Path) -> None:
    source = find_model("gauge-reading")
    card = (source / "card.toml").read_text(encoding="utf-8")
    content = bytearray((source / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "card.toml").write_text(card, encoding="utf-8")
    (tmp_path / "model.onnx").write_bytes(content)
    found = hashlib.sha256(content).hexdigest()
    with pytest.raises(ModelRefused, match=found) as caught:
        load_card(find_model(tmp_path))
    assert load_card(source)[0].sha256 in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = ", "not valid TOML"),
        ('schema = 1\nname = "x"', "title"),
        ("schema = 3", "schema"),
    ],
)
def test_a_bad_card_is_named_with_the_key(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "card.toml").write_text(text)
    with pytest.raises(BadInput, match=words):
        load_card(tmp_path)


def test_a_missing_network_file_is_named(tmp_path: Path) -> None:
    card = (find_model("gauge-reading") / "card.toml").read_text(encoding="utf-8")
    (tmp_path / "card.toml").write_text(card, encoding="utf-8")
    with pytest.raises(BadInput, match=r"model\.onnx: No such file"):
        load_card(tmp_path)
