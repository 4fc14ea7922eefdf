"""The rights that a user needs on serial ports, and the rule that grants them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

_TARGET = "/etc/udev/rules.d/"


def udev_rules() -> Path:
    """The rules file that comes with the package."""
    return Path(str(files("rigs"))) / "udev" / "60-hil-testbed.rules"


def how_to_get_rights() -> str:
    """What to do where a port may not be opened, in one sentence with its commands."""
    return (
        "add your user to the group that owns the port (usually dialout or uucp) and log in"
        f" again, or install the rules that come with the testbed: sudo cp {udev_rules()}"
        f" {_TARGET} && sudo udevadm control --reload && sudo udevadm trigger --action=add"
        " --subsystem-match=tty"
    )
