"""An emulated force and torque sensor of Bota Systems: text while it is set up, then a stream.

At the wrist of a robot of the plant it measures what `sim-wrench` does on a simulated rig, with
the errors of the same model (`sim.sensing.wrench`); without a plant, a load that is said.

Choices where the maker's public sources are silent, or where this is less than the real thing:

* Commands end by themselves: nothing marks their end on the wire, and what is no command is
  passed over. Settings hold until the twin ends; other commands than those for mode,
  communication and filter are refused with code 1.
* A sample is the truth at its instant. The real filter averages over about the time between two
  samples, and its FIR filter over more; both settings change the rate alone, or nothing.
* The time stamp begins with 0 where it begins to stream. The text at power-up is not sent:
  nobody is connected then. Output of text (CSV) and other baud rates do not exist.
* After a pause of the host, samples older than 50 ms are lost, as in a buffer that ran over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from drivers.bota import codec
from drivers.bota.codec import Frame
from hil.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from hil.config import validate
from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.robots.model import Robot
from sim.sensing.defaults import load_defaults
from sim.sensing.wrench import Wrench, WrenchModel
from sim.truth import WristTruth
from sim.twin.emulator import Hosted, Scalar
from sim.twin.pacing import Transmission, wire_ns
from sim.world import Placed, World

_KEPT_NS = 50 * NS_PER_MS
_THINKS_NS = NS_PER_MS
_TEMPERATURE = 25.0  # deg C
_REST = (0.0,) * codec.AXES
_LONGEST_COMMAND = 16
_COMMAND = re.compile(
    rb"[CR]|c,[0-9],[0-9],[0-9],[0-9]|f,[0-9]{1,4},[0-9],[0-9],[0-9]|[A-Zabdeg-z]"
)
_DONE, _REFUSED = 0, 1

_Six = tuple[float, float, float, float, float, float]


class BotaOptions(BaseModel):
    """Options of emulator `bota-ft`: at the wrist of which robot of the plant it sits, counted
    from 0, or the `load` (N, N·m) where the twin has no plant; `model` sets other figures than
    `sim/sensing`'s own, its rate aside, which the client sets."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    robot: int = Field(0, ge=0)
    load: _Six = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    model: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(0, ge=0)


class BotaControl(BaseModel):
    """What can be done to it: the `load` without a plant; `status` bits besides its own;
    `silent`; a wrong CRC in the next `corrupt` frames. What is left out is as it was new."""

    model_config = ConfigDict(extra="forbid")
    load: _Six | None = None
    status: int = Field(0, ge=0, le=0xFFFF)
    silent: bool = False
    corrupt: int = Field(0, ge=0)


@runtime_checkable
class _Truthful(Protocol):
    """A plant in which a wrist can be asked."""

    robots: tuple[Robot, ...]
    arrangement: int

    def truth(self, robot: int) -> tuple[World, Robot, Placed]: ...


class _AtWrist:
    """What is true at a robot's wrist; found anew in every scene, which has bodies of its own."""

    def __init__(self, plant: _Truthful, robot: int) -> None:
        self._plant, self._robot = plant, robot
        self._truth = WristTruth(*plant.truth(robot))
        self.arrangement = plant.arrangement

    def moved_on(self) -> bool:
        """Whether a new scene has been built since the last call."""
        if self.arrangement == self._plant.arrangement:
            return False
        self._truth = WristTruth(*self._plant.truth(self._robot))
        self.arrangement = self._plant.arrangement
        return True

    def read(self) -> FloatArray:
        """(6,), NaN before the first step of a scene, of which PyBullet says that nothing pulls."""
        found = self._truth.read()
        return found if found.any() else np.full(codec.AXES, np.nan)


