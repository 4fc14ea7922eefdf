"""A record on a disk that is really full: what was written stays, and the last rows fit."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from disks import fill, free_bytes, small_disk

from hil.errors import BadInput
from hil.record import reserve
from hil.record.format import TICK, Episode
from hil.record.reader import open_run
from hil.record.writer import RunWriter

SIZE = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", SIZE) as place:
        yield place


@pytest.fixture(params=["kept for the ledger", "as a file beside it"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of setting room aside: most disks know the first, NFS before 4.2 does not."""

    def unsupported(_fd: int, _offset: int, _length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    if request.param != "kept for the ledger":
        monkeypatch.setattr(reserve, "_allocate", unsupported)
    return str(request.param)


def begun(disk: Path) -> RunWriter:
    writer = RunWriter(disk / "run")
    writer.begin({"seed": 1}, {"system": "test"}, "wall")
    return writer


def put(writer: RunWriter, number: int, ticks: int = 200) -> None:
    episode = Episode(f"{number:04d}", {}, {"scenario": "s"}, np.zeros(ticks, TICK))
    row = {"row": "attempt", "episode": episode.name, "end": "completed", "reason": ""}
    writer.write_episode(episode, {}, row)


def as_often_as_possible(write: Callable[[int], None]) -> int:
    """How often it could be called, with 1, 2, ..., until the disk was full."""
    for number in range(1, 100_000):
        try:
            write(number)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return number - 1
    raise AssertionError("the disk takes everything")


def test_the_closing_rows_fit_on_a_disk_that_was_filled_by_its_own_episodes(
    disk: Path, way: str
) -> None:
    writer = begun(disk)
    kept = as_often_as_possible(lambda number: put(writer, number))
    assert kept > 5
    for role in ("arm", "terminal", "scene"):
        writer.append({"row": "safe", "role": role, "readings": {"x" * 500: 0}})
    writer.end("error", "the disk is full")
    run = open_run(disk / "run")
    assert run.end["reason"] == "the disk is full"
    assert [row["episode"] for row in run.rows("attempt")] == [
        f"{number:04d}" for number in range(1, kept + 1)
    ]
    assert len(run.rows("safe")) == 3
    assert all(len(run.episode(row["episode"]).ticks) == 200 for row in run.rows("attempt"))
    assert {path.name for path in (disk / "run").iterdir()} == {
        *("plan.json", "host.json", "ledger.jsonl", "episodes"),
    }, "nothing else is left behind"


def test_the_room_is_the_ledger_s_alone_though_somebody_else_fills_the_disk(disk: Path) -> None:
    writer = begun(disk)
    put(writer, 1)
    fill(disk)
    assert free_bytes(disk) == 0
    with pytest.raises(OSError, match="No space left"):
        put(writer, 2)
    rows = 0
    while rows * 600 < reserve.ROOM:
        writer.append({"row": "safe", "role": "arm", "readings": {"x" * 500: rows}})
        rows += 1
    writer.end("error", "the disk is full")
    assert len(open_run(disk / "run").rows("safe")) == rows


def test_a_ledger_that_grows_by_itself_stops_while_its_room_is_left(disk: Path) -> None:
    writer = begun(disk)
    fill(disk)
    rows = as_often_as_possible(
        lambda number: writer.append({"row": "finding", "number": number, "text": "x" * 1000})
    )
    assert rows > 0
    for _ in range(reserve.ROOM // 1200):
        writer.append({"row": "safe", "text": "x" * 1000})
    writer.end("error", "the disk is full")
    assert len(open_run(disk / "run").rows("finding")) == rows


def test_after_a_refusal_nothing_large_is_tried_even_where_there_is_room_again(
    disk: Path, way: str
) -> None:
    writer = begun(disk)
    fill(disk)
    with pytest.raises(OSError, match="No space left"):
        put(writer, 1, ticks=5000)
    (disk / "filler").unlink()
    with pytest.raises(OSError, match="No space left"):
        put(writer, 2)
    with pytest.raises(OSError, match="No space left"):
        writer.append_wire("arm", b"bytes")
    writer.end("error", "the disk was full")
    assert open_run(disk / "run").rows("attempt") == []


def test_a_disk_without_room_for_a_record_is_refused_before_anything(disk: Path, way: str) -> None:
    fill(disk)
    with pytest.raises(BadInput, match="No space left") as caught:
        RunWriter(disk / "run").begin({}, {}, "wall")
    assert "--out" in caught.value.remedy
    (disk / "filler").unlink()
    begun(disk).end("complete", "")
    assert open_run(disk / "run").end["outcome"] == "complete", "the same folder does then"


def test_room_that_was_set_aside_is_given_back(disk: Path, way: str) -> None:
    before = free_bytes(disk)
    writer = begun(disk)
    assert before - free_bytes(disk) >= reserve.ROOM
    writer.end("complete", "")
    assert before - free_bytes(disk) < reserve.ROOM / 2
    assert open_run(disk / "run").end["outcome"] == "complete"
