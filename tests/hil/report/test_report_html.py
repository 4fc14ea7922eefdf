from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_builder import TASKS, Knobs, build_run, png

from hil.errors import BadInput, DamagedRecord
from hil.evidence.bundle import sign_run
from hil.evidence.keys import load_or_create_key
from hil.judge.histogram import added, empty
from hil.judge.model import Verdict, verdict_json
from hil.judge.samples import UNANSWERED
from hil.judge.verdict import judge
from hil.record.reader import Run
from hil.report.html import render_html
from hil.report.plots import axis_for, strip
from hil.report.text import duration, facts
from hil.report.view import FRAME_LIMIT_BYTES, Signer, data_uri
from hil.report.write import signer_of, write_report

VOID = {"meta", "img", "line", "rect"}


class Page(HTMLParser):
    """Collects what matters of a page and checks that elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def judged(folder: Path, **knobs: Any) -> tuple[Run, Verdict]:
    run = build_run(folder, Knobs(**knobs))
    return run, judge(run, TASKS)


def page_of(folder: Path, **knobs: Any) -> Page:
    return Page(render_html(*judged(folder, **knobs), Signer("ab" * 32)))


def test_page_says_what_was_claimed_and_shown(tmp_path: Path) -> None:
    page = page_of(tmp_path / "run")
    for words in (
        "PASS",
        "success probability at least 0.8",
        "at least 0.807 (14 of 14)",
        "p95 of reaction time at most 20 ms",
        "▲ floor 0/100",
        "▲ ceiling 100/100",
        "software overhead, never the latency of a physical device",
        "self-issued",
        "2026-11-02 09:30:00 UTC",
        "4" * 64,
        "infer: on the device",
        "model STS3215, serial A1",
        "torque off",
    ):
        assert words in page.text


def test_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    page = page_of(tmp_path / "run")
    targets = [value for _, name, value in page.attributes if name in ("src", "href", "action")]
    assert targets
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in targets)
    assert {value[1:] for value in targets if value.startswith("#")} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert "link" not in page.tags
    html = render_html(*judged(tmp_path / "again"), None)
    assert not re.search(r"url\(|@import|https?://", html)


def test_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first = render_html(*judged(tmp_path / "a", failures=(3,)), None)
    assert first == render_html(*judged(tmp_path / "b", failures=(3,)), None)


def test_failures_can_be_reached_from_their_square(tmp_path: Path) -> None:
    page = page_of(tmp_path / "run", failures=(3,), slow_us={"infer": 33_000})
    assert ("a", "href", "#lamp-press-0003") in page.attributes
    assert "lamp-press-0003" in page.ids
    assert "lamp on at the end: 0 (limit = 1)" in page.text
    assert "stage infer is to blame" in page.text


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&{{ 7*7 }}"


def test_text_of_the_record_is_never_markup(tmp_path: Path) -> None:
    run, verdict = judged(tmp_path / "run", title=HOSTILE, failures=(1,))
    html = render_html(run, verdict, None)
    page = Page(html)
    assert page.tags.count("script") == 1
    assert "<img src=x" not in html
    assert HOSTILE in page.text
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert json.loads(page.scripts[0])["scenarios"][0]["title"] == HOSTILE


def test_verdict_is_embedded_whole(tmp_path: Path) -> None:
    run, verdict = judged(tmp_path / "run")
    page = Page(render_html(run, verdict, None))
    assert json.loads(page.scripts[0]) == json.loads(verdict_json(verdict))


def test_virtual_clock_is_said_beside_the_figures(tmp_path: Path) -> None:
    page = page_of(tmp_path / "run", virtual=True, kind="sim")
    assert "declared by the rig file and nothing was measured" in page.text
    assert "SKIPPED" in page.text
    assert "not testable here" in page.text


@pytest.mark.parametrize(
    "knobs",
    [
        {"interrupted_after": 3},
        {"unsafe": True},
        {"faults": (2,)},
        {"errors": (2,)},
        {"unobserved": (1,)},
        {"brackets": False},
        {"episodes": 200, "ticks": 3, "frames": False},
        {"silent": tuple(range(40))},
        {"ticks": 1},
        {"claims": [{"kind": "misses", "max_fraction": 0.1, "confidence": 0.9}]},
    ],
)
def test_page_is_whole_whatever_happened(tmp_path: Path, knobs: dict[str, Any]) -> None:
    page = page_of(tmp_path / "run", **knobs)
    assert "What this result does not say" in page.text
    assert len([t for t, n, v in page.attributes if (t, n, v) == ("li", "class", "good")]) < 201


def test_pictures_are_embedded_by_what_they_are(tmp_path: Path) -> None:
    page = page_of(tmp_path / "run", failures=(2,))
    uris = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert len(uris) == 4
    assert base64.b64decode(uris[0].split(",")[1]) == png(2)
    assert data_uri(b"\xff\xd8\xff\xe0rest").startswith("data:image/jpeg;")
    assert data_uri(b"<svg onload=alert(1)>") == ""
    assert data_uri(png(1) + b"\0" * FRAME_LIMIT_BYTES) == ""


def test_histogram_puts_late_samples_beyond_the_limit() -> None:
    samples = added(empty(), np.array([1_000_000] * 30 + [50_000_000] * 3), UNANSWERED)
    axis = axis_for({"infer": samples}, [9000.0])
    assert axis.decades() == [1000.0, 10_000.0, 100_000.0]
    drawn = strip("infer", samples, 9000.0, axis).svg
    kept = re.findall(r'class="kept" x="([\d.]+)"', drawn)
    late = re.findall(r'class="late" x="([\d.]+)"', drawn)
    at = float(re.findall(r'class="limit" x1="([\d.]+)"', drawn)[0])
    assert len(kept) == len(late) == 1
    assert float(kept[0]) < at < float(late[0])
    assert "late" not in strip("infer", samples, None, axis).svg


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.5, "0.5 µs"), (137.2, "137 µs"), (5870.0, "5.87 ms"), (2.5e6, "2.5 s")],
)
def test_durations_read_well(value: float | None, shown: str) -> None:
    assert duration(value) == shown


def test_facts_are_flattened_in_order() -> None:
    data = {"cores": 2, "clock": {"name": "M", "source": None}, "flags": ["a", "b"]}
    assert facts(data) == [
        ("cores", "2"),
        ("clock.name", "M"),
        ("clock.source", "not known"),
        ("flags", "a, b"),
    ]


def test_derived_files_come_back_with_the_same_bytes(tmp_path: Path) -> None:
    run, verdict = judged(tmp_path / "run")
    paths = write_report(run, verdict, run.folder, Signer("ab" * 32))
    assert [path.name for path in paths] == ["verdict.json", "report.html", "junit.xml"]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    write_report(run, judge(run, TASKS), run.folder, Signer("ab" * 32))
    assert [path.read_bytes() for path in paths] == before
    with pytest.raises(BadInput, match="cannot be written"):
        write_report(run, verdict, tmp_path / "nowhere", None)


def test_report_of_a_signed_run_is_written_again_as_it_was_signed(tmp_path: Path) -> None:
    run, verdict = judged(tmp_path / "run")
    assert signer_of(run.folder) is None
    key = load_or_create_key({"XDG_CONFIG_HOME": str(tmp_path)})
    write_report(run, verdict, run.folder, Signer(key.keyid))
    statements = sign_run(run.folder, run.plan, verdict, key)
    signed = (run.folder / "report.html").read_bytes()
    assert signer_of(run.folder) == Signer(key.keyid)
    write_report(run, verdict, run.folder, signer_of(run.folder))
    assert (run.folder / "report.html").read_bytes() == signed
    statements.write_bytes(b"{}\n")
    with pytest.raises(DamagedRecord, match="line 1"):
        signer_of(run.folder)
