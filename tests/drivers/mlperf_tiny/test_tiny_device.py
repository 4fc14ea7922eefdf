"""The device as the testbed sees it, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_fixtures import IC01, Line, Rig, device_on

from drivers.mlperf_tiny.device import MlperfTiny, build
from hil.clock import VirtualClock, WallClock
from hil.contracts import (
    NEVER,
    BenchContext,
    ClockSource,
    DeviceSpec,
    Inference,
    ModelImage,
    SafeProof,
)
from hil.errors import (
    BadInput,
    DeadlineMissed,
    DeviceFault,
    HarnessError,
    HilError,
    LinkLost,
    ModelRefused,
)
from sim.emulated.mlperf_tiny import EMULATOR, Options

KWS01 = ModelImage("mlperf-tiny-kws01", b"", "")
FEATURES = {"features": np.arange(490, dtype=np.float32).reshape(49, 10) % 100}


class Bench:
    """A device on an emulated board."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        parameters = options.pop("parameters", {})
        self.rig = Rig(**options)
        self.device = device_on(self.rig.line, monkeypatch, **parameters)

    def open(self) -> MlperfTiny:
        self.device.open(self.rig.soon())
        return self.device


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch, model="kws01")


def test_it_is_an_inference_device_with_a_clock(bench: Bench) -> None:
    device = bench.open()
    assert isinstance(device, Inference)
    assert isinstance(device, ClockSource)
    identity = device.identity(bench.rig.soon())
    assert (identity.model, identity.firmware) == ("emulated", "ULPMark for tinyML Firmware V0.0.1")
    assert identity.detail["network"] == "kws01"
    assert str(identity.detail["network_digest"]).startswith("not known")
    assert identity.detail["timestamp_mode"] == "performance"
    assert identity.detail["clock_step_us"] == 1
    device.ping(bench.rig.soon())
    assert all(finding.ok for finding in device.health(bench.rig.soon()))


def test_infer_returns_results_and_the_board_s_own_stamps(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    device.load(KWS01, soon())
    result = device.infer(FEATURES, soon())
    assert result.outputs["results"].shape == (1, 12)
    assert result.outputs["results"].sum() == pytest.approx(1.0, abs=0.01)
    stamps = result.stamps
    assert stamps.received_ns == stamps.start_ns < stamps.end_ns == stamps.sent_ns
    printing_ns = 1000 * int(device.identity(soon()).detail["first_stamp_printing_us"])
    assert 2_000_000 <= stamps.end_ns - stamps.start_ns <= 2_000_000 + printing_ns + 1000
    assert result.asked_ns < result.answered_ns


def test_of_several_iterations_the_stamps_give_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, model="kws01", parameters={"iterations": 100, "warmup": 3})
    device = bench.open()
    device.load(KWS01, bench.rig.soon())
    stamps = device.infer(FEATURES, bench.rig.soon()).stamps
    assert stamps.end_ns - stamps.start_ns == pytest.approx(2_000_000, rel=0.02)
    assert bench.rig.emulator.status()["inferences"] == 103


