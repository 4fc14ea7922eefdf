from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from hil.canonical import sha256_file
from hil.cli.verify import command as verify
from hil.record.reader import open_run

Hil = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).parents[2]
APART = ("report.html", "plan.json", "episodes/0003/ticks.npy")


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(bytes(data))


def test_verdict_and_evidence_are_there_and_hold(simulated: Path, hil: Hil) -> None:
    verdict = json.loads((simulated / "verdict.json").read_text())
    assert verdict["outcome"] == "PASS"
    states = {
        scenario["id"]: {claim["kind"]: claim["state"] for claim in scenario["claims"]}
        for scenario in verdict["scenarios"]
    }
    expected = {"success": "PASS", "latency": "SKIPPED", "misses": "SKIPPED"}
    assert states == {
        "care-light-switch-press": expected,
        "mfg-gauge-reading-glasses": expected,
    }
    verified = hil("verify", simulated)
    assert verified.returncode == 0, verified.stdout
    assert "self-issued" in verified.stdout


def test_one_seed_gives_one_record_in_two_processes(
    simulated: Path, hil: Hil, tmp_path: Path
) -> None:
    again = hil("certify", "--rig", "sim-so101", "--out", tmp_path / "again")
    assert again.returncode == 0
    assert open_run(tmp_path / "again").record_sha256 == open_run(simulated).record_sha256
    first, second = (
        {name: sha256_file(folder / name) for name in files(folder)}
        for folder in (simulated, tmp_path / "again")
    )
    different = {
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    }
    # the host's facts hold the date and the load; what shows or signs them follows
    assert different <= {"host.json", "report.html", "manifest.json", "statements.intoto.jsonl"}


def test_another_seed_gives_another_record(simulated: Path, hil: Hil, tmp_path: Path) -> None:
    done = hil(
        "run", "care-light-switch-press", "--rig", "sim-so101", "--seed", 2, "--out", tmp_path / "r"
    )
    assert done.returncode == 3, "one episode shows nothing"
    draws = [open_run(folder).episode("0001").draw for folder in (simulated, tmp_path / "r")]
    assert draws[0] != draws[1]


def test_judging_again_gives_the_stored_bytes(simulated: Path, hil: Hil) -> None:
    judged = hil("judge", simulated, "--json")
    assert judged.returncode == 0
    assert judged.stdout.encode() == (simulated / "verdict.json").read_bytes()


def test_derived_files_come_back_as_they_were(simulated: Path, hil: Hil, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(simulated, folder)
    for name in ("verdict.json", "report.html", "junit.xml"):
        (folder / name).unlink()
    assert hil("report", folder).returncode == 0
    assert hil("verify", folder).returncode == 0


def test_one_changed_byte_in_any_file_is_named_and_not_judged(
    simulated: Path, hil: Hil, tmp_path: Path
) -> None:
    """Every kind of file through the verb, three of them in a process of its own; all files in
    tests/hil/evidence."""
    folder = tmp_path / "copy"
    shutil.copytree(simulated, folder)
    names = [name for name in files(folder) if not name.startswith("episodes/")]
    names += [name for name in files(folder) if name.startswith("episodes/0003/")]
    assert len(names) > 12
    assert set(APART) < set(names)
    for name in names:
        original = (folder / name).read_bytes()
        flip(folder / name)
        verified = CliRunner().invoke(verify, [str(folder)], standalone_mode=False)
        assert verified.return_value == 1, name
        assert name in verified.stdout
        if name in APART:
            done = hil("verify", folder)
            assert (done.returncode, done.stdout) == (1, verified.stdout)
            judged = hil("judge", folder)
            assert judged.returncode == 1
            assert name in judged.stderr
        (folder / name).write_bytes(original)
    assert hil("verify", folder).returncode == 0


def test_two_runs_into_one_folder_are_refused(simulated: Path, hil: Hil) -> None:
    before = {name: sha256_file(simulated / name) for name in files(simulated)}
    done = hil("certify", "--rig", "sim-so101", "--out", simulated)
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert {name: sha256_file(simulated / name) for name in files(simulated)} == before


def zeroed_model(folder: Path) -> Path:
    """The press-switch model with every weight zero, and a card that says so."""
    shutil.copytree(ROOT / "models" / "zoo" / "press-switch", folder)
    path = folder / "model.onnx"
    before = sha256_file(path)
    model = onnx.load(str(path))
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(np.zeros_like(array), tensor.name))
    onnx.save(model, str(path))
    card = folder / "card.toml"
    card.write_text(card.read_text().replace(before, sha256_file(path)))
    return folder


def test_zeroed_weights_fail_the_embodied_claim(hil: Hil, tmp_path: Path) -> None:
    model = zeroed_model(tmp_path / "zeroed")
    done = hil(
        "certify", "--rig", "sim-so101", "--model", f"press-switch={model}", "--out", tmp_path / "r"
    )
    assert done.returncode == 1
    press, gauge = json.loads((tmp_path / "r" / "verdict.json").read_text())["scenarios"]
    assert (press["outcome"], gauge["outcome"]) == ("FAIL", "PASS")
    assert press["successes"] == 0


def test_a_model_that_differs_from_its_card_is_refused(hil: Hil, tmp_path: Path) -> None:
    model = zeroed_model(tmp_path / "changed")
    flip(model / "model.onnx")
    done = hil(
        "certify", "--rig", "sim-so101", "--model", f"press-switch={model}", "--out", tmp_path / "r"
    )
    assert done.returncode == 2
    assert sha256_file(model / "model.onnx") in done.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("policy", "successes"), [("expert", 4), ("null", 0)], ids=["ceiling", "floor"]
)
def test_score_stands_between_floor_and_ceiling(
    hil: Hil, tmp_path: Path, policy: str, successes: int
) -> None:
    hil(
        *("run", "care-light-switch-press", "--rig", "sim-so101", "-n", 4),
        *("--policy", policy, "--out", tmp_path / "r"),
    )
    scenario = json.loads((tmp_path / "r" / "verdict.json").read_text())["scenarios"][0]
    assert scenario["successes"] == successes
