"""Findings are data; what a check raises is one of them, and the next check still runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hil.check.model import About, Part, Report, Result, State
from hil.check.text import TextReport, heading, summary
from hil.errors import BadInput, LinkLost
from rigs.schema import Rig

ARM = About(Part.DEVICE, "arm")


def plain(text: str, **_: object) -> str:
    return text


def rig() -> Rig:
    return Rig.model_validate(
        {
            "schema": 1,
            "name": "two",
            "title": "Two devices",
            "kind": "real",
            "devices": [{"role": "arm", "driver": "a"}, {"role": "terminal", "driver": "b"}],
        }
    )


def lines_of(*results: Result) -> list[str]:
    lines: list[str] = []
    tell = TextReport(rig(), lines.append, plain)
    for result in results:
        tell(result)
    return lines


def test_what_a_check_raises_is_a_finding_beside_those_it_made() -> None:
    def check() -> Iterator[Result]:
        yield ARM.ok("first", "is well")
        raise LinkLost("the cable is out", "put it in")

    report = Report()
    report.run(ARM, "second", check)
    first, second = report.results
    assert (first.state, second.state) == (State.OK, State.BAD)
    assert (second.name, second.detail, second.remedy) == (
        "second",
        "the cable is out",
        "put it in",
    )
    assert not report.good


def test_an_error_without_a_remedy_and_a_defect_of_a_driver_say_what_to_do_all_the_same() -> None:
    found = [ARM.error("x", BadInput("no")), ARM.error("x", ValueError("odd"))]
    assert all(result.remedy for result in found)
    assert found[1].detail == "ValueError: odd"
    assert "defect of its driver" in found[1].remedy


def test_nothing_more_is_looked_at_once_it_was_asked_to_end() -> None:
    report = Report(stop=lambda: True)
    report.run(ARM, "name", lambda: [ARM.ok("name", "x")])
    assert report.results == []


def test_each_part_has_a_heading_and_each_finding_a_line_with_what_to_do_below_it() -> None:
    lines = lines_of(
        About(Part.PORT, "arm").ok("port", "is there"),
        ARM.bad("voltage", "5 V", "check the supply"),
        ARM.note("line", "slow"),
    )
    assert [line.strip() for line in lines if not line.startswith(" ")] == ["ports", "devices"]
    bad = next(place for place, line in enumerate(lines) if "BAD" in line)
    assert lines[bad].split() == ["BAD", "arm", "voltage", "5", "V"]
    assert lines[bad + 1].split() == ["do:", "check", "the", "supply"]
    assert lines[bad].index("5 V") == lines[bad + 1].index("check")


def test_details_of_several_lines_are_set_in() -> None:
    line = lines_of(ARM.bad("port", "none; candidates:\n  - /dev/ttyS0", "plug it in"))[1]
    first, second = line.split("\n")
    assert second.index("- /dev") == first.index("none") + 2


def test_the_last_line_counts_and_names_what_is_bad_once() -> None:
    report = Report()
    assert summary(report).startswith("\nready")
    report.add(ARM.ok("a", "x"))
    for _ in range(2):
        report.add(ARM.bad("voltage", "5 V", "check the supply"))
    report.add(About(Part.MOTION).bad("watchdog", "gone", "see why"))
    assert summary(report) == "\nNOT READY (1 ok, 3 bad); bad: arm voltage; watchdog"


def test_the_heading_names_rig_and_devices() -> None:
    assert heading(rig()) == "two (real): Two devices\ndevices: arm (a), terminal (b)"


def test_figures_are_what_json_can_say() -> None:
    odd = {
        "nan": float("nan"),
        "numpy": np.float32(0.5),
        "count": np.int64(3),
        "flag": True,
        "rows": [(1, float("inf"))],
        "path": Path("/x"),
    }
    data = ARM.note("a", "b", odd).as_data()["figures"]
    assert data == {
        "nan": None,
        "numpy": 0.5,
        "count": 3,
        "flag": True,
        "rows": [[1, None]],
        "path": "/x",
    }
    json.dumps(data, allow_nan=False)


def test_a_finding_is_plain_data() -> None:
    data = ARM.ok("a", "b", {"p50_us": 1.0}).as_data()
    assert data == {
        "part": "devices",
        "role": "arm",
        "name": "a",
        "state": "ok",
        "detail": "b",
        "remedy": "",
        "figures": {"p50_us": 1.0},
    }
