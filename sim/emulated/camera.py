"""Emulator `camera`: an MJPEG camera on a loopback port, in a process of its own.

It announces the URL of its stream. Beside it, on the same host and port:

| request | answer |
|---|---|
| `GET /stream.mjpg` | the stream: multipart/x-mixed-replace, one JPEG a part |
| `GET /snapshot.jpg` | the newest frame |
| `GET /control` | the faults as they are, as JSON |
| `POST /control` | changes the faults named in a JSON table, and answers with all of them |
| `GET /status` | what has been made, sent and dropped, as JSON |

The faults are the fields of `sim.emulated.mjpeg.faults.Faults`; `{"hang_up": true}` closes
every stream there is, once.
"""

from __future__ import annotations

import sys

from pydantic import BaseModel, ConfigDict, Field

from sim.twin.emulator import Program
from sim.twin.files import RigFile


class CameraOptions(BaseModel):
    """Options of emulator `camera`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(default=640, ge=96, le=1920, multiple_of=8, description="pixels")
    height: int = Field(default=480, ge=96, le=1080, multiple_of=8, description="pixels")
    rate_hz: float = Field(default=30.0, gt=0, le=120, description="frames a second")
    pattern: RigFile | None = Field(
        default=None, description="picture behind the mark, relative to the rig file"
    )
    quality: int = Field(default=85, ge=10, le=100, description="of the JPEG")
    seed: int = Field(default=0, ge=0, description="of the pattern and of which frames are dropped")


def _command(options: CameraOptions) -> list[str]:
    return [sys.executable, "-P", "-m", "sim.emulated.mjpeg.server", options.model_dump_json()]


EMULATOR = Program(CameraOptions, _command)
"""Entry point `camera` of group `hil.emulators`."""
