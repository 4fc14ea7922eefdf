"""The rig files of camera and phone: read, started, opened, asked, made safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.catalogue import load_rig
from hil.clock import WallClock
from hil.contracts import BenchContext, Camera, Capability, DeviceSpec, Inference
from hil.plugins import DRIVERS, load
from hil.rig import build_bench
from rigs.link import untimed


@pytest.mark.parametrize(
    ("rig", "role", "capability", "contract"),
    [
        ("twin-camera", "bench-camera", Capability.CAMERA, Camera),
        ("twin-android-phone", "terminal", Capability.INFERENCE, Inference),
    ],
)
def test_twin_rigs(rig: str, role: str, capability: Capability, contract: type) -> None:
    with build_bench(*load_rig(rig)) as bench:
        bench.open()
        assert bench.missing({role: capability}) == []
        assert isinstance(bench.devices[role], contract)
        assert bench.identities()[role].model
        good = {one.name: one.ok for one in bench.health()[role]}
        assert good["answers"]
    assert [proof.safe for proof in bench.safe] == [True]


@pytest.mark.parametrize("rig", ["camera", "android-phone"])
def test_rigs_to_edit_are_taken_by_their_drivers(rig: str) -> None:
    spec, path = load_rig(rig)
    for one in spec.devices:
        assert one.port is not None
        address = (one.port.url or "").removeprefix("file://")
        given = DeviceSpec(one.role, one.driver, address, one.parameters, Path(path).parent)
        device = load(DRIVERS, one.driver)(given, BenchContext(WallClock()))
        assert device.role == one.role


def test_no_latency_is_certified_over_adb() -> None:
    spec, _ = load_rig("android-phone")
    assert spec.devices[0].port is not None
    assert untimed(spec.devices[0].port.url or "")
