"""A chain of Dynamixel motors, an arm or a hand, as a `Joints` device in SI units."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.dynamixel.bus import DynamixelBus
from drivers.dynamixel.family1 import Family1
from drivers.dynamixel.family2 import Family2, has_watchdog
from drivers.dynamixel.parameters import ChainParameters
from drivers.dynamixel.robot_table import load_robot
from drivers.servo.chain import ServoChain
from drivers.servo.joints import JointTable
from drivers.servo.survey import ANSWER_NS
from drivers.transport.options import need_port
from hil.clock import Clock, Deadline
from hil.config import device_parameters
from hil.contracts import BenchContext, DeviceSpec, FloatArray
from hil.errors import BadInput, DeviceFault, HarnessError

_STEP_NS = 20_000_000
_MOST_STEPS = 127
_TRIPPED = b"\xff"


class DynamixelChain(ServoChain):
    """Joints of motors under Protocol 2.0 with their bus watchdog
    (`hil.contracts.Joints`, `SelfWatching`).

    What the watchdog does: a motor with torque on that hears no instruction for the time set
    stops and holds, reads -1 in register 98, and refuses goals until 0 is written there; its
    profile is then gone (velocity and acceleration 0, no limit). Every instruction on the bus
    feeds it, reads and those for other motors too: it guards against a host that is gone, and
    not against one that goes on reading but no longer commands.

    The harness arms it while the loop ticks and disarms it in the pauses. A loop that hung for
    longer finds its motors stopped: before the next command they are asked, those that stopped
    get their profile back, and the watchdog is armed anew. `counters` tells how often, as
    `watchdog_trips`.
    """

    def __init__(
        self, spec: DeviceSpec, robot: JointTable, parameters: ChainParameters, clock: Clock
    ) -> None:
        self._motors = Family2(parameters)
        super().__init__(spec, robot, self._motors, parameters, clock)
        self._steps = 0
        self._trips = 0

    def open(self, deadline: Deadline) -> None:
        self._steps = self._trips = 0
        super().open(deadline)

    def _energise(self, deadline: Deadline) -> None:
        self._clear(deadline)
        super()._energise(deadline)
        if self._steps:
            self._arm(deadline)

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        self._commandable()  # what revives a stopped motor is not sent either
        if self._steps and self._line.longest_pause_ns() >= self._steps * _STEP_NS:
            self._clear(deadline)
            self._arm(deadline)
        return super().command(position, deadline)

    def counters(self) -> Mapping[str, int]:
        counted = super().counters()
        return {**counted, "watchdog_trips": self._trips} if counted else counted

    def arm_watchdog(self, timeout_s: float, deadline: Deadline) -> float:
        """Arm the bus watchdog of every motor; returns the time-out it really has, in s.

        That is a multiple of 20 ms, not longer than asked for unless that is less than 20 ms.
        Errors: DeviceFault (a motor's firmware has none, or did not take it), LinkLost,
        DeadlineMissed.
        """
        eeprom = self.setup.eeprom
        without = [
            f"{joint.name} (firmware {self._motors.firmware(table, eeprom[joint.id])})"
            for joint, table in zip(self.robot.joints, self.robot.tables, strict=True)
            if not has_watchdog(table, eeprom[joint.id])
        ]
        if without:
            raise DeviceFault(
                f"{self.role}: no bus watchdog in {', '.join(without)}",
                "bring their firmware up to date, or set bus_watchdog = false",
            )
        self._steps = min(max(int(timeout_s * 1e9) // _STEP_NS, 1), _MOST_STEPS)
        self._arm(deadline)
        return self._steps * _STEP_NS / 1e9

    def disarm_watchdog(self, deadline: Deadline) -> None:
        """Switch the bus watchdog of every motor off. Motors that it stopped stay where they
        are, get their profile back and are counted. Errors: as `arm_watchdog`."""
        self._clear(deadline)
        self._steps = 0

    def _arm(self, deadline: Deadline) -> None:
        self._motors.set_watchdog(self.bus, self.robot, self._steps, deadline)
        self._line.longest_pause_ns()  # what was before does not count

    def _clear(self, deadline: Deadline) -> None:
        """Watchdog off, and what it did to the motors undone. Errors: as `arm_watchdog`."""
        register = self.robot.servo["bus_watchdog"]
        soon = deadline.sooner(2 * ANSWER_NS)
        found = self.bus.read_all(self.robot.ids, register.address, register.size, soon)
        tripped = sum(payload == _TRIPPED for payload in found.payloads.values())
        self._motors.set_watchdog(self.bus, self.robot, 0, deadline)
        if tripped:
            self._trips += tripped
            self._motors.set_profiles(self.bus, self.robot, deadline)

    @property
    def _line(self) -> DynamixelBus:
        bus = self.bus
        if not isinstance(bus, DynamixelBus):
            raise HarnessError(f"{self.role}: {bus!r} is no bus of protocol 2")
        return bus


def build(spec: DeviceSpec, context: BenchContext) -> ServoChain:
    """Factory of driver `dynamixel-chain`; touches no port.

    Motors under Protocol 1.0, and those whose watchdog the rig file switches off, come without
    `SelfWatching`. Errors: BadInput.
    """
    parameters = device_parameters(spec, ChainParameters)
    need_port(spec)
    robot = load_robot(parameters.model).calibrated(parameters.calibration)
    if robot.servo.protocol == 1:
        return ServoChain(spec, robot, Family1(_plain(parameters)), parameters, context.clock)
    if not parameters.bus_watchdog:
        return ServoChain(spec, robot, Family2(parameters), parameters, context.clock)
    return DynamixelChain(spec, robot, parameters, context.clock)


def _plain(parameters: ChainParameters) -> ChainParameters:
    """Errors: BadInput for what motors under Protocol 1.0 do not have."""
    asked = [name for name in ("current_limit", "fast_read") if getattr(parameters, name)]
    if asked:
        raise BadInput(f"{parameters.model}: protocol 1 has no {' and no '.join(asked)}")
    return parameters