def test_a_model_that_the_firmware_does_not_hold_is_refused(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    with pytest.raises(ModelRefused, match="holds 'kws01', the model is 'ic01'"):
        device.load(IC01, soon())
    with pytest.raises(DeviceFault, match="`load` comes first"):
        device.infer(FEATURES, soon())


def test_a_board_that_was_flashed_meanwhile_is_refused(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    device.load(KWS01, soon())
    bench.rig.emulator.control({"model": "ic01"})
    bench.rig.emulator.wake(bench.rig.clock.now_ns())
    bench.rig.clock.advance(10**9)
    with pytest.raises(DeviceFault, match="started again"):
        device.infer(FEATURES, soon())
    with pytest.raises(ModelRefused, match="holds 'ic01'"):
        device.load(KWS01, soon())


@pytest.mark.parametrize("name", ["sww01", "strww01"])
def test_a_streaming_board_takes_no_input(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    bench = Bench(monkeypatch, model="strww01")
    with pytest.raises(ModelRefused, match="takes no input over the UART"):
        bench.open().load(ModelImage(name, b"", ""), bench.rig.soon())


def test_inputs_that_do_not_fit_are_refused(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    device.load(KWS01, soon())
    with pytest.raises(BadInput, match="one input, given: a, b"):
        device.infer({"a": FEATURES["features"], "b": FEATURES["features"]}, soon())
    with pytest.raises(BadInput, match=r"\(49, 10\)"):
        device.infer({"a": np.zeros((3, 3), np.float32)}, soon())


def test_another_number_of_results_is_the_board_s_fault(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    device.load(KWS01, soon())
    firmware = bench.rig.emulator._firmware
    firmware.build = replace(firmware.build, scores=lambda tensor: [1.0, 0.0])
    with pytest.raises(DeviceFault, match="2 results, the network has 12"):
        device.infer(FEATURES, soon())


def test_energy_mode_infers_and_refuses_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, model="kws01", energy_mode=True)
    device, soon = bench.open(), bench.rig.soon
    assert device.identity(soon()).detail["timestamp_mode"] == "energy"
    device.load(KWS01, soon())
    result = device.infer(FEATURES, soon())
    assert result.outputs["results"].shape == (1, 12)
    assert result.stamps.start_ns == result.stamps.end_ns == NEVER
    for refused in (lambda: device.measure(10, soon()), lambda: device.exchange(soon())):
        with pytest.raises(DeviceFault, match="energy mode") as caught:
            refused()
        assert "EE_CFG_ENERGY_MODE" in caught.value.remedy
    bad = [finding for finding in device.health(soon()) if not finding.ok]
    assert [finding.name for finding in bad] == ["board clock"]


def test_a_coarse_clock_is_measured_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, model="kws01", clock_step_us=10_000)
    device = bench.open()
    assert device.identity(bench.rig.soon()).detail["clock_step_us"] == 10_000
    (finding,) = [one for one in device.health(bench.rig.soon()) if not one.ok]
    assert finding.detail == "steps of 10000 us, 1000 allowed"


def test_a_clock_that_stands_still_cannot_be_measured_with(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, model="kws01", clock_step_us=1_000_000)
    device, soon = bench.open(), bench.rig.soon
    device.load(KWS01, soon())
    device.infer(FEATURES, soon())
    with pytest.raises(DeviceFault, match="stands still"):
        device.measure(5, soon())


def test_throughput_of_a_long_window_is_the_board_s(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    device.load(KWS01, soon())
    device.load_tensor(FEATURES, soon())
    short = device.measure(1, soon())
    assert not short.long_enough
    assert short.lowest_hz < 500.0 < short.highest_hz + 1
    long = device.measure(short.iterations_needed, soon())
    assert long.long_enough
    assert long.rate_hz == pytest.approx(500.0, rel=0.001)
    assert long.lowest_hz <= 500.0 <= long.highest_hz


def test_throughput_needs_a_tensor_and_a_window_that_the_counter_can_tell(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    device.load(KWS01, soon())
    with pytest.raises(HarnessError, match="no whole tensor"):
        device.measure(1, soon())
    device.load_tensor(FEATURES, soon())
    with pytest.raises(DeviceFault, match="do not give a duration"):
        device.measure(2_200_000, soon(10_000))


def test_a_window_over_the_wrap_of_the_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, model="kws01", clock_start_us=2**32 - 2_000_000)
    device, soon = bench.open(), bench.rig.soon
    device.load(KWS01, soon())
    device.load_tensor(FEATURES, soon())
    assert device.measure(5000, soon()).rate_hz == pytest.approx(500.0, rel=0.001)


def test_the_board_s_clock_goes_on_over_its_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, model="kws01", clock_start_us=2**32 - 10_000)
    device, clock = bench.open(), bench.rig.clock
    exchanges = []
    for pause_s in (0, 60, 3600, 3 * 3600, 20 * 3600):
        clock.advance(pause_s * 10**9)
        exchanges.append(device.exchange(bench.rig.soon()))
    offsets = [one.device_received_ns - one.sent_ns for one in exchanges]
    assert max(offsets) - min(offsets) < 2_000_000
    assert all(one.sent_ns <= one.received_ns for one in exchanges)


def test_safe_is_a_board_that_waits_for_a_command(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    proof = device.make_safe(soon())
    assert (proof.safe, proof.state) == (True, "idle")
    bench.rig.emulator.control({"silent": True})
    proof = device.make_safe(soon(3))
    assert (proof.safe, proof.state) == (False, "unreachable")
    assert [finding.ok for finding in device.health(soon(3))] == [False]


def test_a_board_that_hangs_is_named_and_comes_back_with_its_power(bench: Bench) -> None:
    device, soon = bench.open(), bench.rig.soon
    bench.rig.line.write(b"%", soon())  # what no session of ours can send
    with pytest.raises(DeadlineMissed) as caught:
        device.ping(soon(5))
    assert "switched off and on" in caught.value.remedy
    bench.rig.emulator.control({"power_cycle": True})
    device.ping(soon())


def steps(device: MlperfTiny, rig: Rig) -> dict[str, Any]:
    """Every call that waits for the board."""
    return {
        "identity": lambda: device.identity(rig.soon()),
        "load": lambda: device.load(KWS01, rig.soon()),
        "exchange": lambda: device.exchange(rig.soon()),
        "infer": lambda: device.infer(FEATURES, rig.soon()),
        "measure": lambda: device.measure(3, rig.soon()),
    }


@pytest.mark.parametrize("step", ["identity", "load", "exchange", "measure"])
def test_an_unplugged_board_is_a_lost_link_at_every_byte(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def prepared() -> Bench:
        bench = Bench(monkeypatch, model="kws01")
        device = bench.open()
        device.load(KWS01, bench.rig.soon())
        if step == "measure":
            device.load_tensor(FEATURES, bench.rig.soon())
        return bench

    whole = prepared()
    before = whole.rig.line.read_bytes
    steps(whole.device, whole.rig)[step]()
    size = whole.rig.line.read_bytes - before
    assert size > 20
    for cut in range(size):
        bench = prepared()
        bench.rig.line.cut_after = bench.rig.line.read_bytes + cut
        with pytest.raises(LinkLost):
            steps(bench.device, bench.rig)[step]()
        proof: SafeProof = bench.device.make_safe(bench.rig.soon())
        assert not proof.safe


def test_an_unplugged_board_during_a_tensor_is_a_lost_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cut in range(0, 200, 7):
        bench = Bench(monkeypatch, model="kws01")
        device = bench.open()
        device.load(KWS01, bench.rig.soon())
        bench.rig.line.cut_after = bench.rig.line.read_bytes + cut
        with pytest.raises(LinkLost):
            device.infer(FEATURES, bench.rig.soon())


def test_every_deadline_is_kept(bench: Bench) -> None:
    device, rig = bench.open(), bench.rig
    device.load(KWS01, rig.soon())
    device.load_tensor(FEATURES, rig.soon())
    rig.emulator.control({"silent": True})
    for call in (
        lambda: device.ping(rig.soon(2)),
        lambda: device.load(KWS01, rig.soon(2)),
        lambda: device.measure(5, rig.soon(2)),
        lambda: device.infer(FEATURES, rig.soon(2)),
        lambda: device.exchange(rig.soon(2)),
    ):
        begun_ns = rig.clock.now_ns()
        with pytest.raises(DeadlineMissed):
            call()
        assert rig.clock.now_ns() - begun_ns <= 2 * 10**9


def test_counters_tell_every_fault_by_name(bench: Bench) -> None:
    assert bench.device.counters() == {}
    device = bench.open()
    assert {"timeouts", "restarts", "overlong_lines", "loads_short"} <= set(device.counters())
    device.close()
    device.close()
    with pytest.raises(HarnessError, match="not open"):
        device.ping(bench.rig.soon())


def test_a_failed_open_leaves_nothing_open(bench: Bench) -> None:
    bench.rig.emulator.control({"silent": True})
    with pytest.raises(DeadlineMissed):
        bench.device.open(bench.rig.soon(3))
    assert bench.device.counters() == {}


def test_bad_parameters_are_named() -> None:
    context = BenchContext(WallClock())
    with pytest.raises(BadInput, match=r"parameters\.speed: unknown key"):
        build(DeviceSpec("b", "mlperf-tiny", "/dev/x", {"speed": 1}, Path()), context)
    with pytest.raises(BadInput, match="needs a port"):
        build(DeviceSpec("b", "mlperf-tiny", "", {}, Path()), context)


@pytest.mark.parametrize("baud", [9600, 921_600])
def test_a_wrong_baud_rate_is_a_board_that_says_nothing(
    monkeypatch: pytest.MonkeyPatch, baud: int
) -> None:
    clock = VirtualClock()
    emulator = EMULATOR.build(Options(baud=baud))
    line = Line(emulator, clock)

    class Deaf(Line):
        def write(self, data: bytes, deadline: Any) -> None:
            self._add(self.emulator.receive(data, self.clock.now_ns(), 115_200))

    deaf = Deaf(emulator, clock)
    emulator.wake(0)
    device = device_on(deaf, monkeypatch)
    with pytest.raises(HilError, match="says its name") as caught:
        device.open(Rig.soon(line, 4))  # type: ignore[arg-type]
    assert "baud" in caught.value.remedy
