"""Large arrays of a record are seen block by block, and memory does not grow with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.record.mapped import MAP_FROM_BYTES, blocks, open_array

ROW = np.dtype([("stamp_ns", "<i8"), ("value", "<f8", (3,))])


def resident_file_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1])
    raise LookupError("RssFile")


def stored(path: Path, size: int) -> np.ndarray:
    rows = np.zeros(size // ROW.itemsize, dtype=ROW)
    rows["stamp_ns"] = np.arange(len(rows))
    rows["value"] = rows["stamp_ns"][:, None] * [1.0, 2.0, 3.0]
    np.save(path, rows)
    return rows


def test_small_arrays_are_read_and_large_ones_mapped(tmp_path: Path) -> None:
    for size, mapped in ((MAP_FROM_BYTES // 2, False), (MAP_FROM_BYTES + 4096, True)):
        rows = stored(tmp_path / "rows.npy", size)
        back = open_array(tmp_path / "rows.npy")
        assert isinstance(back, np.memmap) is mapped
        assert (back["stamp_ns"] == rows["stamp_ns"]).all()


@pytest.mark.parametrize("field", [None, "value"])
def test_passing_over_a_mapped_array_leaves_little_behind(
    tmp_path: Path, field: str | None
) -> None:
    stored(tmp_path / "rows.npy", 4 * MAP_FROM_BYTES)
    whole = open_array(tmp_path / "rows.npy")
    seen = whole if field is None else whole[field]
    before, most, total = resident_file_kb(), 0, 0.0
    for block in blocks(seen, rows=1 << 14):
        values = block["value"] if field is None else block
        total += float(values[:, 2].sum())
        most = max(most, resident_file_kb() - before)
    count = len(whole)
    assert total == pytest.approx(3 * count * (count - 1) / 2)
    assert most * 1024 < MAP_FROM_BYTES, "of four times as much"
    assert whole["stamp_ns"][-1] == count - 1, "what was let go comes back from the file"


def test_blocks_of_an_array_in_memory_are_all_of_it_and_it_stays() -> None:
    rows = np.arange(10)
    parts = list(blocks(rows, rows=4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert (np.concatenate(parts) == rows).all()
    assert list(blocks(rows[:0])) == []


def test_what_may_be_written_to_is_never_let_go(tmp_path: Path) -> None:
    stored(tmp_path / "rows.npy", MAP_FROM_BYTES)
    private = np.load(tmp_path / "rows.npy", mmap_mode="c")
    private["stamp_ns"][:] = 7
    for _ in blocks(private, rows=1 << 14):
        pass
    assert (private["stamp_ns"] == 7).all()


def test_an_archive_is_no_array(tmp_path: Path) -> None:
    with (tmp_path / "rows.npy").open("wb") as stream:
        np.savez(stream, a=np.arange(3))
    with pytest.raises(ValueError, match="archive"):
        open_array(tmp_path / "rows.npy")
