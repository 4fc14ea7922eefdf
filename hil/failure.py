"""Letting go of what was taken, where the rest of the way fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_failure(undo: Callable[[], object]) -> Iterator[None]:
    """Call `undo` where the block fails; where it does not, everything stays as it is.

    For what is taken first and handed on once all is well: a port whose bus has still to be set
    up, a process that has still to answer. Whatever ends the block is raised; where `undo`
    fails too, a note on it says so.

    `contextlib.ExitStack` could do this, with a line that must not be forgotten (`pop_all`),
    and an error of `undo` would take the place of the first one.
    """
    try:
        yield
    except BaseException as error:
        try:
            undo()
        except Exception as second:  # noqa: BLE001  what went wrong first says more
            error.add_note(f"letting go of what was taken failed too: {second!r}")
        raise
