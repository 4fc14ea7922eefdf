"""Cameras, trackers, emergency stops and grippers, by fakes that keep state."""

from __future__ import annotations

import numpy as np
import pytest
from benches import scenario
from check_fakes import (
    FakeButton,
    FakeCamera,
    FakeGripper,
    FakeTracker,
    bad,
    bench_of,
    named,
)
from fakes import FakeDevice

from hil import contracts
from hil.catalogue import load_scenario
from hil.check.cameras import check_camera
from hil.check.grippers import check_gripper
from hil.check.model import Result, State
from hil.check.person import Person
from hil.check.stops import check_stop
from hil.check.trackers import check_tracker
from hil.clock import NS_PER_S, VirtualClock
from hil.errors import DeviceFault, LinkLost
from hil.run.attendance import Asked, Attendance


def never() -> bool:
    return False


def opened(device: FakeDevice) -> FakeDevice:
    device.is_open = True
    return device


def camera_results(**changes: object) -> list[Result]:
    clock = VirtualClock()
    camera = FakeCamera("camera", clock)
    for name, value in changes.items():
        setattr(camera, name, value)
    opened(camera)
    return list(check_camera(camera, clock, never))


def test_a_camera_at_its_rate_is_well() -> None:
    found = camera_results()
    assert not bad(found)
    assert "30.0 frames a second measured over 2.0 s, 30 asked" in named(found, "rate").detail
    assert named(found, "size").detail == "4 x 2 obtained"


