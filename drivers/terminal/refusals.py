"""What an agent's refusals, and its silence, are to the host."""

from __future__ import annotations

from hil.errors import BadInput, DeadlineMissed, DeviceFault, HilError, ModelRefused, ProtocolError


class SessionLost(DeviceFault):
    """The terminal knows nothing of this session: its agent has started again, or another host
    has taken it. What was loaded is gone."""


class AnswerLost(DeadlineMissed):
    """The terminal has answered later requests, so a request or its answer was lost."""


ERRORS: dict[str, type[HilError]] = {
    "too-large": ModelRefused,
    "digest": ModelRefused,
    "model": ModelRefused,
    "bad-message": ProtocolError,
    "unknown-type": ProtocolError,
    "version": ProtocolError,
    "offset": ProtocolError,
    "no-session": SessionLost,
    "not-loaded": DeviceFault,
    "input": BadInput,
    "inference": DeviceFault,
    "superseded": DeviceFault,
    "cancelled": DeviceFault,
}
"""By code of an error answer."""

REMEDIES = {
    "no-session": "open the terminal again, and load its model again",
    "version": "bring host and agent to versions with one in common (docs/terminal-agent.md)",
}
