"""What a plan may ask of links is known before anything is opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hil.catalogue import load_rig, load_scenario
from hil.config import validate
from hil.errors import BadInput, CapabilityMissing
from hil.plan import freeze as freezing
from hil.plan.freeze import Plan, freeze, single
from rigs.link import Corrupt, LinkTable
from rigs.schema import Port, Rig, TwinPort
from scenarios.schema import Claim, Profile, ProfileScenario, Scenario

PRESS = "care-light-switch-press"
REMOTE = Port(url="rfc2217://10.0.0.7:4000")


def rig(kind: str = "twin", **ports: Port) -> tuple[Rig, Path]:
    """The twin's or the real rig, with other ports for some roles."""
    found, path = load_rig("twin-so101" if kind == "twin" else "so101")
    devices = [
        device.model_copy(update={"port": ports[device.role]}) if device.role in ports else device
        for device in found.devices
    ]
    return found.model_copy(update={"devices": devices}), path


def profile(episodes: int = 60) -> Profile:
    entries = [ProfileScenario(id=PRESS, episodes=episodes, success_p=0.9)]
    return Profile(schema=1, name="small", title="Small", decision="all", seed=1, scenarios=entries)


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the catalogue give the scenario with changes."""

    def change(claims: Sequence[Claim] | None = None, faults: list[dict[str, Any]] | None = None):
        scenario, path = load_scenario(PRESS)
        data = scenario.model_dump(by_alias=True)
        if claims is not None:
            data["claims"] = list(claims)
        data["faults"] = faults or []
        made = validate(data, Scenario, str(path))
        monkeypatch.setattr(freezing, "load_scenario", lambda _: (made, path))

    return change


def frozen(which: Profile, on: tuple[Rig, Path]) -> Plan:
    return freeze(which, "0" * 64, *on)


@pytest.mark.parametrize(
    "url", ["rfc2217://10.0.0.7:4000", "socket://10.0.0.7:4000", "loop://", "replay:///a.wire"]
)
def test_certified_time_over_such_a_port_is_refused_naming_device_and_claims(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        frozen(profile(), rig(arm=Port(url=url)))
    text = caught.value.message
    assert f"device 'arm': {url}" in text
    scenario, _ = load_scenario(PRESS)
    timed = [claim for claim in scenario.claims if claim.kind != "success"]
    assert timed
    assert text.count("p9") + text.count("% late") >= len(timed)
    assert "hil run" in caught.value.remedy


def test_success_alone_is_allowed_over_a_network(changed: Any) -> None:
    scenario, _ = load_scenario(PRESS)
    changed([claim for claim in scenario.claims if claim.kind == "success"])
    plan = frozen(profile(), rig(arm=REMOTE))
    (row,) = plan.data["scenarios"]
    assert "over a network" in row["untimed"]


def test_a_single_run_is_allowed_and_its_claims_on_time_are_skipped() -> None:
    plan = frozen(single(PRESS, 1), rig(arm=REMOTE))
    (row,) = plan.data["scenarios"]
    assert row["untimed"].startswith("device 'arm': rfc2217://10.0.0.7:4000 leads over a network")


def test_local_ports_are_timed() -> None:
    for on in (rig(), rig("real")):
        assert frozen(profile(), on).data["scenarios"][0]["untimed"] == ""


LOOK = "mfg-gauge-reading-glasses"


def test_a_phone_behind_adb_is_untimed_emulated_or_not() -> None:
    for name, where in (
        ("android-phone", "socket://127.0.0.1:5037 leads over a network or through a server"),
        ("twin-android-phone", "port 'adb' of the twin leads through an adb server"),
    ):
        plan = frozen(single(LOOK, 2), load_rig(name))
        (row,) = plan.data["scenarios"]
        assert row["untimed"].startswith(f"device 'terminal': {where}")
        assert [one.claim for one in plan.reach] == ["success probability 0.9"], (
            "others are skipped"
        )
        certified = profile().model_copy(
            update={"scenarios": [ProfileScenario(id=LOOK, episodes=60, success_p=0.9)]}
        )
        with pytest.raises(BadInput, match="cannot be certified: device 'terminal'"):
            frozen(certified, load_rig(name))


def test_an_emulator_that_nobody_knows_is_left_for_the_twin_to_name() -> None:
    found, path = rig()
    assert found.twin is not None
    odd = TwinPort(emulator="sts9999-bus")
    twin = found.twin.model_copy(update={"ports": {**found.twin.ports, "servo-bus": odd}})
    plan = frozen(profile(), (found.model_copy(update={"twin": twin}), path))
    assert plan.data["scenarios"][0]["untimed"] == ""


def test_a_device_that_the_scenario_does_not_need_does_not_matter() -> None:
    found, path = rig()
    extra = found.devices[0].model_copy(
        update={"role": "supply", "port": Port(url="socket://10.0.0.8:5025")}
    )
    more = found.model_copy(update={"devices": [*found.devices, extra]})
    assert frozen(profile(), (more, path)).data["scenarios"][0]["untimed"] == ""


DROP = {"role": "arm", "kind": "drop", "at_s": 1.0, "for_s": 0.5}


def test_faults_are_frozen_into_the_plan(changed: Any) -> None:
    changed(faults=[DROP])
    (row,) = frozen(profile(), rig()).data["scenarios"]
    (fault,) = row["faults"]
    assert (fault["kind"], fault["role"], fault["at_s"]) == ("drop", "arm", 1.0)


def test_faults_on_a_rig_without_links_are_refused(changed: Any) -> None:
    changed(faults=[DROP])
    with pytest.raises(CapabilityMissing, match="'arm', and rig 'sim-so101' has no link there"):
        frozen(profile(), load_rig("sim-so101"))


@pytest.mark.parametrize("direction", ["to-device", "both"])
def test_flipped_bits_towards_real_joints_are_refused(changed: Any, direction: str) -> None:
    changed(faults=[{"role": "arm", "kind": "corrupt", "direction": direction}])
    with pytest.raises(BadInput, match="a real joint would follow"):
        frozen(profile(), rig("real"))
    frozen(profile(), rig())  # the twin's do no harm


def test_flipped_bits_of_the_rig_file_are_refused_too() -> None:
    found, path = rig("real")
    link = LinkTable(faults=[Corrupt(direction="both")])
    arm = found.devices[0].model_copy(update={"link": link})
    harmful = found.model_copy(update={"devices": [arm, *found.devices[1:]]})
    with pytest.raises(BadInput, match="a real joint would follow"):
        frozen(profile(), (harmful, path))


def test_flipped_bits_from_real_joints_are_allowed(changed: Any) -> None:
    changed(faults=[{"role": "arm", "kind": "corrupt"}])
    frozen(profile(), rig("real"))


@pytest.mark.parametrize("role", [{}, {"role": "leg"}])
def test_a_fault_names_a_role_that_the_scenario_needs(role: dict[str, str]) -> None:
    scenario, _ = load_scenario(PRESS)
    data = scenario.model_dump(by_alias=True) | {"faults": [{"kind": "drop", **role}]}
    with pytest.raises(ValidationError, match="needs has: arm"):
        Scenario.model_validate(data)
