"""Probes of servo buses: who is on it, which models, which firmware."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from drivers.dynamixel import registers as dynamixel
from drivers.dynamixel.bus import DynamixelBus
from drivers.dynamixel.robot_table import load_robot
from drivers.feetech import registers as feetech
from drivers.feetech.arm_table import arm_names, load_arm
from drivers.scan.model import Found, OpenLine, Probe
from drivers.servo.bus1 import Frame1Bus
from drivers.servo.frame1 import BROADCAST
from drivers.servo.joints import JointTable
from drivers.servo.registers import Table, table_names
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.errors import DeadlineMissed

_ANSWER_NS = 20 * NS_PER_MS
_TOGETHER_NS = 60 * NS_PER_MS
_ORDER_AT, _MODEL_AT, _MODEL_SIZE = 2, 3, 2

_LEAST_NS = 4 * NS_PER_MS
_MUCH_LATER = 4
"""So many times what the others take, and at least so long, is waited for those that may not be
there. The adapter sets the pace: from a tenth of a millisecond to sixteen."""

_USUAL_IDS = range(1, 5)
"""Asked of a bus that keeps silent when all are asked at once; new servos have id 1."""

_LOW_IDS = range(32)
"""Where nobody of these answers, the others are not asked, which would take seconds."""

_FEETECH_BAUDS = (1_000_000, 500_000, 115_200)
_DYNAMIXEL_BAUDS = (4_000_000, 3_000_000, 2_000_000, 1_000_000, 115_200, 57_600)


def _ask_dynamixel(line: OpenLine, deadline: Deadline) -> Found | None:
    answered = DynamixelBus(line.port, line.clock).identify(deadline)
    if not answered:
        return None
    names = {
        table.model_number: name
        for name, table in _tables("drivers.dynamixel.motors", dynamixel.load_motor).items()
    }
    models = tuple(
        names.get(one.model_number, f"unknown model {one.model_number}") for one in answered
    )
    ids = tuple(one.id for one in answered)
    robot = _robot(("koch", "leap", "leap_lite"), load_robot, dict(zip(ids, models, strict=True)))
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
    tables = _tables("drivers.feetech", feetech.load_table)
    ids: Sequence[int] = bus.broadcast_ping(deadline.sooner(_TOGETHER_NS))
    crossed = bus.checksum_errors > 0  # several spoke at once
    if not ids and not crossed:
        ids = bus.ping_each(_USUAL_IDS, deadline, _ANSWER_NS)
    models, versions = _who(bus, ids, tables, line.clock)
    if crossed or not all(_takes_turns(tables, model) for model in models.values()):
        ids = _one_by_one(bus, line.clock)
        models, versions = _who(bus, ids, tables, line.clock)
    if not models:
        return None
    robot = _robot(("so101", *arm_names()), load_arm, models)
    return Found(
        "feetech",
        "feetech-arm",
        _summary("Feetech", tuple(models), tuple(models.values())),
        tuple(models),
        tuple(models.values()),
        ", ".join(sorted(versions)),
        {"model": robot or "name the arm here"},
    )


def _who(
    bus: Frame1Bus, ids: Iterable[int], tables: Mapping[str, Table], clock: Clock
) -> tuple[dict[int, str], set[str]]:
    """Models by id, and the firmware versions among them."""
    models: dict[int, str] = {}
    versions: set[str] = set()
    for servo in ids:
        try:
            head = bus.read(servo, 0, _MODEL_AT + _MODEL_SIZE, _more(clock))
        except DeadlineMissed:
            models[servo] = "silent when asked for its model"
            continue
        models[servo] = _model(head, tables)
        versions.add(f"{head[0]}.{head[1]}")
    return models, versions


def _model(head: bytes, tables: Mapping[str, Table]) -> str:
    """Which model a memory that begins with `head` is of; it tells its own byte order."""
    number = head[_MODEL_AT:]
    for name, table in tables.items():
        if table.model_number == int.from_bytes(number, table.byte_order):
            return name
    return f"unknown model {int.from_bytes(number, 'big' if head[_ORDER_AT] else 'little')}"


def _takes_turns(tables: Mapping[str, Table], model: str) -> bool:
    """Whether servos of a model wait for each other when all are asked at once."""
    return model not in tables or tables[model].broadcast_ping


def _one_by_one(bus: Frame1Bus, clock: Clock) -> list[int]:
    """Who answers to an id of his own, in a time of its own: seconds, where anybody does."""
    low = bus.ping_each(_LOW_IDS, _more(clock, len(_LOW_IDS)), _ANSWER_NS)
    if not low:
        return []
    began_ns = clock.now_ns()
    bus.ping_each(low, _more(clock, len(low)), _ANSWER_NS)
    usual_ns = (clock.now_ns() - began_ns) // len(low)
    patience_ns = min(max(_MUCH_LATER * usual_ns, _LEAST_NS), _ANSWER_NS)
    high = range(len(_LOW_IDS), BROADCAST)
    return low + bus.ping_each(high, _more(clock, len(high)), patience_ns)


def _more(clock: Clock, answers: int = 1) -> Deadline:
    """Who has answered once is asked for more, each in a time of its own."""
    return Deadline.after(clock, answers * _ANSWER_NS)


def _tables(package: str, load: Callable[[str], Table]) -> Mapping[str, Table]:
    """The known models by name."""
    return {name: load(name) for name in table_names(package)}


def _robot(
    names: Iterable[str], load: Callable[[str], JointTable], models: Mapping[int, str]
) -> str:
    """The first known robot that has just these servos, by id and model; empty for none."""
    for name in names:
        robot = load(name)
        if {servo: table.model for servo, table in robot.servos.items()} == models:
            return name
    return ""


def _summary(family: str, ids: tuple[int, ...], models: tuple[str, ...]) -> str:
    kinds = ", ".join(f"{models.count(kind)} x {kind}" for kind in dict.fromkeys(models))
    return f"{family} bus: {kinds} (ids {', '.join(map(str, ids))})"


DYNAMIXEL = Probe("dynamixel 2.0", _DYNAMIXEL_BAUDS, _ask_dynamixel, rank=10)
FEETECH = Probe("feetech", _FEETECH_BAUDS, _ask_feetech, rank=20)
