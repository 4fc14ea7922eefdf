"""One error for a link that is gone, whoever noticed."""

from __future__ import annotations

import termios

from serial import SerialException

from hil.errors import LinkLost

LINK_ERRORS = (OSError, termios.error, SerialException)
"""What the layers below raise when a link goes away. `termios.error` is no OSError, and
`SerialException` is one without an errno."""

REMEDY = "check cable and power; `ls /dev/serial/by-id` shows what is plugged in"
REMOTE_REMEDY = "check that the server of the port runs and that the network reaches it"


def lost(place: str, what: str, error: BaseException, remedy: str = REMEDY) -> LinkLost:
    """The error to raise from `error`: where it happened, what could not be done, and why."""
    return LinkLost(f"{place} {what}: {_cause(error)}", remedy)


def _cause(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, termios.error) and len(error.args) > 1:
        return str(error.args[1])
    return str(error) or type(error).__name__
