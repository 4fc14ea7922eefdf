"""Findings about devices of many parts: what is wrong is listed, part by part."""

from __future__ import annotations

from collections.abc import Sequence

from hil.contracts import Finding


def judged(name: str, bad: Sequence[str], good: str, remedy: str) -> Finding:
    """A finding that lists what is bad and what to do, or says `good`."""
    return Finding(name, False, ", ".join(bad), remedy) if bad else Finding(name, True, good)


def answering(parts: str, there: int, silent: Sequence[str], remedy: str) -> Finding:
    """Whether all `parts` ("motors", "servos") answer: how many do, or the names of the silent."""
    said = [f"no answer from {', '.join(silent)}"] if silent else []
    return judged("answers", said, f"all {there} {parts} answer", remedy)
