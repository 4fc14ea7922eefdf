"""Findings that list what is wrong, and tell a remedy only then."""

from __future__ import annotations

from drivers.findings import answering, judged
from hil.contracts import Finding


def test_what_is_wrong_is_listed_with_what_to_do() -> None:
    assert judged("heat", ["elbow 80 degC", "wrist 90 degC"], "at most 40 degC", "let it cool") == (
        Finding("heat", False, "elbow 80 degC, wrist 90 degC", "let it cool")
    )
    assert judged("heat", [], "at most 40 degC", "let it cool") == (
        Finding("heat", True, "at most 40 degC", "")
    )


def test_who_does_not_answer_is_named() -> None:
    assert answering("servos", 6, [], "check cables") == (
        Finding("answers", True, "all 6 servos answer", "")
    )
    assert answering("motors", 4, ["elbow", "wrist"], "check cables") == (
        Finding("answers", False, "no answer from elbow, wrist", "check cables")
    )