class BotaSensor:
    """The sensor on its line (`sim.twin.emulator.PlantSensor`)."""

    baud = codec.BAUD

    def __init__(self, options: BotaOptions) -> None:
        self._options = options
        self._given = BotaControl.model_validate({"load": options.load})
        self._wrist: _AtWrist | None = None
        self._length = codec.LONGEST
        self._calibrated = True
        self._text = b""
        self._free_ns = 0
        self._began_ns: int | None = None
        self._next_ns: int | None = 0  # a sensor streams as soon as it has power
        self._counts = {"commands": 0, "refused": 0, "frames": 0, "unheard_bytes": 0}
        self._figures(0)

    def fit(self, plant: object) -> None:
        """At the robot's wrist from now on. Errors: BadInput for a robot that is not there, or
        has no wrist."""
        if not isinstance(plant, _Truthful):
            raise BadInput("the plant has no robots whose wrist can be sensed")
        if self._options.robot >= len(plant.robots):
            raise BadInput(
                f"robot {self._options.robot} is not in the plant, which has {len(plant.robots)}",
                "robots count from 0",
            )
        self._wrist = _AtWrist(plant, self._options.robot)

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """Commands, of which only `C` is heard while it streams."""
        if line_baud != self.baud:
            self._counts["unheard_bytes"] += len(data)
            return []
        answers = []
        self._text = self._text + data
        end = 0
        for match in _COMMAND.finditer(self._text):
            end = match.end()
            answer = self._carry_out(match[0].decode("ascii"), now_ns)
            answers += [] if answer is None else [self._send(answer, now_ns + _THINKS_NS)]
        self._text = self._text[end:][-_LONGEST_COMMAND:]
        return [] if self._given.silent else answers

    def due_ns(self) -> int | None:
        """When the next frame leaves; None while it is set up."""
        return self._next_ns

    def wake(self, now_ns: int) -> list[Transmission]:
        """The frames that are due."""
        if self._next_ns is None:
            return []
        if self._began_ns is None:
            self._begin(now_ns)
        sent = []
        self._next_ns = max(self._next_ns, now_ns - _KEPT_NS)
        while self._next_ns <= now_ns:
            data = self._frame(self._next_ns)
            if not self._given.silent:
                sent.append(self._send(data, self._next_ns))
            self._next_ns += self._period_ns
        return sent

    def status(self) -> Mapping[str, Scalar]:
        return {**self._counts, "streams": self._next_ns is not None, "filter": self._length}

    def control(self, args: Mapping[str, object]) -> None:
        """As `BotaControl` says. Errors: BadInput."""
        self._given = validate(dict(args), BotaControl, "control of bota-ft")

    @property
    def _period_ns(self) -> int:
        return round(self._length * NS_PER_S / codec.CLOCK_HZ)

    def _carry_out(self, command: str, now_ns: int) -> bytes | None:
        """The answer; None for what is not heard while it streams."""
        streams = self._next_ns is not None
        if streams and command != "C":
            return None
        self._counts["commands"] += 1
        code = self._obey(command, now_ns)
        self._counts["refused"] += code != _DONE
        return f"r,0,{command[0]},{code}\r\n".encode("ascii")

    def _obey(self, command: str, now_ns: int) -> int:
        name, *numbers = command.split(",")
        values = [int(number) for number in numbers]
        if name == "C":
            self._next_ns = None
            return _DONE
        if name == "R":
            self._next_ns, self._began_ns = now_ns + 2 * _THINKS_NS, None
            return _DONE
        if name == "c" and values[2:] == [0, 4]:
            self._calibrated = bool(values[1])
            return _DONE
        if name == "f" and codec.SHORTEST <= values[0] <= codec.LONGEST:
            self._length = values[0]
            return _DONE
        return _REFUSED

    def _begin(self, now_ns: int) -> None:
        self._began_ns = self._next_ns = now_ns
        self._figures(now_ns)

    def _figures(self, now_ns: int) -> None:
        """A sensor with errors of its own, for every scene and every time it is set up."""
        table = load_defaults().wrench.model_dump()
        rate_hz = codec.CLOCK_HZ / self._length
        own = {"delay_s": 0.0, "jitter_s": 0.0, **self._options.model, "rate_hz": rate_hz}
        self._model = validate({**table, **own}, WrenchModel, "emulator bota-ft", "model")
        scene = 0 if self._wrist is None else self._wrist.arrangement
        self._wrench = Wrench("bota-ft", self._model, self._options.seed + scene, now_ns)

    def _frame(self, at_ns: int) -> bytes:
        if self._wrist is not None and self._wrist.moved_on():
            self._figures(at_ns)
        self._wrench.offer(at_ns, self._truth())
        read = self._wrench.channel.newest(at_ns).value
        ends = np.repeat([self._model.range_n, self._model.range_nm], 3)
        status = self._given.status
        status |= codec.OVERRANGE if (np.abs(read) >= ends).any() else 0
        status |= codec.INVALID if np.isnan(read).any() else 0
        status |= 0 if self._calibrated else codec.RAW
        time_us = (at_ns - (self._began_ns or at_ns)) // NS_PER_US % (1 << 32)
        data = codec.encode(Frame(status, tuple(read.tolist()), time_us, _TEMPERATURE))
        self._counts["frames"] += 1
        if self._given.corrupt:
            self._given.corrupt -= 1
            return data[:-1] + bytes((data[-1] ^ 0xFF,))
        return data

    def _truth(self) -> FloatArray:
        if self._wrist is not None:
            return self._wrist.read()
        return np.array(self._given.load or _REST)

    def _send(self, data: bytes, at_ns: int) -> Transmission:
        """On the wire, behind what is still on it."""
        start_ns = max(at_ns, self._free_ns)
        self._free_ns = start_ns + wire_ns(len(data), self.baud)
        return Transmission(start_ns, self.baud, data)


EMULATOR = Hosted(BotaOptions, BotaSensor)
