"""What the motors of a chain say of themselves, as findings. Pure: numbers in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.damiao.chain_setup import OPTIONAL, Numbers, Setup
from drivers.damiao.codec import Feedback, is_fault, status_name
from drivers.damiao.registers import Register
from drivers.damiao.robots import JointSpec, Robot
from drivers.findings import answering, judged
from hil.contracts import Finding

READ_ANEW = ("can_timeout", "over_temperature", "software_version", "sub_version")
"""Registers that a look at the motors' health reads again."""


@dataclass(frozen=True, slots=True)
class ChainState:
    """What was read: states by motor id, and registers by name and motor id."""

    states: Mapping[int, Feedback]
    numbers: Numbers


def findings(
    robot: Robot, setup: Setup, registers: Mapping[str, Register], state: ChainState
) -> list[Finding]:
    """One finding a subject, each naming the joints concerned."""
    there = [j for j in robot.joints if j.id in state.states and _read_all(j, state.numbers)]
    silent = [joint.name for joint in robot.joints if joint not in there]
    answers = answering("motors", len(there), silent, "check supply, wiring and bit rate")
    if not there:
        return [answers]
    return [
        answers,
        _status(there, state),
        _temperature(there, state),
        _ranges(robot, setup),
        _firmware(there, state),
        _can_timeout(there, registers["can_timeout"], state),
    ]


def firmware(numbers: Numbers, motor: int) -> str:
    """Firmware of one motor as "software.sub"; without the second where it does not tell it."""
    software = f"{numbers['software_version'][motor]:.0f}"
    sub = numbers["sub_version"].get(motor)
    return software if sub is None else f"{software}.{sub:.0f}"


def _read_all(joint: JointSpec, numbers: Numbers) -> bool:
    return all(joint.id in numbers[name] for name in READ_ANEW if name not in OPTIONAL)


def _status(there: list[JointSpec], state: ChainState) -> Finding:
    said = {joint.name: state.states[joint.id].status for joint in there}
    bad = [f"{name} {status_name(s)}" for name, s in said.items() if is_fault(s) or 1 < s < 8]
    on = [name for name, status in said.items() if status]
    remedy = "remove the cause, then cycle the power or clear the error with the maker's tool"
    return judged("status", bad, f"on: {', '.join(on)}" if on else "off", remedy)


def _temperature(there: list[JointSpec], state: ChainState) -> Finding:
    hottest = {
        j.name: max(state.states[j.id].rotor_temperature, state.states[j.id].mos_temperature)
        for j in there
    }
    limits = {joint.name: state.numbers["over_temperature"][joint.id] for joint in there}
    bad = [f"{n} {t} degC (limit {limits[n]:.0f})" for n, t in hottest.items() if t >= limits[n]]
    return judged("temperature", bad, f"at most {max(hottest.values())} degC", "let it cool")


def _ranges(robot: Robot, setup: Setup) -> Finding:
    bad = [
        f"{joint.name} {each.position:g} rad, {each.velocity:g} rad/s, {each.torque:g} N m"
        for joint, model, each in zip(robot.joints, robot.motors, setup.ranges, strict=True)
        if not model.knows(each)
    ]
    if not bad:
        return Finding("ranges", True, "as the models' known settings")
    remedy = (
        "the motors' own ranges are used; check that the robot file names the right motor models"
    )
    return Finding("ranges", False, "; ".join(bad), remedy)


def _firmware(there: list[JointSpec], state: ChainState) -> Finding:
    """Equal within each motor model; different models have different firmware."""
    found: dict[str, dict[str, list[str]]] = {}
    for joint in there:
        versions = found.setdefault(joint.motor, {})
        versions.setdefault(firmware(state.numbers, joint.id), []).append(joint.name)
    listed = [
        f"{model} {version}" + (f" ({', '.join(names)})" if len(versions) > 1 else "")
        for model, versions in found.items()
        for version, names in versions.items()
    ]
    mixed = any(len(versions) > 1 for versions in found.values())
    remedy = "bring all motors of one model to one firmware" if mixed else ""
    return Finding("firmware", not mixed, ", ".join(listed), remedy)


def _can_timeout(there: list[JointSpec], register: Register, state: ChainState) -> Finding:
    seconds = {j.name: state.numbers["can_timeout"][j.id] * register.scale for j in there}
    none = [name for name, value in seconds.items() if value == 0]
    if none:
        return Finding("can time-out", True, f"none until a run arms it: {', '.join(none)}")
    shortest, longest = (value(seconds.values()) * 1000 for value in (min, max))
    return Finding("can time-out", True, f"{shortest:g}..{longest:g} ms")
