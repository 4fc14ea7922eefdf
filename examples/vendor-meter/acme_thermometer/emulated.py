"""The thermometer itself, for `hil twin` and for continuous integration."""

from pydantic import BaseModel

from sim.emulated.textual import TextDevice
from sim.twin.emulator import Hosted


class Options(BaseModel):
    """Options of the rig file's `[twin.ports.NAME]` table."""

    celsius: float = 21.5


def build(options):
    """The device on its line."""
    answers = {"ID?": ["ACME T-1 0042"], "T?": [f"T={options.celsius:.2f}"]}
    return TextDevice(9600, lambda line: answers.get(line.strip(), []), b"\n")


EMULATOR = Hosted(Options, build)
