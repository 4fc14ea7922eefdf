"""A chain of motors that is read and driven over a real pseudo-terminal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from damiao_chains import STEP, TARGET, drive_to, emulated, motor, named, set_register, soon, spec
from pump import Pump

from drivers.damiao.chain import DamiaoChain, build
from drivers.damiao.codec import from_code
from hil.clock import WallClock
from hil.contracts import BenchContext
from hil.errors import HarnessError


def test_read_gives_si_units_and_ages(chain: DamiaoChain) -> None:
    sample = chain.read(soon())
    assert sample.present.all()
    assert sample.position == pytest.approx(np.zeros(8), abs=STEP)
    assert (sample.age_ns > 0).all()
    assert (sample.age_ns < 3e9).all()
    assert (np.abs(sample.effort) <= 1).all()


def test_joints_go_where_they_are_told(chain: DamiaoChain) -> None:
    chain.enable(soon())
    assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)


def test_command_says_what_is_on_the_wire(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    applied = chain.command(TARGET, soon())
    chain.read(soon())
    codes = [
        int(line[5:9], 16)
        for line in bytes(pump.received).decode().split("\r")
        if line[:1] == "t" and line[1:4] != "7FF"
    ][-8:]
    assert applied == pytest.approx([from_code(code, -12.5, 12.5, 16) for code in codes])
    assert (np.abs(applied - TARGET) < STEP).all()
    assert (applied <= TARGET).all(), "cut off, as the motors' own code does"


def test_target_held_at_what_was_applied_does_not_creep(chain: DamiaoChain) -> None:
    chain.enable(soon())
    applied = chain.command(TARGET, soon())
    for _ in range(50):
        again = chain.command(applied, soon())
        assert (again == applied).all()


@pytest.mark.parametrize("side", [-1, 1])
def test_command_is_clipped_to_the_limits(chain: DamiaoChain, side: int) -> None:
    chain.enable(soon())
    applied = chain.command(np.full(8, 20.0 * side), soon())
    limits = chain.limits
    assert applied == pytest.approx(limits.upper if side > 0 else limits.lower, abs=1e-9)
    table = chain._robot.limits
    assert (limits.lower >= table.lower).all()
    assert (limits.upper <= table.upper).all()
    assert (limits.lower - table.lower < STEP).all()


def test_gains_are_those_of_the_table_or_of_the_rig_file(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    chain = chain_with(joints={"joint_1": {"kp": 100.0, "kd": 2.0}})
    chain.open(soon())
    chain.enable(soon())
    chain.read(soon())
    assert motor(pump, 1)._command.kp == pytest.approx(100.0, abs=500 / 4095)
    assert motor(pump, 1)._command.kd == pytest.approx(2.0, abs=5 / 4095)
    assert motor(pump, 5)._command.kp == pytest.approx(24.0, abs=500 / 4095)


def test_sign_and_offset_of_one_specimen(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    chain = chain_with(joints={"joint_5": {"sign": -1, "offset": 0.5}})
    chain.open(soon())
    assert chain.read(soon()).position[4] == pytest.approx(0.5, abs=STEP)
    chain.enable(soon())
    target = np.zeros(8)
    target[4] = 0.2
    drive_to(chain, target)
    assert motor(pump, 5)._position() == pytest.approx(0.3, abs=3 * STEP)


def test_ranges_of_the_motor_win_over_the_table(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    """Half the range: whoever goes by the table takes twice the angle."""
    set_register(pump, 5, "position_range", 6.25)
    set_register(pump, 5, "torque_range", 7.0)
    chain = chain_with()
    chain.open(soon())
    chain.enable(soon())
    assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)
    assert motor(pump, 5)._body.position == pytest.approx(TARGET[4], abs=3 * STEP)
    finding = named(chain.health(soon()))["ranges"]
    assert not finding.ok
    assert "joint_5 6.25 rad" in finding.detail
    assert "own ranges are used" in finding.remedy


@pytest.mark.parametrize("target", [np.zeros(7), np.array([0, 0, np.nan, 0, 0, 0, 0, 0])])
def test_target_that_is_none_is_refused(chain: DamiaoChain, pump: Pump, target: np.ndarray) -> None:
    chain.enable(soon())
    before = len(pump.received)
    with pytest.raises(HarnessError, match="targets"):
        chain.command(target, soon())
    assert len(pump.received) == before


@pytest.mark.parametrize("options", [{"acks": "cr"}, {"acks": "none"}])
def test_other_adapters(options: dict) -> None:
    with emulated(**options) as path:
        chain = build(spec(path), BenchContext(WallClock()))
        chain.open(soon())
        chain.enable(soon())
        assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)
        assert chain.make_safe(soon()).safe
        chain.close()


def test_motors_on_a_fd_bus() -> None:
    with emulated(data_bit_rate=5_000_000) as path:
        chain = build(spec(path, data_bit_rate=5_000_000), BenchContext(WallClock()))
        chain.open(soon())
        chain.enable(soon())
        assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)
        assert chain.make_safe(soon()).safe
        chain.close()


def test_motors_behind_the_makers_bridge() -> None:
    line = emulated(adapter="damiao-bridge")
    with line as path:
        chain = build(spec(path, adapter="damiao-bridge"), BenchContext(WallClock()))
        chain.open(soon())
        chain.enable(soon())
        assert drive_to(chain, TARGET) == pytest.approx(TARGET, abs=3 * STEP)
        line.control({"faults": {"corrupt": 1}})
        assert chain.read(soon()).present.sum() == 7
        line.control({"faults": {"naks": 1}})
        assert chain.read(soon()).present.sum() == 7
        assert chain.counters()["send_failed"] == 1
        assert not named(chain.health(soon()))["can channel"].ok
        assert chain.make_safe(soon()).safe
        chain.close()
        assert (
            build(spec(path, adapter="damiao-bridge"), BenchContext(WallClock()))
            .rescue(soon())
            .safe
        )
