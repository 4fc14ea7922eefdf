"""What goes wrong on the emulated bus, and what the driver makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dynamixel_line import Rig, soon, until

from hil.contracts import NEVER, JointSample
from hil.errors import DeviceFault, LinkLost


def test_one_silent_motor_is_absent_and_the_others_come(koch: Rig) -> None:
    device = koch.opened(answer_timeout_ms=20)
    koch.fault(silent=[3])
    broken = device.read(soon())
    assert list(broken.present) == [True, True, False, False, False, False], "the chain breaks"
    sample = device.read(soon())
    assert list(sample.present) == [True, True, False, True, True, True]
    assert sample.age_ns[2] == NEVER
    koch.fault()
    assert device.read(soon()).present.all()
    koch.fault(silent=[3])
    device.read(soon())
    sample = device.read(soon())
    assert sample.age_ns[2] > sample.age_ns[0] >= 0
    counted = device.counters()
    assert counted["lost_answers.elbow_flex"] == 4
    assert counted["lost_answers.gripper"] == 2
    assert counted["plain_instead"] >= 2
    assert counted["broken_fast_reads"] >= 2


def test_after_the_gap_reads_are_fast_again(koch: Rig) -> None:
    device = koch.opened(answer_timeout_ms=20)
    koch.fault(silent=[3])
    device.read(soon())
    koch.fault()
    device.read(soon())
    before = device.counters()["fast_reads"]
    device.read(soon())
    assert device.counters()["fast_reads"] == before + 1


@pytest.mark.parametrize(
    ("faults", "counter", "lost"),
    [
        ({"corrupt": {"3": 1}}, "crc_errors", True),
        ({"impostor": {"3": 9}}, "wrong_id", True),
        ({"hardware_error": {"3": 32}}, "alerts", False),
    ],
)
@pytest.mark.parametrize("fast", [True, False])
def test_faults_are_counted_by_name(
    koch: Rig, faults: dict[str, Any], counter: str, lost: bool, fast: bool
) -> None:
    device = koch.opened(fast_read=fast, answer_timeout_ms=20)
    before = device.counters()
    koch.fault(**faults)
    sample = device.read(soon())
    assert sample.present[2] != lost
    changed = {name for name, count in device.counters().items() if count > before[name]}
    usual = {"requests", "fast_reads", "broken_fast_reads", "resync_bytes"}
    usual |= {name for name in before if name.startswith("lost_answers")}
    assert changed - usual == {counter}


def test_late_answer_is_not_taken_for_a_fresh_one(koch: Rig) -> None:
    device = koch.opened(fast_read=False, answer_timeout_ms=5)
    koch.fault(delay_us={"6": 30_000})
    assert not device.read(soon()).present[5]
    late = device.counters
    assert until(lambda: not device.read(soon()).present[5] and late()["stale_bytes"] > 0)


def test_flood_keeps_nobody_for_ever(koch: Rig) -> None:
    """Somebody talks all the time: every read ends, and what is taken has a right CRC."""
    device = koch.opened(answer_timeout_ms=20)
    koch.fault(flood=1_000_000)
    for _ in range(20):
        sample = device.read(soon())
        assert np.abs(sample.position[sample.present]).max(initial=0) == 0
    assert device.counters()["resync_bytes"] + device.counters()["stale_bytes"] > 0
    koch.fault()
    assert until(lambda: bool(device.read(soon()).present.all()))


def test_hardware_errors_are_named(koch: Rig) -> None:
    device = koch.opened()
    koch.fault(hardware_error={"2": 32, "6": 5}, voltage={"4": 9.0})
    found = {finding.name: finding for finding in device.health(soon())}
    errors = found["hardware errors"]
    assert not errors.ok
    assert "shoulder_lift overload" in errors.detail
    assert "gripper input voltage + overheating" in errors.detail
    assert "wrist_flex input voltage" in errors.detail
    assert "reboot" in errors.remedy
    assert not found["voltage"].ok
    with pytest.raises(DeviceFault, match="shoulder_lift"):
        device.enable(soon())


def test_return_delay_and_status_level_are_findings(rig: Callable[..., Rig]) -> None:
    bench = rig(return_delay_us=500)
    device = bench.opened()
    device.bus.write(3, 68, b"\x01", soon())
    found = {finding.name: finding for finding in device.health(soon()) if not finding.ok}
    assert set(found) == {"return delay", "status return level"}
    assert "shoulder_pan 500 us" in found["return delay"].detail
    assert found["status return level"].detail == "elbow_flex 1"


@pytest.mark.parametrize("after", [1, 8, 15, 40])
def test_unplugged_in_the_middle_of_an_answer(koch: Rig, after: int) -> None:
    device = koch.opened()
    device.enable(soon())
    koch.pump.unplug(after)

    def read_until_lost() -> JointSample:
        while True:
            device.read(soon(1.0))

    with pytest.raises(LinkLost):
        read_until_lost()
    assert not device.make_safe(soon(1.0)).safe
    assert [finding.name for finding in device.health(soon(1.0))] == ["link"]
