"""Probes of servo buses: who is on it, which models, which firmware."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.dynamixel import registers as dynamixel
from drivers.dynamixel.bus import DynamixelBus
from drivers.dynamixel.robot_table import load_robot
from drivers.feetech import registers as feetech
from drivers.feetech.arm_table import load_arm
from drivers.scan.model import Found, OpenLine, Probe
from drivers.servo.bus1 import Frame1Bus
from drivers.servo.joints import JointTable
from drivers.servo.registers import Table, table_names
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.errors import DeadlineMissed

_ANSWER_NS = 20 * NS_PER_MS
_MODEL_AT, _MODEL_SIZE = 3, 2
_FIRMWARE_SIZE = 2

_FEETECH_BAUDS = (1_000_000, 500_000, 115_200)
_DYNAMIXEL_BAUDS = (4_000_000, 3_000_000, 2_000_000, 1_000_000, 115_200, 57_600)


def _ask_dynamixel(line: OpenLine, deadline: Deadline) -> Found | None:
    answered = DynamixelBus(line.port, line.clock).identify(deadline)
    if not answered:
        return None
    tables = _tables("drivers.dynamixel.motors", dynamixel.load_motor)
    models = tuple(_name(tables, one.model_number) for one in answered)
    ids = tuple(one.id for one in answered)
    robot = _robot(("koch", "leap", "leap_lite"), load_robot, ids)
    firmware = ", ".join(sorted({str(one.firmware) for one in answered}))
    return Found(
        "dynamixel 2.0",
        "dynamixel-chain",
        _summary("Dynamixel", ids, models),
        ids,
        models,
        firmware,
        {"model": robot or "name the robot here"},
    )


def _ask_feetech(line: OpenLine, deadline: Deadline) -> Found | None:
    """Feetech and Dynamixel 1.0 have one frame; the register of the model tells them apart."""
    bus = Frame1Bus(line.port, line.clock)
    ids = tuple(bus.broadcast_ping(deadline.sooner(60 * NS_PER_MS)))
    if not ids:
        return None
    tables = _tables("drivers.feetech", feetech.load_table)
    models, versions = [], set()
    for servo in ids:
        try:
            head = bus.read(servo, 0, _MODEL_AT + _MODEL_SIZE, _more(line.clock))
        except DeadlineMissed:
            models.append("silent when asked for its model")
            continue
        numbers = [int.from_bytes(head[_MODEL_AT:], order) for order in ("little", "big")]
        known = next((tables[number] for number in numbers if number in tables), "")
        models.append(known or f"unknown model {numbers[0]}")
        versions.add(f"{head[0]}.{head[1]}")
    robot = _robot(("so101", "so100"), load_arm, ids)
    return Found(
        "feetech",
        "feetech-arm",
        _summary("Feetech", ids, tuple(models)),
        ids,
        tuple(models),
        ", ".join(sorted(versions)),
        {"model": robot or "name the arm here"},
    )


def _more(clock: Clock) -> Deadline:
    """Who has answered once is asked for more, each in a time of its own."""
    return Deadline.after(clock, _ANSWER_NS)


def _tables(package: str, load: object) -> Mapping[int, str]:
    """Names of known models by number."""
    named: dict[int, str] = {}
    for name in table_names(package):
        table: Table = load(name)  # type: ignore[operator]
        named[table.model_number] = name
    return named


def _name(tables: Mapping[int, str], number: int) -> str:
    return tables.get(number, f"unknown model {number}")


def _robot(names: tuple[str, ...], load: object, ids: tuple[int, ...]) -> str:
    """The first known robot that has just these ids; empty for none."""
    for name in names:
        table: JointTable = load(name)  # type: ignore[operator]
        if tuple(sorted(table.ids)) == tuple(sorted(ids)):
            return name
    return ""


def _summary(family: str, ids: tuple[int, ...], models: tuple[str, ...]) -> str:
    kinds = ", ".join(f"{models.count(kind)} x {kind}" for kind in dict.fromkeys(models))
    return f"{family} bus: {kinds} (ids {', '.join(map(str, ids))})"


DYNAMIXEL = Probe("dynamixel 2.0", _DYNAMIXEL_BAUDS, _ask_dynamixel, rank=10)
FEETECH = Probe("feetech", _FEETECH_BAUDS, _ask_feetech, rank=20)
