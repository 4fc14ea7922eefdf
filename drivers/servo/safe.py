"""Making a chain of servos safe: torque off, proved by reading it back."""

from __future__ import annotations

from drivers.proof import reached
from drivers.servo.bus import ServoBus
from drivers.servo.joints import JointTable
from hil.clock import NS_PER_MS, Clock, Deadline
from hil.contracts import SafeProof, Scalar
from hil.errors import DeadlineMissed

_ROUNDS = 4
_ROUND_NS = 60 * NS_PER_MS
_ANSWER_NS = 20 * NS_PER_MS

Torques = dict[int, int | None]
"""`torque_enable` read back by servo id; None where the servo was not read."""


def prove_torque_off(
    role: str, bus: ServoBus | None, robot: JointTable, clock: Clock, deadline: Deadline
) -> SafeProof:
    """Torque off, and the proof; without a bus, or with a lost link, one that says so."""
    started_ns = clock.now_ns()
    found, state = reached(bus, lambda line: torque_off(line, robot, deadline))
    torques: Torques = found or dict.fromkeys(robot.ids)
    safe = all(torque == 0 for torque in torques.values())
    readings = {
        f"torque_enable.{joint.name}": _reading(torques[joint.id]) for joint in robot.joints
    }
    state = state or ("torque off" if safe else "torque not proved off")
    return SafeProof(role, safe, state, readings, started_ns, clock.now_ns())


def _reading(torque: int | None) -> Scalar:
    return "no answer" if torque is None else torque


def torque_off(bus: ServoBus, robot: JointTable, deadline: Deadline) -> Torques:
    """Switch the torque of every servo off and read it back.

    First all in one packet that needs no answer, then those not proved yet one by one, a
    bounded number of times. The first packet leaves even where the deadline has passed.
    Errors: LinkLost.
    """
    torques: Torques = dict.fromkeys(robot.ids)
    for attempt in range(_ROUNDS):
        unproved = [servo for servo, torque in torques.items() if torque != 0]
        if not unproved or (attempt and deadline.expired):
            break
        _switch_off(bus, robot, unproved, deadline, one_by_one=attempt > 0)
        torques.update(_read_back(bus, robot, unproved, deadline))
    return torques


def _switch_off(
    bus: ServoBus, robot: JointTable, servos: list[int], deadline: Deadline, *, one_by_one: bool
) -> None:
    address = robot.servo["torque_enable"].address
    off = robot.servo.encode("torque_enable", 0)
    try:
        bus.sync_write(address, dict.fromkeys(servos, off), deadline.sooner(_ROUND_NS))
    except DeadlineMissed:
        return  # the read-back will tell
    for servo in servos if one_by_one else ():
        try:
            bus.write(servo, address, off, deadline.sooner(_ANSWER_NS))
        except DeadlineMissed:
            continue  # counted by the bus; the read-back will tell


def _read_back(bus: ServoBus, robot: JointTable, servos: list[int], deadline: Deadline) -> Torques:
    register = robot.servo["torque_enable"]
    try:
        answer = bus.read_all(servos, register.address, register.size, deadline.sooner(_ROUND_NS))
    except DeadlineMissed:
        return dict.fromkeys(servos)
    values = {
        servo: robot.servo.decode("torque_enable", payload, register.address)
        for servo, payload in answer.payloads.items()
    }
    return {servo: values.get(servo) for servo in servos}
