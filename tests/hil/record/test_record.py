"""A run folder comes back as it was written, and a damaged one is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hil.errors import BadInput, DamagedRecord
from hil.record.format import TICK, Channel, Episode
from hil.record.reader import open_run
from hil.record.writer import RunWriter


def episode(name: str = "0001") -> Episode:
    ticks = np.zeros(3, dtype=TICK)
    ticks["tick"] = [0, 1, 2]
    value = np.array([[0.5, np.nan], [0.6, 1.0], [0.7, 2.0]])
    channel = Channel(value, np.arange(3), np.array([[0, -1], [0, 5], [1, 2]]), ("a", "b"), "rad")
    return Episode(name, {"goal": 1.5}, {"scenario": "s"}, ticks, {"joints": channel}, ({"e": 1},))


def write(folder: Path, end: bool = True) -> Path:
    writer = RunWriter(folder)
    writer.begin({"seed": 1}, {"system": "test"}, "wall")
    row = {"row": "attempt", "episode": "0001", "end": "completed", "reason": ""}
    writer.write_episode(episode(), {"00.png": b"picture"}, row)
    if end:
        writer.end("complete", "")
    writer.close()
    return folder


def test_round_trip(tmp_path: Path) -> None:
    run = open_run(write(tmp_path / "run"))
    back, original = run.episode("0001"), episode()
    np.testing.assert_array_equal(back.ticks, original.ticks)
    for field in ("value", "stamp_ns", "age_ns"):
        np.testing.assert_array_equal(
            getattr(back.channels["joints"], field), getattr(original.channels["joints"], field)
        )
    assert back.channels["joints"].labels == ("a", "b")
    assert (back.draw, back.meta, back.events) == (original.draw, original.meta, original.events)
    assert [path.read_bytes() for path in run.frames("0001")] == [b"picture"]
    assert run.end["outcome"] == "complete"


def test_absent_values_stay_absent(tmp_path: Path) -> None:
    channel = open_run(write(tmp_path / "run")).episode("0001").channels["joints"]
    assert np.isnan(channel.value[0, 1])
    assert channel.age_ns[0, 1] == -1
    assert channel.column("no such label") is None


def test_equal_runs_have_equal_digests_and_unequal_ones_not(tmp_path: Path) -> None:
    first = open_run(write(tmp_path / "a")).record_sha256
    assert first == open_run(write(tmp_path / "b")).record_sha256
    other = tmp_path / "c"
    writer = RunWriter(other)
    writer.begin({"seed": 2}, {"system": "test"}, "wall")
    writer.end("complete", "")
    assert first != open_run(other).record_sha256


def test_second_run_into_one_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "run")
    with pytest.raises(BadInput, match="not empty"):
        RunWriter(tmp_path / "run")


def _cut_ledger(folder: Path) -> str:
    path = folder / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    return "ledger.jsonl"


def _flip(relative: str) -> Callable[[Path], str]:
    def damage(folder: Path) -> str:
        path = folder / relative
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
        return relative

    return damage


def _remove(relative: str) -> Callable[[Path], str]:
    def damage(folder: Path) -> str:
        (folder / relative).unlink()
        return relative

    return damage


def _add(folder: Path) -> str:
    (folder / "episodes" / "0001" / "extra.npy").write_bytes(b"x")
    return "extra.npy"


@pytest.mark.parametrize(
    "damage",
    [
        _cut_ledger,
        _add,
        _flip("plan.json"),
        _flip("host.json"),
        _flip("episodes/0001/ticks.npy"),
        _flip("episodes/0001/channels/joints.npy"),
        _flip("episodes/0001/frames/00.png"),
        _remove("episodes/0001/events.jsonl"),
        _remove("ledger.jsonl"),
    ],
)
def test_damage_is_refused_and_named(tmp_path: Path, damage: Callable[[Path], str]) -> None:
    folder = write(tmp_path / "run")
    name = damage(folder)
    with pytest.raises(DamagedRecord) as caught:
        open_run(folder)
    assert name in str(caught.value)


def test_a_run_that_was_killed_is_cut_short(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", end=False)
    with pytest.raises(DamagedRecord, match="no closing row"):
        open_run(folder)


def test_a_half_written_episode_leaves_no_trace(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    writer.begin({}, {}, "wall")
    (tmp_path / "run" / "episodes" / ".0001.partial").mkdir()
    writer.end("error", "killed while writing")
    assert not list((tmp_path / "run" / "episodes").iterdir())


def test_of_several_damaged_files_the_first_one_written_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    for relative in ("frames/00.png", "channels/joints.npy", "ticks.npy", "episode.json"):
        _flip(f"episodes/0001/{relative}")(folder)
    said = set()
    for _ in range(10):
        with pytest.raises(DamagedRecord) as caught:
            open_run(folder)
        said.add(str(caught.value))
    assert len(said) == 1, "whichever thread is first"


def write_wire(folder: Path) -> Path:
    writer = RunWriter(folder)
    writer.begin({"seed": 1}, {"system": "test"}, "wall")
    for piece in (b"first ", b"second"):
        writer.append_wire("arm", piece)
    for row in writer.wire_rows():
        writer.append(row)
    writer.end("complete", "")
    return folder


def test_captures_grow_piece_by_piece_and_are_held_by_the_ledger(tmp_path: Path) -> None:
    run = open_run(write_wire(tmp_path / "run"))
    assert (tmp_path / "run" / "wire" / "arm.wire").read_bytes() == b"first second"
    assert [row["role"] for row in run.rows("wire")] == ["arm"]


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda wire: (wire / "arm.wire").write_bytes(b"first secone"), "changed since"),
        (lambda wire: (wire / "arm.wire").unlink(), "missing"),
        (lambda wire: (wire / "leg.wire").touch(), "not in the ledger"),
    ],
)
def test_a_changed_capture_is_refused_by_name(
    tmp_path: Path, harm: Callable[[Path], object], says: str
) -> None:
    folder = write_wire(tmp_path / "run")
    harm(folder / "wire")
    with pytest.raises(DamagedRecord, match=says):
        open_run(folder)
