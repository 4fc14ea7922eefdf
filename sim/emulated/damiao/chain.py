"""Damiao motors on one CAN bus behind an adapter: bytes in, lines with due times out.

Pure arithmetic on stamps. What the timing models, and what not:

* The serial line is USB: lines take the time of 12 Mbit/s, whatever rate the client sets.
* The CAN bus carries one frame at a time. A frame takes its bits without the worst of the stuff
  bits (one in ten is reckoned); an FD frame's data go at the higher rate. Frames queue in the
  order in which they are handed over: arbitration by id is not emulated.
* A motor answers a processing time after its request is complete.
* An adapter at another bit rate than a motor takes frames and spoils the bus: nobody answers,
  and its status says so. Motors set to FD rates (codes from 5 on) want FD frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.can.codec import StatusFlag
from drivers.can.frames import CanFrame
from drivers.damiao.codec import (
    REGISTER_ID,
    RegisterMessage,
    decode_register,
    decode_special,
    encode_register,
)
from drivers.damiao.motors import MotorModel
from drivers.damiao.robots import JointSpec, load_robot
from hil.clock import NS_PER_S, NS_PER_US
from sim.emulated.damiao.adapter import Acks, Adapter, BridgeAdapter, SlcanAdapter
from sim.emulated.damiao.faults import ChainFaults, parse_control
from sim.emulated.damiao.memory import Memory
from sim.emulated.damiao.motor import Motor, Mounting
from sim.emulated.motors import TorqueAccount, power_cycle
from sim.twin.emulator import Body, Drive, Hosted, Scalar
from sim.twin.files import RigModel
from sim.twin.pacing import Transmission

_USB_BAUD = 12_000_000
_PROCESSING_NS = 60 * NS_PER_US
_STAMP_MODULO = 60_000
_FRAME_BITS = 47  # of a standard data frame with no data, the pause behind it included
_EXTENDED_BITS = 20
_STUFFING = 1.1
_BIT_RATES = (125_000, 200_000, 250_000, 500_000, 1_000_000)
_FD_BIT_RATE = 1_000_000
_FLOOD_ID = 0x6FF


class ChainOptions(BaseModel):
    """Options of emulator `damiao-slcan`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    robot: RigModel = Field(
        min_length=1, description="robot whose motors sit on the bus, or a file of one's own"
    )
    adapter: Literal["slcan", "damiao-bridge"] = "slcan"
    acks: Acks = Field("z", description="how an slcan adapter acknowledges")
    data_bit_rate: Literal[2_000_000, 5_000_000] | None = Field(
        None, description="motors and adapter speak CAN FD at this rate"
    )
    can_timeout_ms: float = Field(0.0, ge=0, description="register 9 as stored; 0 is none")
    supply_v: float = Field(24.0, ge=0, le=60)


@dataclass(slots=True)
class ChainCounters:
    """What the chain met since it was made."""

    frames: int = 0
    answers: int = 0
    unheard: int = 0  # frames on a bus with other rates
    trips: int = 0


