"""What the rig file says about the twin's emulators, checked, and the plant process's share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from hil.config import validate
from hil.errors import BadInput
from rigs.schema import Twin

Emulator = Literal["sts3215-bus", "agent", "scene"]
Options = TypeVar("Options", bound=BaseModel)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BusOptions(_Table):
    """Options of emulator `sts3215-bus`."""

    joints: str = Field(min_length=1, description="arm whose servos sit on the bus")
    baud: Literal[1_000_000, 500_000, 250_000, 128_000, 115_200, 76_800, 57_600, 38_400] = 1_000_000
    supply_v: float = Field(default=12.0, ge=0, le=25, description="supply voltage at no load")


class AgentOptions(_Table):
    """Options of emulator `agent`."""

    delay_ms: float = Field(default=0.0, ge=0, le=10_000, description="sleep inside each inference")


class SceneOptions(_Table):
    """Emulator `scene` has no options."""


class PlantConfig(_Table):
    """What one plant process serves; sent to it as JSON."""

    plant: str
    step_hz: int = Field(ge=240, le=10_000)
    bus_port: str | None = None
    bus: BusOptions | None = None
    scene_port: str | None = None


class TwinConfig(_Table):
    """Whole twin: the plant process, if one is needed, and the agents by port name."""

    plant: PlantConfig | None
    agents: dict[str, AgentOptions]


def parse_twin(twin: Twin) -> TwinConfig:
    """Check every emulator's options and share the ports out over processes.

    Errors: BadInput naming the port, the option and the options there are; BadInput for two
    servo buses or two scene links, since one plant has one arm and one scene.
    """
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, port in twin.ports.items():
        found.setdefault(port.emulator, []).append((name, port.options))
    bus_port, bus = _only("sts3215-bus", BusOptions, found)
    scene_port, _ = _only("scene", SceneOptions, found)
    agents = {
        name: _options(name, "agent", AgentOptions, given) for name, given in found.get("agent", [])
    }
    if bus_port is None and scene_port is None:
        return TwinConfig(plant=None, agents=agents)
    plant = PlantConfig(
        plant=twin.plant,
        step_hz=twin.step_hz,
        bus_port=bus_port,
        bus=bus,
        scene_port=scene_port,
    )
    return TwinConfig(plant=plant, agents=agents)


def _only(
    emulator: Emulator,
    schema: type[Options],
    found: Mapping[str, list[tuple[str, dict[str, Any]]]],
) -> tuple[str | None, Options | None]:
    ports = found.get(emulator, [])
    if len(ports) > 1:
        names = ", ".join(name for name, _ in ports)
        raise BadInput(f"twin.ports: emulator {emulator!r} is there more than once: {names}")
    if not ports:
        return None, None
    name, given = ports[0]
    return name, _options(name, emulator, schema, given)


def _options(
    port: str, emulator: Emulator, schema: type[Options], given: Mapping[str, Any]
) -> Options:
    return validate(dict(given), schema, f"emulator {emulator!r}", f"twin.ports.{port}")
