"""Simulated microphone on a bench: hears what strikes and rubs in the plant, as a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hil.clock import VirtualClock
from hil.config import validate
from sim.plant import Plant
from sim.scenery.material import Made
from sim.sensing.defaults import load_defaults
from sim.sensing.friction import Scrape
from sim.sensing.levels import LevelMeter, LevelModel
from sim.sensing.materials import load_materials, material_of
from sim.sensing.microphone import Microphone, MicrophoneModel
from sim.sensors import SensorParameters, SimSensor
from sim.struck import Struck, Unsaid


class Others(BaseModel):
    """What whatever declares no material is like to the ear."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    material: str
    size_m: float = Field(gt=0, le=5)
    mass_kg: float = Field(gt=0, le=1000)


class MicrophoneParameters(SensorParameters):
    """Of a `sim-microphone`, which hears everything on the bench alike.

    `gives` is what it reports: blocks of sound, or levels (`sim.sensing.levels`). `others` is
    what all bodies are made of that declare no material, `robots` what robots touch with; without
    them they are silent, and hard. `scrape` sets other figures than `sim/sensing`'s own.
    """

    gives: Literal["sound", "levels"] = "sound"
    others: Others | None = Others(material="wood", size_m=0.3, mass_kg=2.0)
    robots: str | None = "rubber"
    scrape: dict[str, float] = Field(default_factory=dict)


class SimMicrophone(SimSensor):
    """A microphone that has to be told of every step: a blow lasts no longer."""

    _next_step_ns = 0

    @property
    def next_ns(self) -> int:
        return self._next_step_ns

    def restart(self, seed: int, origin_ns: int) -> None:
        super().restart(seed, origin_ns)
        self._next_step_ns = origin_ns

    def take(self, stamp_ns: int) -> None:
        super().take(stamp_ns)
        self._next_step_ns = stamp_ns + 1


def microphone(
    role: str, plant: Plant, clock: VirtualClock, asked: MicrophoneParameters
) -> SimMicrophone:
    """What is heard on the bench. Errors: BadInput for an unknown material or figure."""
    defaults, materials, place = load_defaults(), load_materials(), f"device {role!r}"
    rubbed = {**defaults.scrape.model_dump(), **asked.scrape}
    scrape = validate(rubbed, Scrape, place, "parameters.scrape")
    kind = LevelModel if asked.gives == "levels" else MicrophoneModel
    plain = {**defaults.microphone.model_dump(), **asked.model}
    figures = validate(plain, kind, place, "parameters.model")
    for name in (asked.robots, asked.others and asked.others.material):
        if name:
            material_of(materials, name)
    others = None if asked.others is None else Made(*asked.others.model_dump().values())

    def make(seed: int, origin_ns: int) -> tuple[Microphone | LevelMeter, Callable[[int], object]]:
        sensor = (
            LevelMeter(role, figures, materials, seed, origin_ns)
            if isinstance(figures, LevelModel)
            else Microphone(role, figures, materials, seed, origin_ns)
        )
        found = [plant.truth(number) for number in range(len(plant.robots))]
        robots = frozenset(placed.uid for _, _, placed in found)
        struck = Struck(found[0][0], robots, Unsaid(asked.robots, others), scrape, seed)

        def hear(stamp_ns: int) -> None:
            for tap in struck.taps(stamp_ns):
                sensor.sound.strike(tap)
            sensor.offer(stamp_ns)

        return sensor, hear

    return SimMicrophone(role, plant, clock, asked.read_us, make)
