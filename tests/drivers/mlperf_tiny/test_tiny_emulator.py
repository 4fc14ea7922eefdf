"""The emulated board against what the reference's parser said to the same commands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from tiny_fixtures import Rig

from hil.errors import BadInput
from sim.emulated.mlperf_tiny import EMULATOR, Options
from sim.twin.emulator import Emulator

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "mlperf_tiny.json").read_text())


def masked(text: str) -> str:
    """Without what belongs to the run (stamps) and the port (results)."""
    text = re.sub(r"m-lap-us-\d+", "m-lap-us-#", text)
    return re.sub(r"m-results-\[[^\]]*\]", "m-results-[#]", text)


class Board:
    """What comes back for what is sent, all of it, whatever it takes."""

    def __init__(self, **options: Any) -> None:
        self.emulator = EMULATOR.build(Options(vendor="unspecified", **options))
        self.now_ns = 0

    def collect(self) -> str:
        text = b""
        while (due_ns := self.emulator.due_ns()) is not None:
            self.now_ns = max(self.now_ns, due_ns)
            for line in self.emulator.wake(self.now_ns):
                text += line.data
                self.now_ns = max(self.now_ns, line.end_ns)
        return text.decode()

    def send(self, data: bytes) -> str:
        text = b""
        for line in self.emulator.receive(data, self.now_ns, self.emulator.baud):
            text += line.data
            self.now_ns = max(self.now_ns, line.end_ns)
        return text.decode() + self.collect()


def test_it_keeps_the_twin_s_contract() -> None:
    emulator: Emulator = EMULATOR.build(Options())
    assert emulator.due_ns() == 0


def test_a_whole_session_is_the_reference_s_byte_for_byte() -> None:
    board = Board()
    assert masked(board.collect()) == masked(VECTORS["boot"])
    for vector in VECTORS["session"]:
        said = board.send(vector["command"].encode() + b"%")
        assert masked(said) == masked(vector["answer"]), vector["what"]


def test_pipelined_commands_get_three_full_answers() -> None:
    board = Board()
    board.collect()
    pipelined = VECTORS["pipelined"]
    assert board.send(pipelined["commands"].encode()) == pipelined["answer"]


def test_an_io_manager_hands_on_and_relays() -> None:
    board = Board(io_manager=True, model="kws01")
    assert "[dut]: m-init-done" in board.collect()
    vector = VECTORS["io_manager"]
    said = board.send(vector["command"].encode() + b"%")
    assert masked(said) == masked(vector["answer"])
    assert board.send(b"name%") == "tinyML Enhanced Interface Board\r\nm-ready\r\n"


@pytest.mark.parametrize("fatal", VECTORS["fatal"])
def test_a_bare_terminator_hangs_it_until_it_is_switched_off_and_on(fatal: str) -> None:
    board = Board()
    board.collect()
    assert board.send(fatal.encode()) == ""
    assert board.send(b"name%") == ""
    assert board.emulator.status()["hung"]
    board.emulator.control({"reset": True})
    assert board.collect() == ""
    board.emulator.control({"power_cycle": True})
    assert masked(board.collect()) == masked(VECTORS["boot"])
    assert board.send(b"name%").startswith("m-name")


def test_an_oversize_load_is_not_refused_and_overruns_the_memory() -> None:
    board = Board(baud=10_000_000)
    board.collect()
    board.send(b"db load 99999%")
    chunk = b"db " + b"00" * 31 + b"%"
    for _ in range(27_648 // 31):
        assert board.send(chunk) == "m-ready\r\n"
    assert board.send(chunk) == ""  # 27,652 bytes are four too many
    assert board.emulator.status()["overrun_bytes"] == 1
    assert board.send(b"name%") == ""


def test_a_tensor_loaded_in_part_infers_on_stale_bytes() -> None:
    board = Board(model="kws01")
    board.collect()

    def infer() -> str:
        return masked(board.send(b"infer 1 0%")) and board.send(b"results%")

    board.send(b"db load 490%")
    for _ in range(49):
        board.send(b"db " + b"07" * 10 + b"%")
    whole = infer()
    board.send(b"db load 490%db 0707%")
    assert infer() == whole


def test_energy_mode_says_no_stamps() -> None:
    board = Board(energy_mode=True)
    assert board.collect() == "m-timestamp-mode-energy\r\nm-init-done\r\nm-ready\r\n"
    assert board.send(b"timestamp%") == "m-ready\r\n"
    assert "m-lap" not in board.send(b"infer 2 0%")


def laps(text: str) -> list[int]:
    return [int(stamp) for stamp in re.findall(r"m-lap-us-(\d+)", text)]


@pytest.mark.parametrize("count", [1, 50])
def test_printing_the_first_stamp_is_inside_the_window(count: int) -> None:
    board = Board(infer_us=2000, clock_start_us=10**9)
    board.collect()
    first, second = laps(board.send(f"infer {count} 0%".encode()))
    line_us = len(f"m-lap-us-{first}\r\n") * 10 * 1e6 / 115_200
    assert second - first == pytest.approx(count * 2000 + line_us, abs=2)


def test_the_clock_has_steps_and_wraps() -> None:
    board = Board(clock_step_us=1000, clock_start_us=2**32 - 25_000, infer_us=40_000)
    board.collect()
    first, second = laps(board.send(b"infer 1 0%"))
    assert first > 2**32 - 50_000
    assert second < 100_000
    assert first % 1000 == 0


def test_another_rate_is_not_heard() -> None:
    board = Board()
    board.collect()
    assert board.emulator.receive(b"name%", board.now_ns, 9600) == []
    assert board.emulator.status()["unheard_bytes"] == 5


def test_reset_takes_back_what_was_still_to_be_said() -> None:
    board = Board(infer_us=1e6)
    board.collect()
    board.emulator.receive(b"infer 100 0%", board.now_ns, 115_200)
    board.emulator.control({"reset": True})
    assert masked(board.collect()).endswith(masked(VECTORS["boot"]))
    assert board.now_ns < 2e9


def test_what_it_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="explode: unknown key"):
        EMULATOR.build(Options()).control({"explode": True})


def test_an_onnx_file_stands_for_the_network(tmp_path: Path) -> None:
    """Channels first, ten outputs: the mean of the red channel, times k."""
    weights = np.arange(10, dtype=np.float32).reshape(1, 10)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["x", "red"], ["r"], axis=1),
            helper.make_node("ReduceMean", ["r"], ["m"], axes=[1, 2], keepdims=1),
            helper.make_node("Reshape", ["m", "one"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["y"]),
        ],
        "red",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        [
            helper.make_tensor("red", TensorProto.INT64, [], [0]),
            helper.make_tensor("one", TensorProto.INT64, [2], [1, 1]),
            helper.make_tensor("w", TensorProto.FLOAT, [1, 10], weights.ravel()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "red.onnx"
    path.write_bytes(model.SerializeToString())
    rig = Rig(network=str(path)).start()
    rig.board.load(bytes([100, 0, 0]) * 1024, rig.soon())
    found = rig.board.infer(1, 0, rig.soon()).results
    assert found == tuple(100.0 * k for k in range(10))
    with pytest.raises(BadInput, match="has shape"):
        Rig(network=str(path), model="kws01")
    with pytest.raises(BadInput, match="No such file"):
        Rig(network=str(tmp_path / "absent.onnx"))
