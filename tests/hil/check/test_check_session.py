"""The whole check with fakes: one device that fails keeps no other from being looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from check_fakes import FakeButton, FakeCamera, FakeSupply, FakeTracker, bad, bench_of, named
from fakes import FakeArm, FakeDevice, FakeTerminal

from hil.check import examine as examination
from hil.check.model import Part, Report, Result, State
from hil.check.opened import Opened, check_safe
from hil.check.person import Person
from hil.check.site import Site, find_site
from hil.check.wanted import Wanted
from hil.clock import VirtualClock
from hil.contracts import Finding, SafeProof
from hil.errors import BadInput, DeviceFault, DeviceNotFound, LinkLost
from hil.rig import Bench
from hil.safety import StopRequest
from rigs.schema import Device, Rig

TODAY = date(2026, 6, 1)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def devices(clock: VirtualClock) -> dict[str, FakeDevice]:
    return {
        "arm": FakeArm("arm", clock),
        "terminal": FakeTerminal("terminal", clock),
        "scene": FakeTracker("scene", clock),
    }


def rig_of(bench: Bench, kind: str = "sim", more: Sequence[str] = ()) -> Rig:
    tables = [Device(role=role, driver="fake") for role in [*bench.devices, *more]]
    return bench.rig.model_copy(update={"kind": kind, "devices": tables})


def checked(
    monkeypatch: pytest.MonkeyPatch,
    devices: dict[str, FakeDevice],
    *,
    kind: str = "sim",
    lost: dict[str, Exception] | None = None,
    unbuilt: dict[str, Exception] | None = None,
    stop: StopRequest | None = None,
    move: bool = False,
    person: Person | None = None,
) -> list[Result]:
    bench = bench_of(*devices.values())
    rig = rig_of(bench, kind, [*(lost or {}), *(unbuilt or {})])
    bench.rig = rig
    addresses = dict.fromkeys([*devices, *(unbuilt or {})], "")
    site = Site(rig, bench, addresses, lost or {}, unbuilt or {})  # type: ignore[arg-type]
    monkeypatch.setattr(examination, "find_site", lambda *_: site)
    asked = stop or StopRequest()
    report = Report(stop=asked)
    wanted = Wanted(rig, Path("x.toml"), TODAY, 20, None, move, False, person)
    examination.examine(wanted, report, asked, {})
    assert all(not device.is_open for device in devices.values()), "something was left open"
    return report.results


def of_role(results: list[Result], role: str) -> list[Result]:
    return [result for result in results if result.role == role]


def test_a_rig_in_order_is_ready_and_every_device_is_made_safe(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    found = checked(monkeypatch, devices)
    assert not bad(found)
    safe = [result for result in found if result.part is Part.SAFE]
    assert [result.role for result in safe] == ["arm", "terminal", "scene"]
    assert "enable" not in devices["arm"].calls, "nothing is energised without --move"
    parts = [result.part for result in found]
    assert parts == sorted(parts, key=list(Part).index), "in the order of a report"


def test_a_device_that_cannot_be_opened_keeps_no_other_from_being_looked_at(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    devices["arm"].unplugged = True
    found = checked(monkeypatch, devices)
    assert bad(found) == ["opened"]
    opened = named(of_role(found, "arm"), "opened")
    assert opened.detail == "arm is gone"
    assert named(of_role(found, "terminal"), "ping").state is State.OK
    assert named(of_role(found, "arm"), "made safe").state is State.SKIPPED


def test_ports_that_are_not_found_and_parameters_that_do_not_fit_are_findings(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    found = checked(
        monkeypatch,
        devices,
        lost={"hand": DeviceNotFound("no such port; candidates: none", "plug it in")},
        unbuilt={"meter": BadInput("unknown key: baudrate", "did you mean baud?")},
    )
    assert bad(found) == ["port", "rig file"]
    assert named(of_role(found, "meter"), "rig file").remedy == "did you mean baud?"
    assert named(of_role(found, "hand"), "made safe").state is State.SKIPPED
    assert named(of_role(found, "arm"), "read").state is State.OK


def test_health_is_told_finding_by_finding(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    devices["arm"].findings = [
        Finding("voltage", False, "elbow 5.1 V (9.0..14.0 V)", "check the supply"),
        Finding("temperature", True, "at most 30 degC"),
        Finding("firmware", False, "elbow 3.9, base 3.6"),
    ]
    arm = of_role(checked(monkeypatch, devices), "arm")
    assert bad(arm) == ["voltage", "firmware"]
    assert named(arm, "voltage").remedy == "check the supply"
    assert named(arm, "temperature").state is State.OK


def test_a_driver_s_defect_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    def broken(deadline: object) -> object:
        raise IndexError("list index out of range")

    monkeypatch.setattr(devices["terminal"], "identity", broken)
    monkeypatch.setattr(devices["terminal"], "make_safe", broken)
    found = checked(monkeypatch, devices)
    assert [r.name for r in of_role(found, "terminal") if r.state is State.BAD] == [
        "identity",
        "made safe",
    ]
    assert named(of_role(found, "scene"), "made safe").state is State.OK


def test_a_device_that_goes_away_in_the_middle_is_named(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    arm = devices["arm"]
    asked = iter(range(1000))

    def ping_like(deadline: object) -> object:
        if next(asked) == 10:
            arm.unplugged = True
        return FakeArm.read(arm, deadline)  # type: ignore[arg-type]

    monkeypatch.setattr(arm, "read", ping_like)
    found = checked(monkeypatch, devices)
    assert [r.name for r in of_role(found, "arm") if r.state is State.BAD] == [
        "round trips",
        "made safe",
    ]
    assert named(of_role(found, "terminal"), "ping").state is State.OK


def test_a_device_that_cannot_be_proved_safe_says_to_cut_the_power(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    devices["arm"].refuses_safety = True
    found = checked(monkeypatch, devices)
    assert bad(found) == ["made safe"]
    assert "cut the power" in named(of_role(found, "arm"), "made safe").remedy


def test_with_move_the_arm_moves_and_what_does_not_is_closed_before(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    arm, terminal = devices["arm"], devices["terminal"]
    open_then: list[bool] = []
    command = FakeArm.command

    def spied(position: object, deadline: object) -> object:
        open_then.append(terminal.is_open)
        return command(arm, position, deadline)  # type: ignore[arg-type]

    monkeypatch.setattr(arm, "command", spied)
    found = checked(monkeypatch, devices, move=True)
    assert not bad(found)
    assert named(found, "reachable").state is State.OK
    assert open_then
    assert not any(open_then)
    assert not arm.energised  # type: ignore[attr-defined]


def test_a_supply_stays_on_for_the_motion_and_goes_off_after_what_it_feeds_is_safe(
    monkeypatch: pytest.MonkeyPatch, clock: VirtualClock
) -> None:
    arm = FakeArm("arm", clock)
    found = checked(
        monkeypatch, {"supply": FakeSupply("supply", clock, arm), "arm": arm}, move=True
    )
    assert not bad(found)
    assert named(found, "reachable").state is State.OK
    safe = [result.role for result in found if result.part is Part.SAFE]
    assert safe == ["arm", "supply"]


def test_an_arm_with_a_bad_finding_is_not_moved(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    devices["arm"].findings = [Finding("voltage", False, "5 V", "check the supply")]
    found = checked(monkeypatch, devices, move=True)
    assert (
        named(of_role(found, "arm"), "motion").detail == "not moved: first see to 'voltage' above"
    )
    assert "enable" not in devices["arm"].calls


def test_nothing_moves_while_an_emergency_stop_is_pressed_or_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice], clock: VirtualClock
) -> None:
    button = FakeButton("button", clock)
    button.presses = [(0, 10**12)]
    devices["button"] = button
    found = checked(monkeypatch, devices, move=True)
    assert bad(found) == ["state"]
    assert "emergency stop button" in named(found, "motion").detail
    assert "enable" not in devices["arm"].calls
    button.unplugged = True
    found = checked(monkeypatch, devices, move=True)
    assert "button is not open, and may be an emergency stop" in named(found, "motion").detail
    assert "enable" not in devices["arm"].calls


def test_nothing_moves_where_a_device_is_missing_that_could_be_an_emergency_stop(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    lost = {"button": DeviceNotFound("no port", "plug it in")}
    found = checked(monkeypatch, devices, move=True, lost=lost)
    assert "button is not open" in named(found, "motion").detail


def test_a_press_in_the_middle_of_the_motion_ends_it(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice], clock: VirtualClock
) -> None:
    button = FakeButton("button", clock)
    devices["button"] = button
    command = FakeArm.command
    arm, counted = devices["arm"], iter(range(1000))

    def spied(position: object, deadline: object) -> object:
        if next(counted) == 10:
            button.presses = [(clock.now_ns(), 10**15)]
        return command(arm, position, deadline)  # type: ignore[arg-type]

    monkeypatch.setattr(arm, "command", spied)
    found = checked(monkeypatch, devices, move=True)
    assert bad(found) == ["ended"]
    assert named(found, "ended").detail == "emergency stop button: pressed"
    assert next(counted) < 15
    assert named(of_role(found, "arm"), "made safe").state is State.OK


def test_a_real_rig_is_moved_after_the_person_was_warned(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    said: list[str] = []
    found = checked(monkeypatch, devices, kind="real", move=True, person=Person(said.append))
    assert named(found, "reachable").state is State.OK
    assert said[0].startswith("ABOUT TO MOVE arm")
    assert len(said) == 4


def test_a_request_to_end_leaves_the_rest_and_makes_everything_safe(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, FakeDevice]
) -> None:
    stop = StopRequest()
    monkeypatch.setattr(
        devices["terminal"], "health", lambda deadline: stop.request("SIGINT") or []
    )
    found = checked(monkeypatch, devices, stop=stop, move=True)
    assert "ping" not in [result.name for result in found]
    assert named(found, "the rest").detail.startswith("SIGINT")
    assert named(of_role(found, "arm"), "made safe").state is State.OK


def test_a_stream_and_a_button_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, clock: VirtualClock
) -> None:
    devices: dict[str, FakeDevice] = {
        "camera": FakeCamera("camera", clock),
        "button": FakeButton("button", clock),
    }
    found = checked(monkeypatch, devices)
    assert not bad(found)
    assert named(found, "freeze").state is State.OK
    assert named(found, "state").detail == "released"


class Rescuable(FakeArm):
    """An arm that does not open for want of one servo, and can be made safe all the same."""

    error: Exception = DeviceFault("no answer from servo 3")

    def open(self, deadline: object) -> None:
        raise self.error

    def rescue(self, deadline: object) -> SafeProof:
        self.calls.append("rescue")
        return SafeProof(self.role, False, "torque not proved off", {"elbow": "no answer"}, 0, 1)


@pytest.mark.parametrize(
    ("error", "rescued"),
    [(DeviceFault("no answer from servo 3"), True), (LinkLost("gone"), False)],
)
def test_an_arm_that_does_not_open_is_made_safe_where_something_can_be_sent_to_it(
    clock: VirtualClock, error: Exception, rescued: bool
) -> None:
    arm = Rescuable("arm", clock)
    arm.error = error
    with Opened(bench_of(arm)) as opened, pytest.raises(type(error)):
        opened.open("arm")
    found = named(check_safe(opened, []), "made safe")
    assert ("rescue" in arm.calls) is rescued
    assert found.state is (State.BAD if rescued else State.SKIPPED)
    if rescued:
        assert "elbow no answer" in found.detail


def test_an_unknown_driver_does_not_hide_the_other_devices(tmp_path: Path) -> None:
    rig = Rig.model_validate(
        {
            "schema": 1,
            "name": "x",
            "title": "X",
            "kind": "sim",
            "sim": {"plant": "so101"},
            "devices": [
                {"role": "arm", "driver": "sim-arm"},
                {"role": "odd", "driver": "no-such-driver"},
                {"role": "terminal", "driver": "sim-terminal", "parameters": {"infer_ms": 3}},
            ],
        }
    )
    site = find_site(rig, tmp_path / "x.toml", {}, lambda: False)
    with site.bench as bench:
        assert list(bench.devices) == ["arm"]
    assert list(site.unbuilt) == ["odd", "terminal"]
    assert "infer_us" in str(site.unbuilt["terminal"])
