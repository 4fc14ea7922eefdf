"""Emulated Dynamixel motors on one half-duplex bus: bytes in, answers with due times out.

Pure arithmetic on stamps: no descriptor, no clock. What the timing models, and what not:

* A request is complete when its last byte would have crossed the wire, ten bit times a byte
  after it was written (or after the request before it). It is carried out when it is handed
  over, up to that time early.
* An answer starts a return delay after the request and takes ten bit times a byte. Motors have
  no processing time besides.
* SYNC READ, BULK READ and broadcast PING are answered one after the other, each a return delay
  after the one before; a fast read in one packet, whose blocks follow each other at once.
* Motors set to another baud rate than the line neither understand nor answer.
* Collisions are not emulated: see `sim.twin.pacing.PacedOutput`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.dynamixel import codec1, codec2
from drivers.dynamixel.codec1 import ErrorBit
from drivers.dynamixel.codec2 import HardwareError
from drivers.dynamixel.registers import load_motor
from drivers.dynamixel.robot_table import load_robot
from drivers.servo.registers import Table
from hil.clock import NS_PER_S
from hil.errors import BadInput
from sim.emulated.dynamixel.faults import BusFaults, parse_control
from sim.emulated.dynamixel.motor import Mounting
from sim.emulated.dynamixel.servo1 import Servo1
from sim.emulated.dynamixel.servo2 import Servo2
from sim.emulated.dynamixel.slots import Slot, transmissions
from sim.emulated.dynamixel.wire1 import Wire1
from sim.emulated.dynamixel.wire2 import Wire2, noise
from sim.emulated.motors import TorqueAccount, power_cycle
from sim.twin.emulator import Body, Drive, Hosted, Scalar
from sim.twin.pacing import Transmission, wire_ns

_FORGET_NS = 50_000_000  # a request broken off this long ago is noise
_FLOOD_NS = 1_000_000
_POSITION_MODE = 3


class MotorOptions(BaseModel):
    """One motor of a bus that is no robot's."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    id: int = Field(ge=0, le=252)
    joint: str = Field("", description="joint of the plant that it drives; motor-ID if left out")
    zero_count: int = 2048
    sign: Literal[-1, 1] = 1


