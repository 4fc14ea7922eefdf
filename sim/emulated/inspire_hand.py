"""The fingers of an Inspire hand and their registers, without a wire and without physics.

What it models: fingers that run at the speed set, at once; an object that each may meet at a
count of its own, behind which force rises with depth until it reaches the threshold set; states,
currents and errors of every finger; and that what the hand reports is as old as its last
refresh. Registers are addressed by bytes: those of 16 bits lie two apart, those of 8 bits one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from drivers.modbus.hand_table import HandTable
from hil.clock import NS_PER_MS, NS_PER_S
from hil.config import validate
from hil.errors import BadInput
from sim.twin.emulator import Scalar

_TICK_NS = 10 * NS_PER_MS
_FORCE_PER_COUNT = 12.0  # grams a count of depth, the order of public measurements
_IDLE_MA, _MOVING_MA, _GRIPPING_MA = 20, 250, 600
_COOL_C = 32
_OPENING, _CLOSING, _ARRIVED, _AT_FORCE, _FAULT = 0, 1, 2, 3, 7
_TOO_HOT = 0b10
_NO_ACTION = -1

_Count = Annotated[int, Field(ge=0, le=1000)]


class HandControl(BaseModel):
    """What can be done to the hand; fingers by name. What is named replaces what was before."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    objects: dict[str, _Count] | None = Field(
        default=None, description="count at which a finger meets something"
    )
    errors: dict[str, Annotated[int, Field(ge=0, le=255)]] | None = None
    temperature_c: dict[str, Annotated[int, Field(ge=0, le=100)]] | None = None
    power_cycle: bool = False


@dataclass(slots=True)
class Finger:
    """One degree of freedom, in counts: 0 is bent."""

    count: float
    target: float
    speed: int
    threshold: int
    meets: int | None = None
    error: int = 0
    temperature: int = _COOL_C
    state: int = _ARRIVED

    @property
    def force(self) -> float:
        """Grams at its tip."""
        return 0.0 if self.meets is None else max(0.0, self.meets - self.count) * _FORCE_PER_COUNT

    @property
    def moving(self) -> bool:
        return self.state in (_OPENING, _CLOSING)

    def move(self, passed_s: float, travel_s: float, blocked: bool) -> None:
        """Go on for a while; speed is in counts per time of the whole way."""
        if blocked:
            self.state = _FAULT
            return
        step = self.speed / travel_s * passed_s
        closing = self.target < self.count
        goal = self.target
        if closing and self.meets is not None:
            goal = max(goal, min(self.count, self.meets - self.threshold / _FORCE_PER_COUNT))
        self.count += min(max(goal - self.count, -step), step)
        if self.count == self.target:
            self.state = _ARRIVED
        elif self.count == goal and closing:
            self.state = _AT_FORCE
        else:
            self.state = _CLOSING if closing else _OPENING


