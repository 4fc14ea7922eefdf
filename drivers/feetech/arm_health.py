"""What the servos of an arm say of themselves, as findings. Pure: memory in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.feetech.arm_setup import firmware
from drivers.feetech.arm_table import ArmTable, JointSpec
from drivers.feetech.codec import ServoError
from hil.contracts import Finding

_FULL_ANGLE = 16
"""Phase bit 4: the position counts on over a turn, and below 0."""


@dataclass(frozen=True, slots=True)
class ArmMemory:
    """Memory of the servos that answered, by id: EEPROM from address 0, RAM from `ram_base`."""

    eeprom: Mapping[int, bytes]
    ram: Mapping[int, bytes]
    ram_base: int


@dataclass(frozen=True, slots=True)
class _View:
    """Registers of those joints whose whole memory was read."""

    arm: ArmTable
    memory: ArmMemory

    @property
    def joints(self) -> list[JointSpec]:
        both = self.memory.eeprom.keys() & self.memory.ram.keys()
        return [joint for joint in self.arm.joints if joint.id in both]

    def raw(self, joint: JointSpec, name: str) -> int:
        table = self.arm.servo
        if table[name].eeprom:
            return table.decode(name, self.memory.eeprom[joint.id])
        return table.decode(name, self.memory.ram[joint.id], self.memory.ram_base)

    def value(self, joint: JointSpec, name: str) -> float:
        return self.raw(joint, name) * self.arm.servo[name].scale


def findings(arm: ArmTable, memory: ArmMemory) -> list[Finding]:
    """One finding a subject, each naming the joints concerned."""
    view = _View(arm, memory)
    there = view.joints
    silent = [joint.name for joint in arm.joints if joint not in there]
    answers = Finding(
        "answers",
        not silent,
        f"no answer from {', '.join(silent)}" if silent else f"all {len(there)} servos answer",
        "check supply and cables" if silent else "",
    )
    if not there:
        return [answers]
    checks = (_voltage, _temperature, _errors, _torque, _firmware, _return_delay, _position_range)
    return [answers, *(check(view) for check in checks)]


def adapter_latency(timer_ms: int | None) -> list[Finding]:
    """Whether the USB adapter holds answers back; nothing where it has no such timer."""
    if timer_ms is None:
        return []
    quick = timer_ms <= 1
    remedy = (
        "write 1 to its latency_timer under /sys/bus/usb-serial/devices, for good by a udev rule:"
        ' ACTION=="add", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"'
    )
    return [Finding("usb latency", quick, f"{timer_ms} ms", "" if quick else remedy)]


def _voltage(view: _View) -> Finding:
    readings = {j.name: view.value(j, "present_voltage") for j in view.joints}
    bad = [
        f"{j.name} {readings[j.name]:.1f} V"
        f" ({view.value(j, 'min_voltage'):.1f}..{view.value(j, 'max_voltage'):.1f} V)"
        for j in view.joints
        if not view.raw(j, "min_voltage")
        <= view.raw(j, "present_voltage")
        <= view.raw(j, "max_voltage")
    ]
    spread = f"{min(readings.values()):.1f}..{max(readings.values()):.1f} V"
    return _finding("voltage", bad, spread, "check the supply and the servos' voltage variant")


def _temperature(view: _View) -> Finding:
    readings = {j.name: view.raw(j, "present_temperature") for j in view.joints}
    bad = [
        f"{j.name} {readings[j.name]} degC (limit {view.raw(j, 'max_temperature')})"
        for j in view.joints
        if readings[j.name] >= view.raw(j, "max_temperature")
    ]
    return _finding("temperature", bad, f"at most {max(readings.values())} degC", "let it cool")


def _errors(view: _View) -> Finding:
    flags = {j.name: ServoError(view.raw(j, "status")) for j in view.joints}
    bad = [f"{name} {_words(flag)}" for name, flag in flags.items() if flag]
    return _finding("errors", bad, "no error bits", "remove the cause, then cycle the power")


def _words(flag: ServoError) -> str:
    known = [bit.name.lower() for bit in ServoError if bit in flag and bit.name]
    return "+".join(known) or f"bits {flag.value:#04x}"


def _torque(view: _View) -> Finding:
    on = [j.name for j in view.joints if view.raw(j, "torque_enable")]
    return Finding("torque", True, f"on: {', '.join(on)}" if on else "off")


def _firmware(view: _View) -> Finding:
    versions = {j.name: firmware(view.arm.servo, view.memory.eeprom[j.id]) for j in view.joints}
    if len(set(versions.values())) == 1:
        return Finding("firmware", True, next(iter(versions.values())))
    listed = [f"{name} {version}" for name, version in versions.items()]
    return _finding("firmware", listed, "", "bring all servos to one firmware")


def _return_delay(view: _View) -> Finding:
    delays = {j.name: view.value(j, "return_delay") * 1e6 for j in view.joints}
    bad = [f"{name} {delay_us:.0f} us" for name, delay_us in delays.items() if delay_us]
    remedy = (
        "adds to every read; set register 7 to 0 with lock (55) at 0"
        " (this program never writes a servo's EEPROM by itself)"
    )
    return _finding("return delay", bad, "0 us", remedy)


def _position_range(view: _View) -> Finding:
    bad = [j.name for j in view.joints if view.raw(j, "phase") & _FULL_ANGLE]
    remedy = "clear bit 4 of phase (register 18), or positions can leave 0..4095"
    return _finding("position range", bad, "one turn", remedy)


def _finding(name: str, bad: list[str], good: str, remedy: str) -> Finding:
    return Finding(name, False, ", ".join(bad), remedy) if bad else Finding(name, True, good)
