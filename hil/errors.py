"""The one error tree of the testbed.

Every error says what is wrong, where, and what to do about it, and who is to blame:
the device under test, the rig, the host or the harness. The doors (`hil/cli`) turn an
error into the exit code it carries.
"""

from __future__ import annotations

from enum import StrEnum


class Blame(StrEnum):
    """Who has to act for the error to go away."""

    USER = "user"
    DEVICE = "device"
    RIG = "rig"
    HOST = "host"
    HARNESS = "harness"


class HilError(Exception):
    """Root of all errors raised by the testbed.

    Args:
        message: what is wrong, naming the thing and the place.
        remedy: what the reader can do about it; empty where nothing sensible can be said.
    """

    blame: Blame = Blame.HARNESS
    exit_code: int = 4

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


class BadInput(HilError):
    """A file, option or name given by a person cannot be used as it is."""

    blame = Blame.USER
    exit_code = 2


class DeviceNotFound(BadInput):
    """A port identity of the rig file matches no port, or more than one."""


class ModelRefused(BadInput):
    """A model does not match its card, or a device rejected it."""


class CapabilityMissing(BadInput):
    """The rig lacks a role or capability that the scenario needs."""


class DamagedRecord(HilError):
    """A run folder is incomplete or was changed after it was written."""

    blame = Blame.USER
    exit_code = 1


class RigError(HilError):
    """The rig cannot do its part: a link, a supply, a fixture."""

    blame = Blame.RIG


class LinkLost(RigError):
    """The transport to a device is gone (unplugged, closed, hung up)."""


class DeadlineMissed(RigError):
    """A blocking call could not finish before its deadline."""


class ProtocolError(RigError):
    """A peer sent bytes that its protocol does not allow."""


class DeviceFault(HilError):
    """The device under test reported a fault or broke its contract."""

    blame = Blame.DEVICE


class HostError(HilError):
    """The computer that runs the testbed cannot do its part: a full disk, a missing right."""

    blame = Blame.HOST


class UnsafeExit(RigError):
    """A device could not be proved safe on the way out."""


class HarnessError(HilError):
    """A defect of the testbed itself."""


class Interrupted(HilError):
    """A person or the system asked the run to end (SIGINT, SIGTERM)."""

    blame = Blame.USER