class Chain:
    """The motors by the joint that each drives, their bus and its adapter
    (`sim.twin.emulator.JointEmulator`)."""

    baud = 115_200

    def __init__(self, motors: Mapping[str, Motor], adapter: Adapter) -> None:
        self.joints = tuple(motors)
        self.motors = tuple(motors.values())
        self.adapter = adapter
        self.faults = ChainFaults.model_validate({})
        self._counters = ChainCounters()
        self._torque = TorqueAccount()
        self._bus_free_ns = 0
        self._flood_ns: int | None = None

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        """Lines that the host wrote at `now_ns`; the answers with the instants they leave at."""
        self._watch(now_ns)
        out: list[Transmission] = []
        for taken in self.adapter.feed(data, self.faults):
            if taken.reply:
                out.append(Transmission(now_ns, _USB_BAUD, taken.reply))
            if taken.frame is not None:
                self._counters.frames += 1
                out += self._carry(taken.frame, now_ns)
        self._note_torque(now_ns)
        return out

    def due_ns(self) -> int | None:
        """When a motor's time-out trips, or the next foreign frame comes."""
        due = [ns for ns in (motor.trips_ns() for motor in self.motors) if ns is not None]
        due += [self._flood_ns or 0] if self.faults.flood_hz else []
        return min(due, default=None)

    def wake(self, now_ns: int) -> list[Transmission]:
        """Let time-outs trip, and somebody else talk."""
        self._watch(now_ns)
        self._note_torque(now_ns)
        out: list[Transmission] = []
        while self._flood_ns is not None and self._flood_ns <= now_ns:
            if self.adapter.mode != "closed":
                out.append(self._to_host(CanFrame(_FLOOD_ID, bytes(8)), now_ns))
            self._flood_ns += NS_PER_S // self.faults.flood_hz
        return out

    def step(self, dt: float, bodies: Sequence[Body]) -> list[Drive]:
        """Every motor sees its joint and gives its orders."""
        return [motor.step(dt, body) for motor, body in zip(self.motors, bodies, strict=True)]

    def status(self) -> dict[str, Scalar]:
        """What was met, how the adapter is set, and what its decoder counted."""
        return {
            **asdict(self._counters),
            **asdict(self._torque),
            "stores": sum(motor.stores for motor in self.motors),
            "refused": self.adapter.refused,
            "channel": self.adapter.mode,
            "bit_rate": self.adapter.bit_rate or 0,
            **self.adapter.counters(),
        }

    def control(self, args: Mapping[str, object]) -> None:
        """`faults`, `power_cycle`, `close_channel`, `supply_v`: see `ChainControl`.

        Errors: BadInput.
        """
        asked = parse_control(args)
        power_cycle(self.motors, asked.power_cycle)
        if asked.supply_v is not None:
            for motor in self.motors:
                motor.power(asked.supply_v)
        if asked.close_channel:
            self.adapter.close()
        if asked.faults is not None:
            self.faults = asked.faults
            self._flood_ns = None

    def _watch(self, now_ns: int) -> None:
        if self.faults.flood_hz and self._flood_ns is None:
            self._flood_ns = now_ns
        for motor in self.motors:
            was_on = motor.on
            motor.watch(now_ns)
            self._counters.trips += was_on and not motor.on

    def _note_torque(self, now_ns: int) -> None:
        self._torque.note(sum(motor.on for motor in self.motors), now_ns)

    def _carry(self, frame: CanFrame, now_ns: int) -> list[Transmission]:
        """One frame of the host over the bus, and what the motors say to it."""
        complete_ns = self._occupy(frame, now_ns)
        out: list[Transmission] = []
        for motor in self.motors:
            if not self._understands(motor, frame):
                self._counters.unheard += 1
                self.adapter.trouble |= StatusFlag.BUS_ERROR
                continue
            answer = self._serve(motor, frame, complete_ns)
            if answer is not None:
                out += self._answer(motor, answer, frame.fd, complete_ns)
        return out

    def _understands(self, motor: Motor, frame: CanFrame) -> bool:
        code = motor.bit_rate_code
        if code < len(_BIT_RATES):
            return not frame.fd and _BIT_RATES[code] == self.adapter.bit_rate
        return frame.fd and self.adapter.bit_rate == _FD_BIT_RATE

    def _serve(self, motor: Motor, frame: CanFrame, now_ns: int) -> bytes | RegisterMessage | None:
        if frame.extended or frame.remote_length is not None:
            return None
        if frame.id == REGISTER_ID:
            message = decode_register(frame.data)
            if message is None or message.motor != motor.id:
                return None
            return motor.register(message, now_ns)
        if frame.id != motor.id:
            return None
        special = decode_special(frame.data)
        return motor.control(frame.data, now_ns) if special is None else motor.obey(special, now_ns)

    def _answer(
        self, motor: Motor, answer: bytes | RegisterMessage, fd: bool, asked_ns: int
    ) -> list[Transmission]:
        """One answer as the faults leave it: as it is, late, twice, under another id or not."""
        motor_id = motor.id
        if motor_id in self.faults.silent or self.faults.take_loss(motor_id):
            return []
        self._counters.answers += 1
        if isinstance(answer, RegisterMessage):
            payload = encode_register(answer)
        else:
            other = self.faults.renamed.get(motor_id)
            payload = motor.state(other, self.faults.status.get(motor_id))
        late_ns = self.faults.delay_us.get(motor_id, 0) * NS_PER_US
        frame = CanFrame(motor.master_id, payload, fd=fd, bit_rate_switch=fd)
        copies = 2 if motor_id in self.faults.duplicate else 1
        return [
            self._to_host(frame, self._occupy(frame, asked_ns + _PROCESSING_NS) + late_ns)
            for _ in range(copies)
        ]

    def _occupy(self, frame: CanFrame, ready_ns: int) -> int:
        """Put a frame on the bus as soon as it is free; returns when it is complete."""
        start_ns = max(ready_ns, self._bus_free_ns)
        rate = self.adapter.bit_rate or _FD_BIT_RATE
        head = _FRAME_BITS + (_EXTENDED_BITS if frame.extended else 0)
        data_rate = (self.adapter.data_bit_rate or rate) if frame.bit_rate_switch else rate
        bits_s = head / rate + 8 * len(frame.data) / data_rate
        self._bus_free_ns = start_ns + round(bits_s * _STUFFING * NS_PER_S)
        return self._bus_free_ns

    def _to_host(self, frame: CanFrame, at_ns: int) -> Transmission:
        data = self.adapter.encode(frame, at_ns, corrupt=self.faults.take("corrupt"))
        return Transmission(at_ns, _USB_BAUD, data)


def build(options: ChainOptions) -> Chain:
    """The motors of robot `options.robot`, each for the joint of its name. Errors: BadInput."""
    robot = load_robot(options.robot)
    pairs = zip(robot.joints, robot.motors, strict=True)
    motors = {joint.name: _motor(joint, model, options) for joint, model in pairs}
    adapter: Adapter = SlcanAdapter(options.acks, fd=options.data_bit_rate is not None)
    return Chain(motors, BridgeAdapter() if options.adapter == "damiao-bridge" else adapter)


def _motor(joint: JointSpec, model: MotorModel, options: ChainOptions) -> Motor:
    codes = {None: 4, 2_000_000: 5, 5_000_000: 9}
    own = {
        "id": joint.id,
        "master_id": joint.master_id,
        "can_timeout": options.can_timeout_ms * 20,
        "can_bit_rate": codes[options.data_bit_rate],
    }
    motor = Motor(Memory(model, own), model, Mounting(joint.sign, joint.offset))
    motor.power(options.supply_v)
    return motor


EMULATOR = Hosted(ChainOptions, build)
