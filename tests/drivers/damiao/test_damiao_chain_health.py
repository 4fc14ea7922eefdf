"""What a chain of motors finds wrong with itself."""

from __future__ import annotations

import pytest
from damiao_chains import motor, named, set_register, soon
from pump import Pump

from drivers.damiao.chain import DamiaoChain


def test_health_of_a_good_chain(chain: DamiaoChain) -> None:
    found = named(chain.health(soon()))
    assert all(finding.ok for finding in found.values())
    assert found["answers"].detail == "all 8 motors answer"
    assert found["status"].detail == "off"
    assert "none until a run arms it" in found["can time-out"].detail
    chain.arm_watchdog(0.25, soon())
    assert named(chain.health(soon()))["can time-out"].detail == "250..250 ms"


def test_health_finds_what_a_motor_reports(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"status": {4: 0xE}}})
    found = named(chain.health(soon()))["status"]
    assert (found.ok, found.detail) == (False, "joint_4 overload")
    assert found.remedy


def test_health_finds_heat_and_mixed_firmware(chain: DamiaoChain, pump: Pump) -> None:
    motor(pump, 6)._rotor = 99.6
    set_register(pump, 6, "sub_version", 9)
    found = named(chain.health(soon()))
    assert [name for name, each in found.items() if not each.ok] == ["temperature", "firmware"]
    assert "joint_6 100 degC" in found["temperature"].detail
    assert "dm4310 1.9 (joint_6)" in found["firmware"].detail


def test_health_names_silent_motors(chain: DamiaoChain, pump: Pump) -> None:
    pump.control({"faults": {"silent": [1]}})
    answers = named(chain.health(soon()))["answers"]
    assert (answers.ok, "joint_1" in answers.detail) == (False, True)
    pump.control({"faults": {"silent": list(range(1, 9))}})
    assert not named(chain.health(soon()))["answers"].ok


@pytest.mark.parametrize(("timer_ms", "ok"), [(16, False), (1, True)])
def test_health_tells_of_a_slow_adapter(
    chain: DamiaoChain, monkeypatch: pytest.MonkeyPatch, timer_ms: int, ok: bool
) -> None:
    monkeypatch.setattr("drivers.transport.latency.latency_timer_ms", lambda *_: timer_ms)
    found = named(chain.health(soon()))["usb latency"]
    assert found.ok is ok
    assert bool(found.remedy) is not ok
