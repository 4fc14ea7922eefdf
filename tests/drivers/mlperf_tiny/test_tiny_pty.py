"""The driver and a host of its own on a real pseudo-terminal, against the emulated board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pump import Pump, pumped
from tiny_host_independent import TinyHost

from drivers.mlperf_tiny.device import MlperfTiny, build
from hil.clock import Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, ModelImage
from hil.errors import DeadlineMissed, DeviceFault, LinkLost
from sim.emulated.mlperf_tiny import EMULATOR, Options

FEATURES = np.arange(490, dtype=np.float32).reshape(49, 10) % 100
KWS01 = ModelImage("kws01", b"", "")


def soon(seconds: float = 20.0) -> Deadline:
    """Far enough that only a hang reaches it."""
    return Deadline.after_s(WallClock(), seconds)


def pump(**options: Any) -> Pump:
    given = {"model": "kws01", "baud": 921_600, "boot_ms": 0.0, "infer_us": 500.0, **options}
    return pumped(EMULATOR.build(Options(**given)))


def device(path: str, **parameters: Any) -> MlperfTiny:
    given = {"baud": 921_600, "boot_wait_s": 0.05, **parameters}
    spec = DeviceSpec("board", "mlperf-tiny", path, given, Path())
    return build(spec, BenchContext(WallClock()))


def test_the_driver_runs_a_board_and_its_clock() -> None:
    with pump() as path:
        board = device(path, read_back=True)
        board.open(soon())
        board.load(KWS01, soon())
        result = board.infer({"features": FEATURES}, soon())
        assert result.outputs["results"].sum() == pytest.approx(1.0, abs=0.01)
        assert result.stamps.end_ns - result.stamps.start_ns >= 500_000
        first, second = (board.exchange(soon()) for _ in range(2))
        assert first.device_sent_ns < second.device_received_ns
        # one host: the emulated clock runs as fast as this one
        offset_ns = first.device_received_ns - first.sent_ns
        lowest = second.sent_ns + offset_ns - (first.received_ns - first.sent_ns)
        highest = second.received_ns + offset_ns + (first.received_ns - first.sent_ns)
        assert lowest <= second.device_received_ns <= highest
        assert board.measure(200, soon()).lowest_hz < 2000
        assert board.make_safe(soon()).safe
        board.close()


def test_a_host_of_its_own_drives_the_emulated_board() -> None:
    running = pump(baud=115_200)
    with running as path, TinyHost(path) as host:
        assert "m-init-done" in host.read_answer()
        assert host.command("name") == ["m-name-dut-[emulated]", "m-ready"]
        assert "m-model-[kws01]" in host.command("profile")
        assert host.load(FEATURES.astype(np.int8).tobytes()) == ["m-load-done", "m-ready"]
        laps, results = host.infer(4, 0)
        assert len(laps) == 2
        assert laps[1] - laps[0] >= 4 * 500
        assert sum(results) == pytest.approx(1.0, abs=0.01)
        assert running.status()["inferences"] == 4
    with pump(baud=115_200) as path:
        board = device(path, baud=115_200)
        board.open(soon())
        board.load(KWS01, soon())
        again = board.infer({"features": FEATURES}, soon()).outputs["results"].ravel()
        np.testing.assert_allclose(again, results, atol=1e-6)
        board.close()


@pytest.mark.parametrize("after", [0, 1, 9, 25])
def test_unplugged_in_the_middle_of_an_answer(after: int) -> None:
    running = pump()
    with running as path:
        board = device(path)
        board.open(soon())
        running.unplug(after)
        with pytest.raises(LinkLost):
            board.identity(soon())
        assert not board.make_safe(soon()).safe
        board.close()


def test_a_board_that_falls_silent_and_one_that_floods_cost_their_deadline() -> None:
    running = pump()
    with running as path:
        board = device(path)
        board.open(soon())
        running.control({"silent": True})
        with pytest.raises(DeadlineMissed):
            board.ping(soon(0.2))
        running.control({"silent": False, "flood": 2_000_000})
        with pytest.raises(DeadlineMissed):
            board.ping(soon(0.3))
        board.close()


def test_a_board_that_restarts_is_named_and_answers_again() -> None:
    running = pump()
    with running as path:
        board = device(path)
        board.open(soon())
        board.load(KWS01, soon())
        running.control({"reset_after_lines": 10})
        with pytest.raises(DeviceFault, match="started again"):
            board.infer({"features": FEATURES}, soon())
        board.infer({"features": FEATURES}, soon())
        assert board.counters()["restarts"] == 1
        board.close()
