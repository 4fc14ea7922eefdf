"""What proofs of a safe state share: the words for a device that could not be reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hil.errors import LinkLost

Line = TypeVar("Line")
Found = TypeVar("Found")


def reached(line: Line | None, act: Callable[[Line], Found]) -> tuple[Found | None, str]:
    """What `act` found on the line of a device; without a line (the device is not open) or where
    it is lost meanwhile, None and the state that the proof has to tell.

    `act` bounds itself; what it noted elsewhere before the line was lost stays noted.
    """
    if line is None:
        return None, "port not open, nothing could be read"
    try:
        return act(line), ""
    except LinkLost as error:
        return None, f"link lost: {error.message}"
