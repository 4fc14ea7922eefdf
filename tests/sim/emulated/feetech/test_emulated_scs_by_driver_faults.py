"""The driver on a hand of SCS servos over a pseudo-terminal, where something is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scs_hand import SCS, Bench, findings, soon, until

from hil.contracts import NEVER, JointSample
from hil.errors import DeviceFault, LinkLost


def test_a_silent_servo_is_absent_and_costs_the_others_nothing(bench: Bench) -> None:
    device = bench.opened()
    bench.fault(silent=[3])
    sample = device.read(soon())
    assert sample.present.tolist() == [True, True, False, True, True, True, True, True]
    assert sample.age_ns[2] == NEVER
    assert math.isnan(sample.position[2])
    bench.fault()
    assert device.read(soon()).present.all()
    bench.fault(silent=[3])
    sample = device.read(soon())
    assert sample.age_ns[2] > sample.age_ns[0] >= 0
    assert device.counters()["lost_answers.middle_1"] == 2


@pytest.mark.parametrize(
    ("faults", "counter", "lost"),
    [
        ({"corrupt": {"5": 1}}, "checksum_errors", [4]),
        ({"errors": {"5": 1}}, "error_answers", []),
    ],
)
def test_spoiled_answers_are_counted_by_name(
    bench: Bench, faults: dict[str, Any], counter: str, lost: list[int]
) -> None:
    device = bench.opened()
    before = device.counters()[counter]
    bench.fault(**faults)
    assert np.flatnonzero(~device.read(soon()).present).tolist() == lost
    assert device.counters()[counter] == before + 1
    bench.fault()
    assert device.read(soon()).present.all()


def test_a_late_answer_is_not_taken_for_the_next_one(bench: Bench) -> None:
    device = bench.opened()
    counted = device.counters

    def met() -> bool:
        device.read(soon())
        now = counted()
        return now["late_answers"] + now["wrong_id"] + now["wrong_length"] > 0

    def late() -> bool:
        bench.fault(delay_us={"8": 900_000})
        assert device.read(soon()).present.tolist() == [True] * 7 + [False]
        bench.fault()
        return until(met, 2.0)

    # one that comes just when the same servo is awaited cannot be told from what is awaited
    assert any(late() for _ in range(4))
    assert device.read(soon()).present.all()
    assert device.read(soon()).position == pytest.approx(0)


@pytest.mark.parametrize(
    ("bits", "word"), [(32, "overload"), (4, "overheat"), (1, "voltage"), (33, "voltage+overload")]
)
def test_error_bits_are_named_in_the_health_of_the_hand(bench: Bench, bits: int, word: str) -> None:
    device = bench.opened()
    bench.fault(errors={"7": bits})
    found = findings(device)["errors"]
    assert (found.ok, found.detail) == (False, f"thumb_1 {word}")
    assert device.read(soon()).present.all(), "what it measures is valid all the same"


def test_wrong_model_is_named_with_what_was_expected(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(swapped={"ring_2": "sts3215"})
    with pytest.raises(DeviceFault) as caught:
        bench.opened()
    assert "servo 6 (ring_2) is model 2307 and not 1284 (scs0009)" in caught.value.message


def test_missing_servos_are_named_with_those_that_are_there(bench: Bench) -> None:
    """Asked all at once they would all answer at once; the ids come from asking one by one."""
    bench.fault(silent=[2, 5])
    listed = ""

    def refused() -> bool:
        nonlocal listed
        with pytest.raises(DeviceFault) as caught:
            bench.opened()
        assert "no answer from servo 2 (index_2)" in caught.value.message
        assert "no answer from servo 5 (ring_1)" in caught.value.message
        listed = caught.value.remedy
        return "ids that answer on this bus: 1, 3, 4, 6, 7, 8" in listed

    assert until(refused), listed  # a busy host may answer one of them too late for the look


def test_a_servo_set_up_as_a_wheel_is_refused(bench: Bench) -> None:
    bus = bench.bus()
    bus.write(4, SCS["min_angle_limit"].address, bytes(4), soon())
    bus.close()
    with pytest.raises(DeviceFault, match=r"servo 4 \(middle_2\) has no angle limits"):
        bench.opened()


def test_a_servo_that_cannot_be_read_back_is_not_safe(bench: Bench) -> None:
    device = bench.opened()
    device.enable(soon())
    bench.fault(silent=[6])
    proof = device.make_safe(soon(1.0))
    assert not proof.safe
    assert proof.readings["torque_enable.ring_2"] == "no answer"
    assert bench.pump.status()["torque_on"] == 0, "it was told nevertheless"
    bench.fault()
    assert device.make_safe(soon()).safe


@pytest.mark.parametrize("after", [1, 6, 13, 40])
def test_unplugged_in_the_middle_of_an_answer(bench: Bench, after: int) -> None:
    device = bench.opened()
    device.enable(soon())
    bench.pump.unplug(after)

    def read_until_lost() -> JointSample:
        while True:
            device.read(soon(1.0))

    with pytest.raises(LinkLost):
        read_until_lost()
    proof = device.make_safe(soon(1.0))
    assert not proof.safe
    assert proof.state.startswith("link lost")
    assert [finding.name for finding in device.health(soon(1.0))] == ["link"]


def test_servos_at_another_rate_are_silent(bench: Bench) -> None:
    with pytest.raises(DeviceFault, match="ids that answer on this bus: none"):
        bench.opened(baud=115_200)
