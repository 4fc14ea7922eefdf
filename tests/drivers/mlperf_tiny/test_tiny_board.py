"""Loading a tensor over a line that loses bytes, and running the network on nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_fixtures import Rig

from drivers.mlperf_tiny.board import LOAD_ATTEMPTS, MAX_TENSOR
from drivers.mlperf_tiny.session import BoardRestarted
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HarnessError, ProtocolError

TENSOR = bytes(value % 251 for value in range(490))


@pytest.fixture
def rig() -> Rig:
    return Rig(model="kws01").start()


def on_board(rig: Rig) -> bytes:
    """What the board really holds."""
    return bytes(rig.emulator._firmware._memory.buffer[: len(TENSOR)])


def test_a_tensor_arrives_in_commands_of_31_bytes(rig: Rig) -> None:
    rig.board.load(TENSOR, rig.soon())
    assert on_board(rig) == TENSOR
    lengths = [len(command) for command in bytes(rig.line.sent).split(b"%")]
    assert max(lengths) == 65
    assert b"\r" not in rig.line.sent
    assert b"\n" not in rig.line.sent
    assert b"%%" not in rig.line.sent


@settings(max_examples=80, deadline=None)
@example(1056, 1)  # in the command that reads back
@example(1063, 1)  # its end
@given(st.integers(0, 1100), st.integers(1, 4))
def test_lost_bytes_anywhere_are_noticed_and_the_load_begins_again(after: int, lost: int) -> None:
    rig = Rig(model="kws01").start()
    rig.emulator.control({"after": after, "drop": lost})
    rig.board.load(TENSOR, rig.soon(), read_back=True)
    assert on_board(rig) == TENSOR
    loads = rig.board.loads
    failed = loads.refused + loads.unanswered + loads.short + loads.early + loads.misread
    # dropping what follows the last byte of the load loses nothing
    assert failed >= 1 or rig.emulator._faults.drop > 0 or after > 1000


def test_without_reading_back_a_changed_digit_stays_unseen(rig: Rig) -> None:
    rig.emulator.control({"after": 20, "corrupt": 1})
    rig.board.load(TENSOR, rig.soon())
    assert on_board(rig) != TENSOR


def test_reading_back_sees_a_changed_digit(rig: Rig) -> None:
    rig.emulator.control({"after": 20, "corrupt": 1})
    rig.board.load(TENSOR, rig.soon(), read_back=True)
    assert on_board(rig) == TENSOR
    assert rig.board.loads.misread == 1


def test_a_line_that_always_loses_is_given_up_with_every_reason(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing(faults: object, data: bytes) -> bytes:
        return data.replace(b"07", b"")

    monkeypatch.setattr(type(rig.emulator._faults), "spoiled", losing)
    with pytest.raises(ProtocolError, match=rf"in {LOAD_ATTEMPTS} attempts: m-load-done did not"):
        rig.board.load(TENSOR, rig.soon())
    assert rig.board.loads.short == LOAD_ATTEMPTS
    with pytest.raises(HarnessError, match="no whole tensor"):
        rig.board.infer(1, 0, rig.soon())


@pytest.mark.parametrize("size", [0, MAX_TENSOR + 1, 100_000])
def test_a_size_that_no_board_may_be_sent_is_refused_here(rig: Rig, size: int) -> None:
    sent = len(rig.line.sent)
    with pytest.raises(BadInput, match=f"a tensor of {size} bytes"):
        rig.board.load(bytes(size), rig.soon())
    assert len(rig.line.sent) == sent


def test_a_command_that_lost_a_letter_is_the_line_s_fault(rig: Rig) -> None:
    rig.emulator.control({"after": 0, "drop": 1})
    with pytest.raises(ProtocolError, match="'profile' was answered by 'Unknown command: rofile'"):
        rig.board.profile(rig.soon())
    assert rig.board.profile(rig.soon())[1] == "kws01"


def test_what_a_board_does_not_know_is_the_board_s_fault(rig: Rig) -> None:
    with pytest.raises(DeviceFault, match="answered by 'Unknown command: start'"):
        rig.board._tell("start", rig.soon())


def test_the_largest_tensor_fits() -> None:
    rig = Rig(model="vww01").start()
    rig.board.load(bytes(MAX_TENSOR), rig.soon())
    begun_ns = rig.clock.now_ns()
    assert 5e9 < begun_ns < 10e9  # 892 commands at 115200 baud: the reference computed 5.8 s
    assert rig.emulator.status()["overrun_bytes"] == 0


def test_nothing_is_inferred_without_a_tensor(rig: Rig) -> None:
    with pytest.raises(HarnessError, match="no whole tensor"):
        rig.board.infer(1, 0, rig.soon())


@pytest.mark.parametrize("moment", ["between", "during"])
def test_a_restart_takes_the_tensor_with_it(rig: Rig, moment: str) -> None:
    rig.board.load(TENSOR, rig.soon())
    if moment == "between":
        rig.emulator.control({"reset": True})
        rig.emulator.wake(rig.clock.now_ns())
        rig.clock.advance(10**9)
    else:
        rig.emulator.control({"reset_after_lines": 4})
    with pytest.raises(BoardRestarted):
        rig.board.infer(1, 0, rig.soon())
    assert not rig.board.tensor_loaded
    with pytest.raises(HarnessError, match="no whole tensor"):
        rig.board.infer(1, 0, rig.soon())
    rig.board.load(TENSOR, rig.soon())
    assert len(rig.board.infer(1, 0, rig.soon()).results) == 12


def test_a_restart_seen_only_while_finding_the_place_counts_too(rig: Rig) -> None:
    rig.board.load(TENSOR, rig.soon())
    rig.emulator.control({"silent": True})
    with pytest.raises(DeadlineMissed):
        rig.board.infer(1, 0, rig.soon(1))
    rig.emulator.control({"silent": False, "reset": True})
    assert rig.board.name(rig.soon())
    assert not rig.board.tensor_loaded


def test_a_restart_during_a_load_is_named(rig: Rig) -> None:
    rig.emulator.control({"reset_after_lines": 9})
    with pytest.raises(BoardRestarted):
        rig.board.load(TENSOR, rig.soon())
    assert not rig.board.tensor_loaded


def test_the_warm_up_is_always_stated(rig: Rig) -> None:
    rig.board.load(TENSOR, rig.soon())
    found = rig.board.infer(3, 0, rig.soon())
    assert (found.count, found.warmup) == (3, 0)
    assert rig.emulator.status()["inferences"] == 3
    assert rig.line.sent.endswith(b"infer 3 0%")


@pytest.mark.parametrize(("count", "warmup"), [(0, 0), (-1, 0), (1, -1)])
def test_what_cannot_be_run_is_refused_here(rig: Rig, count: int, warmup: int) -> None:
    with pytest.raises(BadInput):
        rig.board.infer(count, warmup, rig.soon())


def test_in_energy_mode_there_are_results_and_no_stamps() -> None:
    rig = Rig(model="kws01", energy_mode=True).start()
    assert rig.board.stamp(rig.soon())[0] is None
    rig.board.load(TENSOR, rig.soon())
    found = rig.board.infer(1, 0, rig.soon())
    assert found.laps_us is None
    assert len(found.results) == 12


def test_too_few_stamps_in_performance_mode_are_the_board_s_fault(rig: Rig) -> None:
    rig.board.load(TENSOR, rig.soon())
    rig.emulator._firmware._stamp = lambda: None  # type: ignore[method-assign]
    with pytest.raises(DeviceFault, match="0 time stamps"):
        rig.board.infer(1, 0, rig.soon())


def test_an_io_manager_is_sent_26_bytes_a_command() -> None:
    rig = Rig(io_manager=True, model="kws01").start()
    rig.board.load(TENSOR, rig.soon(), read_back=True)
    assert on_board(rig) == TENSOR
    commands = bytes(rig.line.sent).split(b"%")[:-1]
    assert all(command.startswith(b"dut ") for command in commands)
    assert max(len(command) for command in commands) == 59
    assert len(rig.board.infer(1, 0, rig.soon()).results) == 12


def test_what_the_io_manager_complains_about_is_told() -> None:
    rig = Rig(io_manager=True).start()
    rig.emulator._manage = lambda data, now_ns: rig.emulator._tell(  # type: ignore[method-assign]
        "e-[dut does not answer]", now_ns
    )
    with pytest.raises(DeadlineMissed, match="dut does not answer"):
        rig.board.name(rig.soon(3))