class BusOptions(BaseModel):
    """Options of emulator `dynamixel-bus`: a robot of its file, or motors by themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    robot: str | None = Field(None, description="robot whose motors sit on the bus")
    motors: tuple[MotorOptions, ...] = ()
    baud: int = Field(1_000_000, gt=0)
    supply_v: float | None = Field(None, ge=0, le=60, description="each motor's own if left out")
    firmware: int | None = Field(None, ge=0, le=255, description="that of the table if left out")
    return_delay_us: int = Field(0, ge=0, le=508, multiple_of=2)
    mode: int | None = Field(None, description="operating mode; what the robot asks if left out")

    @model_validator(mode="after")
    def _one_way(self) -> BusOptions:
        if bool(self.robot) == bool(self.motors):
            raise ValueError("say either robot or motors")
        return self


class _Wire(Protocol):
    """One protocol on the bus."""

    @property
    def decoder(self) -> Any: ...

    def feed(self, data: bytes) -> list[tuple[Any, int]]: ...

    def finish(self) -> None: ...

    def serve(self, packet: Any, motors: Any, faults: BusFaults) -> list[Slot]: ...


@dataclass(slots=True)
class BusCounters:
    """What the bus met since it was made."""

    requests: int = 0
    answers: int = 0
    unheard_bytes: int = 0  # sent at a baud rate that no motor is set to
    watchdog_trips: int = 0


class DynamixelBus:
    """The motors by the joint that each drives, and the state of the wire
    (`sim.twin.emulator.JointEmulator`). `baud` is what the motors were set up for."""

    def __init__(self, motors: Mapping[str, Servo1 | Servo2], protocol: int, baud: int) -> None:
        self.baud = baud
        self.joints = tuple(motors)
        self.motors = tuple(motors.values())
        self.faults = BusFaults()
        self._wire: _Wire = Wire1(codec1.Decoder()) if protocol == 1 else Wire2(codec2.Decoder())
        self._counters = BusCounters()
        self._torque = TorqueAccount()
        self._line_baud = baud
        self._request_end_ns = 0
        self._flood_ns = 0
        self._flood_state = 1

    def status(self) -> dict[str, Scalar]:
        """Counters of bus and decoder by name."""
        decoder = self._wire.decoder.counters
        return {
            **asdict(self._counters),
            **asdict(self._torque),
            "torque_on": self._energised(),
            "checksum_errors": decoder.checksum_errors,
            "resync_bytes": decoder.resync_bytes,
        }

    def control(self, args: Mapping[str, object]) -> None:
        """`faults`: what is wrong with the bus from now on, as `BusFaults`; `power_cycle`: ids
        that are switched off and on. Errors: BadInput."""
        asked = parse_control(args)
        power_cycle(self.motors, asked.power_cycle)
        if asked.faults is not None:
            self._plant(asked.faults)

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """Bytes that the host wrote at `now_ns` with its port at `line_baud`.

        Returns the answers in the order of their requests.
        """
        if line_baud != self._line_baud or now_ns - self._request_end_ns > _FORGET_NS:
            self._wire.finish()
        self._line_baud = line_baud
        hearing = [motor for motor in self.motors if motor.baud == line_baud]
        if not hearing:
            self._counters.unheard_bytes += len(data)
            return []
        self._request_end_ns = max(now_ns, self._request_end_ns) + wire_ns(len(data), line_baud)
        packets = self._wire.feed(data)
        answers: list[Transmission] = []
        behind = sum(size for _, size in packets)
        for packet, size in packets:
            behind -= size
            complete_ns = self._request_end_ns - wire_ns(behind, line_baud)
            for motor in hearing:
                if isinstance(motor, Servo2):
                    motor.hear(complete_ns)
            slots = self._wire.serve(packet, hearing, self.faults)
            answers += transmissions(slots, complete_ns, line_baud, self.faults)
        self._counters.requests += len(packets)
        self._counters.answers += len(answers)
        self._torque.note(self._energised(), now_ns)
        return answers

    def due_ns(self) -> int | None:
        """When a watchdog trips, or noise goes on."""
        dues = [motor.watchdog_due_ns() for motor in self._guarded()]
        dues += [self._flood_ns] if self.faults.flood else []
        return min((due for due in dues if due is not None), default=None)

    def wake(self, now_ns: int) -> list[Transmission]:
        """Trip the watchdogs that are due; send noise where somebody floods the bus."""
        for motor in self._guarded():
            due_ns = motor.watchdog_due_ns()
            if due_ns is not None and due_ns <= now_ns:
                motor.trip()
                self._counters.watchdog_trips += 1
        if not self.faults.flood or now_ns < self._flood_ns:
            return []
        count = max(1, self.faults.flood * _FLOOD_NS // NS_PER_S)
        data, self._flood_state = noise(self._flood_state, count)
        self._flood_ns = now_ns + max(_FLOOD_NS, wire_ns(count, self._line_baud))
        return [Transmission(now_ns, self._line_baud, data)]

    def step(self, dt: float, bodies: Sequence[Body]) -> Sequence[Drive]:
        """Advance every motor by `dt` s from where its joint is."""
        return [motor.step(dt, body) for motor, body in zip(self.motors, bodies, strict=True)]

    def _guarded(self) -> list[Servo2]:
        return [motor for motor in self.motors if isinstance(motor, Servo2)]

    def _plant(self, faults: BusFaults) -> None:
        self.faults = faults
        for motor in self.motors:
            bits = faults.hardware_error.get(motor.id, 0)
            voltage, model = faults.voltage.get(motor.id), faults.model_number.get(motor.id)
            if isinstance(motor, Servo2):
                motor.inject(HardwareError(bits), voltage, model)
            else:
                motor.inject(ErrorBit(bits), voltage, model)

    def _energised(self) -> int:
        return sum(motor.torque_on for motor in self.motors)


def build(options: BusOptions) -> DynamixelBus:
    """The motors of a robot, or those listed. Errors: BadInput."""
    rows = _rows(options)
    protocols = {table.protocol for _, table, _, _ in rows}
    if len(protocols) > 1:
        raise BadInput("motors of both protocols cannot share a bus")
    motors: dict[str, Servo1 | Servo2] = {}
    for joint, table, mounting, mode in rows:
        if joint in motors or any(motor.id == mounting.id for motor in motors.values()):
            raise BadInput(f"two motors for joint {joint!r} or id {mounting.id}")
        settings = _settings(options, table, mode)
        kind = Servo1 if table.protocol == 1 else Servo2
        motors[joint] = kind(table, mounting, options.supply_v, settings)
    return DynamixelBus(motors, protocols.pop(), options.baud)


def _rows(options: BusOptions) -> list[tuple[str, Table, Mounting, int | None]]:
    """Joint, control table, mounting and operating mode of every motor."""
    if options.robot is not None:
        robot = load_robot(options.robot)
        return [
            (joint.name, table, Mounting(joint.id, joint.zero_count, joint.sign), joint.mode)
            for joint, table in zip(robot.joints, robot.tables, strict=True)
        ]
    return [
        (
            motor.joint or f"motor-{motor.id}",
            load_motor(motor.model),
            Mounting(motor.id, motor.zero_count, motor.sign),
            None,
        )
        for motor in options.motors
    ]


def _settings(options: BusOptions, table: Table, mode: int | None) -> dict[str, int]:
    """What a set-up tool would have written to the EEPROM."""
    codes = {rate: code for code, rate in table.baud.items()}
    if options.baud not in codes:
        raise BadInput(
            f"the {table.model} cannot be set to {options.baud} baud",
            f"it can be set to {', '.join(map(str, sorted(codes)))}",
        )
    settings = {
        "baud_rate": codes[options.baud],
        "return_delay_time": options.return_delay_us // 2,
    }
    if options.firmware is not None:
        settings["firmware_version"] = options.firmware
    if table.modes:
        wanted = options.mode if options.mode is not None else mode or _POSITION_MODE
        if wanted not in table.modes:
            raise BadInput(f"the {table.model} has no operating mode {wanted}")
        settings["operating_mode"] = wanted
    return settings


EMULATOR = Hosted(BusOptions, build)
