"""What a policy perceives besides its joints: tracked poses and sensors, with their ages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from hil.clock import Deadline, VirtualClock
from hil.contracts import (
    Capability,
    Finding,
    FloatArray,
    Identity,
    SafeProof,
    SensorFacts,
    SensorSample,
)
from hil.errors import DeadlineMissed
from hil.loop.ticklog import TickNote
from hil.record.format import TickFlag
from hil.run.senses import TRACKER, Senses

GOAL = {"cube": np.array([0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 1.0]), "switch": np.array([1, 2, 3, 0.5])}


class Followed:
    """A scene whose tracker says what it is told to say."""

    def __init__(self) -> None:
        self.poses: Mapping[str, FloatArray] = GOAL
        self.late = False

    def track(self, deadline: Deadline) -> Mapping[str, FloatArray]:
        if self.late:
            raise DeadlineMissed("the tracker is late")
        return self.poses


class Scale:
    """A sensor with one value that is sometimes absent."""

    role = "scale"
    capabilities = frozenset({Capability.FORCE_TORQUE})
    facts = SensorFacts(Capability.FORCE_TORQUE, ("fz",), "N", 100.0)

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.value = 2.0

    def sample(self, deadline: Deadline) -> SensorSample:
        age_ns = np.array([3_000_000], dtype=np.int64)
        return SensorSample(self._clock.now_ns(), np.array([self.value]), age_ns)

    def open(self, deadline: Deadline) -> None: ...

    def identity(self, deadline: Deadline) -> Identity:
        return Identity("scale")

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        return []

    def ping(self, deadline: Deadline) -> None: ...

    def counters(self) -> Mapping[str, int]:
        return {}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        return SafeProof("scale", True, "passive", {}, 0, 0)

    def close(self) -> None: ...


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_everything_is_on_the_record_with_names_and_ages(clock: VirtualClock) -> None:
    scene, scale = Followed(), Scale(clock)
    senses = Senses(clock, GOAL, scene, {"scale": scale}, 3)  # type: ignore[arg-type]
    far = Deadline.after_s(clock, 1.0)
    senses.take(0, TickNote(), far)
    clock.advance(20_000_000)
    scene.poses = {**GOAL, "cube": GOAL["cube"] + 1}
    scale.value = np.nan
    senses.take(1, TickNote(), far)
    assert senses.tracked["cube"][0] == pytest.approx(1.1)
    recorded = senses.channels(2)
    assert recorded[TRACKER].labels[:2] == ("cube.x", "cube.y")
    assert recorded[TRACKER].labels[-1] == "switch.yaw"
    np.testing.assert_allclose(recorded[TRACKER].column("cube.x"), [0.1, 1.1])
    np.testing.assert_array_equal(recorded["scale"].value[:, 0], [2.0, np.nan])
    assert recorded["scale"].unit == "N"
    assert (recorded["scale"].age_ns == 3_000_000).all()


def test_what_came_late_is_absent_and_the_last_value_ages(clock: VirtualClock) -> None:
    scene = Followed()
    senses = Senses(clock, GOAL, scene, {}, 2)  # type: ignore[arg-type]
    far = Deadline.after_s(clock, 1.0)
    senses.take(0, TickNote(), far)
    clock.advance(30_000_000)
    scene.late = True
    note = TickNote()
    senses.take(1, note, far)
    assert note.flags & TickFlag.LOST_INPUT
    assert senses.tracked_age_s == pytest.approx(0.03)
    np.testing.assert_array_equal(senses.tracked["cube"], GOAL["cube"])
    assert np.isnan(senses.channels(2)[TRACKER].value[1]).all()


def test_a_thing_out_of_sight_is_absent_in_the_record_and_kept_in_mind(
    clock: VirtualClock,
) -> None:
    scene = Followed()
    senses = Senses(clock, GOAL, scene, {}, 1)  # type: ignore[arg-type]
    scene.poses = {"switch": GOAL["switch"]}
    senses.take(0, TickNote(), Deadline.after_s(clock, 1.0))
    np.testing.assert_array_equal(senses.tracked["cube"], GOAL["cube"])
    tracked = senses.channels(1)[TRACKER]
    assert np.isnan(tracked.value[0, :7]).all()
    assert not np.isnan(tracked.value[0, 7:]).any()


def test_a_job_that_needs_no_tracker_asks_it_once(clock: VirtualClock) -> None:
    senses = Senses(clock, GOAL, None, {}, 1)
    senses.take(0, TickNote(), Deadline.after_s(clock, 1.0))
    assert senses.tracked is GOAL
    assert senses.channels(1) == {}
