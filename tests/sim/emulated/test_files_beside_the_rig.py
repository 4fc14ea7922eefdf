"""Files that a rig file names for its emulated devices lie beside it, wherever one stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper

from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, ModelImage
from hil.errors import RigError
from hil.plugins import DRIVERS, load
from rigs.schema import Twin
from sim.twin.launch import start

Within = Callable[[float], Deadline]


def twin(emulator: str, **options: object) -> Twin:
    return Twin.model_validate({"ports": {"it": {"emulator": emulator, **options}}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rig's folder, while one stands in another."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "rig" / "parts").mkdir(parents=True)
    return tmp_path / "rig"


def test_picture_of_the_camera(folder: Path, within: Within) -> None:
    green = np.zeros((240, 320, 3), np.uint8)
    green[..., 1] = 200
    cv2.imwrite(str(folder / "parts" / "green.png"), green)
    options = {"width": 320, "height": 240, "pattern": "parts/green.png"}
    with start(twin("camera", **options), folder, within(30)) as running:
        address = running.ports["it"].replace("stream.mjpg", "snapshot.jpg")
        with urlopen(address, timeout=10) as answer:
            data = np.frombuffer(answer.read(), np.uint8)
    shown = cv2.imdecode(data, cv2.IMREAD_COLOR)[120:].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(shown, [0, 200, 0], atol=20)


def test_network_of_the_board(folder: Path, clock: WallClock, within: Within) -> None:
    """Ten outputs: k times the sum of the tensor."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1, 10], np.arange(10, dtype=np.float32))
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["x", "axes"], ["s"], keepdims=1),
            helper.make_node("Reshape", ["s", "one"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["y"]),
        ],
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32, 32, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
            helper.make_tensor("one", TensorProto.INT64, [2], [1, 1]),
            weights,
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (folder / "sum.onnx").write_bytes(model.SerializeToString())
    with start(twin("mlperf-tiny", network="sum.onnx"), folder, within(30)) as running:
        spec = DeviceSpec("it", "mlperf-tiny", running.ports["it"], {"boot_wait_s": 0.1}, folder)
        board = load(DRIVERS, "mlperf-tiny")(spec, BenchContext(clock))
        board.open(within(10))
        try:
            board.load(ModelImage("ic01", b"", ""), within(5))
            picture = np.zeros((32, 32, 3), np.float32)
            picture[0, 0] = [1.0, 2.0, 4.0]
            found = board.infer({"picture": picture}, within(30)).outputs["results"]
        finally:
            board.close()
    np.testing.assert_allclose(found, [7.0 * np.arange(10)])


def test_an_arm_of_one_s_own_moves_in_its_twin_too(
    folder: Path, clock: WallClock, within: Within
) -> None:
    known = resources.files("drivers.damiao").joinpath("robots", "openarm-right.toml")
    own = re.sub(r'^model = ".*"$', 'model = "mine"', known.read_text("utf-8"), flags=re.MULTILINE)
    (folder / "parts" / "mine.toml").write_text(own, encoding="utf-8")
    asked = {"robot": "parts/mine.toml"}
    ports = {"it": {"emulator": "damiao-slcan", **asked}}
    arms = Twin.model_validate({"plant": "axes", "ports": ports})
    with start(arms, folder, within(30)) as running:
        spec = DeviceSpec("it", "damiao-chain", running.ports["it"], asked, folder)
        arm = load(DRIVERS, "damiao-chain")(spec, BenchContext(clock))
        arm.open(within(10))
        try:
            assert arm.identity(within(5)).model == "mine"
            assert np.isfinite(arm.read(within(5)).position).all()
        finally:
            arm.close()


@pytest.mark.parametrize(
    ("emulator", "option"), [("camera", "pattern"), ("mlperf-tiny", "network")]
)
def test_a_file_that_is_missing_is_named_by_its_whole_path(
    folder: Path, within: Within, emulator: str, option: str
) -> None:
    with pytest.raises(RigError) as caught:
        start(twin(emulator, **{option: "none.bin"}), folder, within(30))
    assert str(folder / "none.bin") in str(caught.value)