class Hand:
    """All fingers, and what the registers show of them."""

    def __init__(self, table: HandTable, refresh_ms: float) -> None:
        self.table = table
        self._refresh_ns = round(refresh_ms * NS_PER_MS)
        self._now_ns = self._refreshed_ns = self._moved_ns = 0
        self._power_up()

    def _power_up(self) -> None:
        full, force = self.table.full, self.table.force_full
        self.fingers = [Finger(full, full, full, force) for _ in self.table.fingers]
        self._targets = [full] * len(self.fingers)
        self._shown: dict[str, list[int]] = {}
        self._refresh()

    def advance(self, now_ns: int) -> None:
        """Let the fingers move up to this instant, and the registers follow where due."""
        passed_s, self._now_ns = max(0, now_ns - self._now_ns) / NS_PER_S, now_ns
        for finger in self.fingers:
            if finger.moving:
                blocked = self.table.blocked(finger.error)
                finger.move(passed_s, self.table.full_travel_s, blocked)
                self._moved_ns = now_ns
        if now_ns - self._refreshed_ns >= self._refresh_ns:
            self._refresh()

    def due_ns(self) -> int | None:
        """While a finger moves, or has not been shown where it stands."""
        moves = any(finger.moving for finger in self.fingers)
        if moves or self._shown["angle_act"] != [round(finger.count) for finger in self.fingers]:
            return self._now_ns + _TICK_NS
        return None

    def _refresh(self) -> None:
        self._refreshed_ns = self._now_ns
        fingers = self.fingers
        self._shown = {
            "angle_act": [round(finger.count) for finger in fingers],
            "force_act": [round(finger.force) for finger in fingers],
            "current": [self._current(finger) for finger in fingers],
            "error": [finger.error for finger in fingers],
            "status": [finger.state for finger in fingers],
            "temperature": [finger.temperature for finger in fingers],
        }

    def _current(self, finger: Finger) -> int:
        if finger.moving:
            return _MOVING_MA
        return _GRIPPING_MA if finger.state == _AT_FORCE else _IDLE_MA

    def load(self, address: int, count: int) -> bytes | None:
        """`count` bytes from `address` on, 16-bit values low byte first; None where there is
        nothing of the sort."""
        for first, data in self._groups():
            if first <= address and address + count <= first + len(data):
                return data[address - first : address - first + count]
        return None

    def store(self, address: int, data: bytes) -> bool:
        """Take bytes; whether there is something that takes them."""
        registers = self.table.registers
        if address == registers.clear_error and data[:1]:
            if data[0] == 1:
                self._clear_errors()
            return True
        for first, take in (
            (registers.angle_set, self._take_target),
            (registers.speed_set, self._take_speed),
            (registers.force_set, self._take_threshold),
        ):
            place, odd = divmod(address - first, 2)
            inside = place >= 0 and place + len(data) // 2 <= len(self.fingers)
            if inside and not odd and len(data) % 2 == 0:
                for step in range(len(data) // 2):
                    value = int.from_bytes(data[2 * step : 2 * step + 2], "little", signed=True)
                    take(place + step, value)
                return True
        return False

    def wide(self, address: int) -> bool:
        """Whether the register at `address` has 16 bits; the others are two to a word."""
        registers = self.table.registers
        narrow = (registers.error, registers.status, registers.temperature)
        return not any(first <= address < first + len(self.fingers) for first in narrow)

    def _groups(self) -> Iterable[tuple[int, bytes]]:
        registers, shown, fingers = self.table.registers, self._shown, self.fingers
        for first, values in (
            (registers.angle_set, self._targets),
            (registers.speed_set, [finger.speed for finger in fingers]),
            (registers.force_set, [finger.threshold for finger in fingers]),
            (registers.angle_act, shown["angle_act"]),
            (registers.force_act, shown["force_act"]),
            (registers.current, shown["current"]),
        ):
            yield first, b"".join(value.to_bytes(2, "little", signed=True) for value in values)
        yield registers.clear_error, bytes(2)
        for first, name in (
            (registers.error, "error"),
            (registers.status, "status"),
            (registers.temperature, "temperature"),
        ):
            yield first, bytes(shown[name])

    def _take_target(self, place: int, value: int) -> None:
        if value != _NO_ACTION and not 0 <= value <= self.table.full:
            return
        self._targets[place] = value
        finger = self.fingers[place]
        if value == _NO_ACTION:
            return
        finger.target = value
        if value != finger.count:
            finger.state = _CLOSING if value < finger.count else _OPENING
        else:
            finger.state = _ARRIVED

    def _take_speed(self, place: int, value: int) -> None:
        self.fingers[place].speed = min(max(value, 0), self.table.full)

    def _take_threshold(self, place: int, value: int) -> None:
        finger = self.fingers[place]
        finger.threshold = min(max(value, 0), self.table.force_full)

    def _clear_errors(self) -> None:
        for finger in self.fingers:
            finger.error &= _TOO_HOT  # heat goes away by itself

    def status(self) -> dict[str, Scalar]:
        """What moves, and the truth about every finger."""
        found: dict[str, Scalar] = {
            "torque_on": sum(finger.moving for finger in self.fingers),
            "torque_off_ns": self._moved_ns,
        }
        for name, finger in zip(self.table.names, self.fingers, strict=True):
            found[f"count.{name}"] = finger.count
            found[f"target.{name}"] = finger.target
            found[f"force.{name}"] = finger.force
            found[f"state.{name}"] = finger.state
        return found

    def control(self, args: Mapping[str, object]) -> None:
        """As `HandControl`. Errors: BadInput."""
        asked = validate(dict(args), HandControl, "control of the hand")
        if asked.power_cycle:
            self._power_up()
        for place, name in enumerate(self.table.names):
            finger = self.fingers[place]
            if asked.objects is not None:
                finger.meets = asked.objects.get(name)
            if asked.errors is not None:
                finger.error = asked.errors.get(name, 0)
            if asked.temperature_c is not None:
                finger.temperature = asked.temperature_c.get(name, _COOL_C)
            if finger.state == _AT_FORCE and finger.force < finger.threshold:
                finger.state = _CLOSING  # what it held is gone
        self._require_fingers(asked)
        self._refresh()

    def _require_fingers(self, asked: HandControl) -> None:
        named: Sequence[Mapping[str, int] | None] = (
            asked.objects,
            asked.errors,
            asked.temperature_c,
        )
        unknown = sorted({name for table in named for name in table or ()} - set(self.table.names))
        if unknown:
            raise BadInput(
                f"no finger is called {', '.join(unknown)}",
                f"there are {', '.join(self.table.names)}",
            )
