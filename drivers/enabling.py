"""The refusal of commands to a device that has not been enabled since it was opened or made safe.

Some devices come on by themselves at a target: a servo may switch its torque on with its goal, and
a gripper or a hand that stands still moves. So the refusal is the driver's, and nothing is sent.
"""

from __future__ import annotations

from hil.errors import HarnessError


def refuse_unenabled(role: str, enabled: bool) -> None:
    """Errors: HarnessError where `enabled` is false. It is the caller's defect, whatever the state
    of the device."""
    if not enabled:
        raise HarnessError(
            f"{role}: commanded without being enabled since it was opened or made safe;"
            " nothing was sent",
            "call enable before the first command, and again after make_safe",
        )
