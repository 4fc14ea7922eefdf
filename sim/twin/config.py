"""What the rig file says about the twin's emulators, checked, and shared out over processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hil import plugins
from hil.config import validate
from hil.errors import BadInput
from rigs.schema import Twin
from sim.twin.emulator import Hosted, Program
from sim.twin.files import BASE

SCENE = "scene"
"""The one emulator that is no device: the link to the host process itself."""


class _Table(BaseModel):
    # an option may be infinite, which JSON proper cannot say
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class SceneOptions(_Table):
    """Emulator `scene` has no options."""


class HostedPort(_Table):
    """One emulator of the host process, as the rig file has it."""

    name: str
    emulator: str
    options: dict[str, Any] = Field(default_factory=dict)


class HostConfig(_Table):
    """What one host process serves; sent to it as JSON. `base` is the rig file's folder."""

    ports: tuple[HostedPort, ...]
    base: str = ""
    plant: str | None = None
    step_hz: int = Field(default=1000, ge=240, le=10_000)
    scene_port: str | None = None


@dataclass(frozen=True, slots=True)
class ProgramPort:
    """One emulator that is a process of its own, and the command that starts it."""

    name: str
    emulator: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TwinConfig:
    """Whole twin: the host process, if one is needed, and the programs."""

    host: HostConfig | None
    programs: tuple[ProgramPort, ...]


def parse_twin(twin: Twin, base: Path) -> TwinConfig:
    """Check every emulator's options and share the ports out over processes; `base` is the
    folder of the rig file.

    Errors: BadInput naming the port, the option and the options there are, or the emulators
    there are; BadInput for two scene links, since one host process has one.
    """
    folder = str(base.resolve())
    hosted: list[HostedPort] = []
    programs: list[ProgramPort] = []
    scenes: list[str] = []
    for name, port in twin.ports.items():
        if port.emulator == SCENE:
            options_of(name, SCENE, port.options, SceneOptions, folder)
            scenes.append(name)
            continue
        entry = find_emulator(name, port.emulator)
        options = options_of(name, port.emulator, port.options, entry.options, folder)
        if isinstance(entry, Program):
            command = tuple(entry.command(options))
            programs.append(ProgramPort(name, port.emulator, command))
        else:
            hosted.append(HostedPort(name=name, emulator=port.emulator, options=port.options))
    if len(scenes) > 1:
        names = ", ".join(scenes)
        raise BadInput(f"twin.ports: emulator {SCENE!r} is there more than once: {names}")
    if not hosted and not scenes:
        return TwinConfig(None, tuple(programs))
    host = HostConfig(
        plant=twin.plant,
        step_hz=twin.step_hz,
        ports=tuple(hosted),
        base=folder,
        scene_port=scenes[0] if scenes else None,
    )
    return TwinConfig(host, tuple(programs))


def find_emulator(port: str, emulator: str) -> Hosted | Program:
    """The entry point of one emulator. Errors: BadInput naming the port and those there are."""
    try:
        found = plugins.load(plugins.EMULATORS, emulator, beside=(SCENE,))
    except BadInput as error:
        raise BadInput(f"twin.ports.{port}: {error.message}", error.remedy) from error
    if not isinstance(found, Hosted | Program):
        raise BadInput(
            f"twin.ports.{port}: emulator {emulator!r} is neither Hosted nor Program, but"
            f" {type(found).__name__}",
            "see sim.twin.emulator for what an entry point of group 'hil.emulators' names",
        )
    return found


def options_of(
    port: str, emulator: str, given: Mapping[str, Any], schema: type[BaseModel], base: str
) -> BaseModel:
    """The options of one emulator under its schema, which finds `base`, the folder of the rig
    file, in its context (`sim.twin.files`). Errors: BadInput naming port and option."""
    place, prefix = f"emulator {emulator!r}", f"twin.ports.{port}"
    return validate(dict(given), schema, place, prefix, {BASE: base})