def test_a_slow_camera_is_found() -> None:
    found = camera_results(period_ns=NS_PER_S // 15)
    assert bad(found) == ["rate"]
    assert "15.0 frames a second" in named(found, "rate").detail
    assert "light" in named(found, "rate").remedy


def test_a_frozen_camera_is_found() -> None:
    assert bad(camera_results(frozen=True)) == ["freeze"]


def test_a_camera_that_sends_nothing_is_found() -> None:
    found = camera_results(silent=True)
    assert bad(found) == ["rate"]
    assert named(found, "rate").detail == "0 frames in 2 s, 30 a second asked"


def test_a_camera_that_goes_away_is_an_error() -> None:
    with pytest.raises(LinkLost):
        camera_results(unplugged=True)


def tracker_results(
    kind: str = "sim", tracker_of: type[FakeTracker] = FakeTracker, **changes: object
) -> tuple[list[Result], FakeTracker]:
    tracker = tracker_of("scene", VirtualClock())
    for name, value in changes.items():
        setattr(tracker, name, value)
    opened(tracker)
    bench = bench_of(tracker)
    bench.rig = bench.rig.model_copy(update={"kind": kind})
    fitting = [load_scenario("care-light-switch-press")[0], scenario()]
    return list(check_tracker(bench, tracker, fitting, never)), tracker


def test_a_steady_tracker_is_well_after_a_scene_was_arranged_for_it() -> None:
    found, tracker = tracker_results(noise=np.array([1e-3, 1e-3, 1e-3, 0.01]))
    assert not bad(found)
    assert tracker.arranged is not None
    assert "poses" in tracker.arranged
    assert "care-light-switch-press" in named(found, "scene").detail
    spread = named(found, "knob").figures["std"]
    assert all(3e-4 < one < 3e-3 for one in spread[:3])
    assert tracker.looks == 20


@pytest.mark.parametrize("noise", [[0.02, 0, 0, 0], [0, 0, 0.02, 0], [0, 0, 0, 0.2]])
def test_a_tracker_that_wanders_in_place_or_angle_is_found(noise: list[float]) -> None:
    found, _ = tracker_results(noise=np.array(noise))
    assert bad(found) == ["knob"]
    assert "limit 5 mm" in named(found, "knob").detail


def test_an_object_that_is_lost_from_sight_is_found() -> None:
    found, _ = tracker_results(blind_every=4)
    assert bad(found) == ["knob"]
    assert named(found, "knob").detail == "seen in 15 of 20 looks"


def test_a_tracker_that_says_the_same_each_time_is_said_to() -> None:
    found, _ = tracker_results()
    assert "measures once a scene" in named(found, "knob").detail


def test_nothing_is_arranged_on_a_real_rig() -> None:
    found, tracker = tracker_results("real")
    assert tracker.arranged is None
    assert named(found, "knob").state is State.OK


def test_a_real_tracker_that_sees_nothing_yet_is_not_judged() -> None:
    class Blind(FakeTracker):
        def track(self, deadline: object) -> dict[str, np.ndarray]:
            return {}

    found, _ = tracker_results("real", Blind)
    assert named(found, "tracker").state is State.SKIPPED


def test_a_person_is_no_tracker() -> None:
    class Operator(FakeTracker):
        patience_s = 10.0

        def testimony(self, deadline: object) -> dict[str, float]:
            return {}

    found, tracker = tracker_results(tracker_of=Operator)
    assert isinstance(tracker, contracts.Testimony)
    assert named(found, "tracker").state is State.SKIPPED
    assert tracker.looks == 0


def stop_results(
    presses: list[tuple[float, float]], wanted: bool = True, person: bool = True
) -> tuple[list[Result], list[str]]:
    clock = VirtualClock()
    button = FakeButton("button", clock)
    button.presses = [(round(a * NS_PER_S), round(b * NS_PER_S)) for a, b in presses]
    opened(button)
    said: list[str] = []
    one = Person(said.append) if person else None
    return list(check_stop(button, one, wanted, clock, never)), said


def test_a_button_that_is_pressed_and_released_when_asked_is_well() -> None:
    found, said = stop_results([(2.0, 4.0)])
    assert not bad(found)
    assert named(found, "tried").detail == "seen after 2.0 s: pressed, and released again"
    assert "press the emergency stop 'button' now" in said[0]
    assert "release" in said[1]


def test_a_press_that_is_not_seen_is_found() -> None:
    found, _ = stop_results([])
    assert bad(found) == ["tried"]
    assert "would not be stopped by it" in named(found, "tried").remedy


def test_a_button_that_stays_pressed_is_found() -> None:
    found, _ = stop_results([(2.0, 100.0)])
    assert bad(found) == ["tried"]
    assert "not released within 30 s" in named(found, "tried").detail


def test_a_button_that_is_pressed_already_is_found_and_not_tried() -> None:
    found, said = stop_results([(0.0, 9.0)])
    assert bad(found) == ["state"]
    assert not said


@pytest.mark.parametrize(("wanted", "person"), [(False, True), (True, False)])
def test_a_button_that_nobody_presses_is_said_not_to_be_tried(wanted: bool, person: bool) -> None:
    found, _ = stop_results([], wanted, person)
    assert named(found, "tried").state is State.NOTE
    assert "not tried" in named(found, "tried").detail


def test_waiting_for_a_person_ends_when_the_check_is_asked_to() -> None:
    clock = VirtualClock()
    button = FakeButton("button", clock)
    opened(button)
    asked = iter([False] * 5 + [True] * 100)
    found = list(check_stop(button, Person(lambda _: None), True, clock, lambda: next(asked)))
    assert named(found, "tried").state is State.SKIPPED
    assert clock.now_ns() < NS_PER_S


@pytest.mark.parametrize(("hurry", "said"), [(False, 4), (True, 1)])
def test_a_person_is_warned_and_has_time_to_step_back(hurry: bool, said: int) -> None:
    clock, lines = VirtualClock(), []
    assert Person(lines.append, hurry).warn("ABOUT TO MOVE", 3, clock, never)
    assert len(lines) == said
    assert clock.now_ns() == (0 if hurry else 3 * NS_PER_S)


def test_a_person_can_leave_it_during_the_countdown() -> None:
    clock = VirtualClock()
    asked = iter([False] * 60 + [True] * 1000)
    assert not Person(lambda _: None).warn("ABOUT TO MOVE", 3, clock, lambda: next(asked))
    assert clock.now_ns() < 2 * NS_PER_S


def gripper_results(**changes: object) -> tuple[list[Result], FakeGripper]:
    gripper = FakeGripper("gripper", VirtualClock())
    for name, value in changes.items():
        setattr(gripper, name, value)
    opened(gripper)
    bench = bench_of(gripper)
    stop = Attendance(lambda: None, bench.clock)
    return list(check_gripper(bench, gripper, stop)), gripper


def test_a_gripper_opens_closes_and_goes_no_wider_than_it_can() -> None:
    found, gripper = gripper_results()
    assert not bad(found)
    assert named(found, "open").figures["opening_m"] == pytest.approx(0.08)
    assert named(found, "close").figures["opening_m"] == pytest.approx(0.0)
    assert named(found, "out of range").figures["applied_m"] == pytest.approx(0.08)
    assert gripper.enabled


def test_a_gripper_that_does_not_move_is_found() -> None:
    found, _ = gripper_results(stuck=True)
    assert bad(found) == ["open", "close"]
    assert named(found, "open").detail == "sent to 80.0 mm, measured 40.0 mm"


def test_a_gripper_with_something_in_it_is_a_note() -> None:
    found, _ = gripper_results(object_m=0.02)
    assert not bad(found)
    assert "holds something" in named(found, "close").detail


def test_a_gripper_whose_driver_has_no_limit_is_found() -> None:
    found, _ = gripper_results(limited=False)
    assert bad(found) == ["out of range"]


def test_a_gripper_that_never_rests_is_an_error() -> None:
    class Restless(FakeGripper):
        def read(self, deadline: object) -> object:
            self.opening = 0.01 if self.opening > 0.02 else 0.03
            self.target = 0.08
            return super().read(deadline)  # type: ignore[arg-type]

    gripper = Restless("gripper", VirtualClock())
    opened(gripper)
    bench = bench_of(gripper)
    with pytest.raises(DeviceFault, match="does not come to rest within 10 s"):
        list(check_gripper(bench, gripper, Attendance(lambda: None, bench.clock)))


def test_a_gripper_is_left_when_the_check_is_asked_to_end() -> None:
    gripper = FakeGripper("gripper", VirtualClock())
    opened(gripper)
    bench = bench_of(gripper)
    looks = iter(range(100))
    stop = Attendance(lambda: Asked("SIGINT") if next(looks) > 2 else None, bench.clock)
    found = list(check_gripper(bench, gripper, stop))
    assert named(found, "open").state is State.SKIPPED
    assert "SIGINT" in named(found, "open").detail
