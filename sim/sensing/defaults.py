"""The default sensor of each kind, from the package's table."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from hil.config import validate
from sim.sensing.camera import CameraModel
from sim.sensing.friction import Scrape
from sim.sensing.imu import ImuModel
from sim.sensing.microphone import MicrophoneModel
from sim.sensing.tables import Table
from sim.sensing.tactile import PadModel
from sim.sensing.tracker import TrackerModel
from sim.sensing.wrench import WrenchModel

_TABLE = "defaults.toml"


class Defaults(Table):
    """One model of each kind, and the surfaces that a microphone hears slide."""

    wrench: WrenchModel
    tactile: PadModel
    tracker: TrackerModel
    imu: ImuModel
    microphone: MicrophoneModel
    scrape: Scrape
    camera: CameraModel


def load_defaults() -> Defaults:
    """Read and check the table. Errors: BadInput naming what is wrong."""
    text = files("sim.sensing").joinpath(_TABLE).read_text(encoding="utf-8")
    return validate(tomllib.loads(text), Defaults, _TABLE)
