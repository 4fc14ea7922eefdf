"""What goes wrong with a chain of motors: each a named outcome, within its deadline."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import numpy as np
import pytest
from damiao_chains import emulated, soon, spec
from pump import Pump

from drivers.can.codec import encode_frame
from drivers.can.frames import CanFrame
from drivers.damiao.chain import DamiaoChain, build
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import NEVER, BenchContext
from hil.errors import DeviceFault, DeviceNotFound, LinkLost, RigError

TARGET = np.full(8, -0.1)
OTHERS = [True, True, False, True, True, True, True, True]
"""Joint 3 absent."""


def tick_of(chain: DamiaoChain, ms: int = 500) -> tuple[list[bool], Deadline]:
    deadline = soon(ms)
    sample = chain.read(deadline)
    assert np.isnan(sample.velocity).tolist() == np.isnan(sample.position).tolist()
    assert np.isnan(sample.effort).tolist() == np.isnan(sample.position).tolist()
    return sample.present.tolist(), deadline


def test_silent_motor_among_several_leaves_the_others(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    chain.read(soon())
    pump.control({"faults": {"silent": [3]}})
    for _ in range(3):
        present, _ = tick_of(chain)
        assert present == OTHERS
        chain.command(TARGET, soon())
    sample = chain.read(soon())
    assert sample.age_ns[2] > max(sample.age_ns[sample.present])
    assert chain.counters()["lost_answers.joint_3"] >= 3
    assert chain.counters()["lost_answers.joint_4"] == 0
    pump.control({"faults": {}})
    assert tick_of(chain)[0] == [True] * 8


def test_silent_motor_costs_no_more_than_the_tick(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    """The time-out of an answer is longer than the tick here; the deadline holds."""
    chain = chain_with(answer_timeout_ms=1000)
    chain.open(soon())
    pump.control({"faults": {"silent": [3]}})
    clock = WallClock()
    for _ in range(5):
        present, deadline = tick_of(chain, 200)
        assert deadline.expired
        assert clock.now_ns() - deadline.at_ns < 1000 * NS_PER_MS
        assert present == OTHERS


def test_motor_that_was_never_heard_has_no_age(
    chain_with: Callable[..., DamiaoChain], pump: Pump
) -> None:
    chain = chain_with()
    chain.open(soon())
    chain._session.bus._heard.pop(3)  # type: ignore[union-attr]
    pump.control({"faults": {"silent": [3]}})
    assert chain.read(soon()).age_ns[2] == NEVER


def test_answer_of_another_id_is_not_taken(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"renamed": {3: 4}}})
    assert tick_of(chain)[0] == OTHERS
    assert chain.counters()["wrong_id"] >= 1


def test_refused_frames_are_absent_and_counted(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"naks": 3}})
    assert sum(tick_of(chain)[0]) == 5
    assert chain.counters()["naks"] == 3
    assert tick_of(chain)[0] == [True] * 8


def test_lost_answer_costs_one_sample(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.control({"faults": {"lose": {3: 1}}})
    assert tick_of(chain)[0] == OTHERS
    chain.command(TARGET, soon())
    sample = chain.read(soon())
    assert sample.present.all()
    assert chain.counters()["lost_answers.joint_3"] == 1


def test_late_motor_is_absent_and_never_old(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.control({"faults": {"delay_us": {3: 250_000}}})
    absent = 0
    for _ in range(8):
        present, _ = tick_of(chain)
        absent += not present[2]
        assert [p for place, p in enumerate(present) if place != 2] == [True] * 7
    assert absent == 8
    assert chain.counters()["late_answers"] > 0
    pump.control({"faults": {}})
    assert tick_of(chain, 1000)[0] == [True] * 8


def test_answers_that_come_twice_are_taken_once(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"duplicate": [3]}})
    for _ in range(5):
        sample = chain.read(soon())
        assert sample.present.all()
    assert chain.counters()["unowed_answers"] >= 4


def test_broken_character_is_counted(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"corrupt": 2}})
    assert sum(tick_of(chain)[0]) == 6
    assert chain.counters()["malformed_lines"] == 2


def test_silent_host_trips_the_time_out(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    chain.arm_watchdog(0.05, soon())
    limit = soon()
    while pump.status()["trips"] < 8 and not limit.expired:
        threading.Event().wait(0.005)  # the host says nothing
    assert pump.status()["torque_on"] == 0
    sample = chain.read(soon())
    assert sample.present.all(), "a motor that is off still tells where it is"
    with pytest.raises(DeviceFault, match=r"not on: joint_1 \(lost comm\)") as caught:
        chain.command(TARGET, soon())
    assert "silent for longer" in caught.value.remedy
    assert not next(f for f in chain.health(soon()) if f.name == "status").ok
    assert chain.make_safe(soon()).safe
    chain.enable(soon())
    assert pump.status()["torque_on"] == 8, "lost comm is cleared by whoever enables"


def test_motor_that_fails_in_a_run_ends_it(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    chain.command(TARGET, soon())
    pump.control({"faults": {"status": {2: 0xA}}})
    chain.read(soon())
    with pytest.raises(DeviceFault, match=r"joint_2 \(over current\)"):
        chain.command(TARGET, soon())


def test_power_cycled_motor_ends_the_run(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.control({"power_cycle": [5]})
    chain.read(soon())
    with pytest.raises(DeviceFault, match=r"joint_5 \(off\)"):
        chain.command(TARGET, soon())


@pytest.mark.parametrize(("volts", "status"), [(9.0, "under voltage"), (60.0, "over voltage")])
def test_supply_that_fails_is_named(
    chain: DamiaoChain, pump: Pump, volts: float, status: str
) -> None:
    chain.enable(soon())
    pump.control({"supply_v": volts})
    chain.read(soon())
    with pytest.raises(DeviceFault, match=status):
        chain.command(TARGET, soon())


def test_flooded_bus_keeps_its_deadlines_and_its_answers(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"flood_hz": 5_000}})
    for _ in range(5):
        sample = chain.read(soon())
        assert sample.present.all()
    assert chain.counters()["foreign_frames"] > 0
    assert chain.make_safe(soon()).safe


def test_bus_off_is_absent_joints_and_a_finding(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.control({"faults": {"bus_off": True}})
    assert sum(tick_of(chain)[0]) == 0
    findings = {finding.name: finding for finding in chain.health(soon())}
    assert "bus error" in findings["can channel"].detail
    assert not findings["answers"].ok
    proof = chain.make_safe(soon(1500))
    assert not proof.safe
    assert set(proof.readings.values()) == {"no answer"}


def test_channel_that_closed_by_itself_is_opened_to_make_safe(
    chain: DamiaoChain, pump: Pump
) -> None:
    chain.enable(soon())
    pump.control({"close_channel": True})
    assert sum(tick_of(chain)[0]) == 0
    assert chain.counters()["naks"] > 0
    proof = chain.make_safe(soon())
    assert proof.safe
    assert pump.status()["torque_on"] == 0


@pytest.mark.parametrize(
    ("fault", "part"),
    [({"mute": True}, "no adapter answers"), ({"refuse_open": True}, "refuses 'O'")],
)
def test_adapter_that_does_not_open(
    chain_with: Callable[..., DamiaoChain], pump: Pump, fault: dict, part: str
) -> None:
    pump.control({"faults": fault})
    with pytest.raises(RigError, match=re.escape(part)):
        chain_with().open(soon())
    pump.control({"faults": {}})
    chain_with().open(soon())  # the port was released


def test_port_that_is_not_there() -> None:
    chain = build(spec("/dev/no-such-port"), BenchContext(WallClock()))
    with pytest.raises(DeviceNotFound):
        chain.open(soon())


def test_port_that_somebody_else_has(
    chain: DamiaoChain, chain_with: Callable[..., DamiaoChain]
) -> None:
    with pytest.raises(RigError, match="in use by"):
        chain_with().open(soon())
    assert chain.read(soon()).present.all()


def test_unplugged_chain(chain: DamiaoChain, pump: Pump) -> None:
    chain.enable(soon())
    pump.unplug()
    for use in (
        lambda: chain.read(soon()),
        lambda: chain.command(TARGET, soon()),
        lambda: chain.ping(soon()),
        lambda: chain.arm_watchdog(0.5, soon()),
    ):
        with pytest.raises(LinkLost):
            use()
    proof = chain.make_safe(soon())
    assert not proof.safe
    assert proof.state.startswith("link lost")
    assert [finding.ok for finding in chain.health(soon())] == [False]
    chain.close()
    chain.close()


ANSWERS = b"z\r" * 8 + encode_frame(CanFrame(0x11, bytes(8))) * 2
"""What the adapter says to one read: its acknowledgements, then states."""


def read_on(chain: DamiaoChain) -> None:
    """Read until something happens."""
    limit = soon()
    while not limit.expired:
        chain.read(soon(200))


@pytest.mark.parametrize("after", range(0, len(ANSWERS), 3))
def test_unplugged_at_a_byte_of_a_read(after: int) -> None:
    line = emulated()
    with line as path:
        chain = build(spec(path), BenchContext(WallClock()))
        chain.open(soon())
        chain.enable(soon())
        line.unplug(after=after)
        with pytest.raises(LinkLost):
            read_on(chain)
        assert chain.make_safe(soon()).state.startswith("link lost")
        chain.close()


@pytest.mark.parametrize("after", [0, 1, 2, 7, 20, 60, 200, 700])
def test_unplugged_while_it_is_opened(after: int) -> None:
    line = emulated()
    with line as path:
        line.unplug(after=after)
        chain = build(spec(path), BenchContext(WallClock()))
        with pytest.raises((LinkLost, DeviceNotFound)):
            chain.open(soon())
        chain.close()
