"""Rig files and the documented example, in a running twin of their own process."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hil.catalogue import load_rig
from hil.config import load_toml
from hil.contracts import GripperCommand
from hil.rig import Bench, build_bench
from rigs.schema import Rig

ROOT = Path(__file__).parents[4]


def bench_of(name: str) -> Bench:
    rig, path = load_rig(name)
    return build_bench(rig, path)


@pytest.mark.parametrize("name", ["robotiq-2f85", "inspire-hand"])
def test_real_rig_and_its_twin_name_the_same_device(name: str) -> None:
    real, _ = load_rig(name)
    twin, _ = load_rig(f"twin-{name}")
    assert (real.kind, twin.kind) == ("real", "twin")
    assert [(one.role, one.driver) for one in real.devices] == [
        (one.role, one.driver) for one in twin.devices
    ]
    assert real.devices[0].parameters["model"] == twin.devices[0].parameters["model"]


def test_gripper_of_the_twin_grips_and_is_made_safe() -> None:
    with bench_of("twin-robotiq-2f85") as bench:
        bench.open()
        gripper = bench.devices["gripper"]
        gripper.enable(bench.deadline(10))
        gripper.command(GripperCommand(0.0, 0.15, 100.0), bench.deadline(1))
        deadline = bench.deadline(10)
        while gripper.read(deadline).holding is not True:
            assert not deadline.expired
    assert [proof.safe for proof in bench.safe] == [True]


def test_hand_of_the_twin_moves_and_is_made_safe() -> None:
    with bench_of("twin-inspire-hand") as bench:
        bench.open()
        hand = bench.joints("hand")
        hand.enable(bench.deadline(2))
        wanted = hand.command(np.full(6, 0.5), bench.deadline(1))
        deadline = bench.deadline(10)
        while not np.allclose(hand.read(deadline).position, wanted, atol=0.01):
            assert not deadline.expired
    assert [proof.safe for proof in bench.safe] == [True]


def test_documented_box_works_as_written(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "modbus-registers.md").read_text(encoding="utf-8")
    registers, device, port = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "bench-box.toml").write_text(registers, encoding="utf-8")
    device = re.sub(r"port = \{.*\}", 'port = { twin = "box" }', device)
    head = 'schema = 1\nname = "box"\ntitle = "box"\nkind = "twin"\n[twin]\n'
    path = tmp_path / "box.toml"
    path.write_text(head + port + device, encoding="utf-8")
    with build_bench(load_toml(path, Rig), path) as bench:
        bench.open()
        box = bench.devices["box"]
        assert box.read(bench.deadline(1)).value == pytest.approx(21.5)
        assert box.switch("lamp", True, bench.deadline(1)) is True
    (proof,) = bench.safe
    assert proof.safe
    assert proof.readings == {"lamp": False, "fan": True, "valve": False}
