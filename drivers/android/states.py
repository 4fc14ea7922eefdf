"""The states of a phone as outcomes: which one can be worked with, and what to do about others."""

from __future__ import annotations

from dataclasses import dataclass

from hil.errors import BadInput, DeviceNotFound, HilError, LinkLost, RigError

DEVICE = "device"
ABSENT = "absent"
OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`passing` states end by themselves; in the others somebody has to act."""

    error: type[HilError]
    meaning: str
    remedy: str
    passing: bool = False


_RULE = (
    'install a udev rule for its vendor: SUBSYSTEM=="usb", ATTR{idVendor}=="....",'
    ' GROUP="plugdev", and restart the adb server'
)
_LEAVE = "restart it into Android: `adb -s SERIAL reboot`"
_OUTCOMES = {
    ABSENT: Outcome(
        DeviceNotFound,
        "the adb server does not see it",
        "plug it in with a cable that carries data, and enable USB debugging in its developer"
        " options",
    ),
    OFFLINE: Outcome(
        LinkLost,
        "the adb server sees it, and it does not answer",
        "unplug it and plug it in again, after that `adb reconnect offline`; an unlocked screen"
        " helps. It is asked to reconnect at most every 30 s",
    ),
    "unauthorized": Outcome(
        RigError,
        "it does not trust this host",
        "unlock its screen and allow USB debugging, always from this computer; where it does"
        " not ask, revoke the authorisations in its developer options and plug it in again",
    ),
    "authorizing": Outcome(LinkLost, "it is being asked whether it trusts this host", "", True),
    "connecting": Outcome(LinkLost, "the adb server is connecting to it", "", True),
    "no permissions": Outcome(BadInput, "the adb server may not open its USB device", _RULE),
    "recovery": Outcome(RigError, "it is in its recovery system", _LEAVE),
    "rescue": Outcome(RigError, "it is in its rescue system", _LEAVE),
    "sideload": Outcome(RigError, "it waits for an update", _LEAVE),
    "bootloader": Outcome(
        RigError, "it is in its boot loader", "restart it into Android: `fastboot reboot`"
    ),
    "host": Outcome(RigError, "it is a host and no phone", "name another serial number"),
}


def named(state: str) -> str:
    """The state by its short name: the server adds advice to some."""
    return next((name for name in _OUTCOMES if state.startswith(name)), state)


def outcome(state: str) -> Outcome:
    """What a state other than "device" means; one that nobody knows means trouble."""
    unknown = Outcome(
        RigError, "adb has no such state in this project's table", "`adb devices -l` says more"
    )
    return _OUTCOMES.get(named(state), unknown)


def refusal(serial: str, state: str, others: str = "") -> HilError:
    """The error for a phone that cannot be used in `state`; `others` names those there are."""
    found = outcome(state)
    listed = f"; phones there: {others}" if others else ""
    message = f"phone {serial} is {named(state)}: {found.meaning}{listed}"
    return found.error(message, found.remedy)
