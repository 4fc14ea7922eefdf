"""What servos of any family say of themselves, as findings. Pure: memory in, findings out."""

from __future__ import annotations

from collections import defaultdict

from drivers.findings import answering, judged
from drivers.servo.family import Family, View
from hil.contracts import Finding

__all__ = ["findings", "judged"]


def findings(family: Family, view: View) -> list[Finding]:
    """One finding a subject, each naming the joints concerned."""
    there = [name for name, _, _ in view.rows]
    silent = [name for name in view.robot.names if name not in there]
    answers = answering("servos", len(there), silent, "check supply and cables")
    if not there:
        return [answers]
    checks = (_voltage, _temperature, _torque, _firmware, _return_delay)
    return [answers, *(check(family, view) for check in checks), *family.findings(view)]


def _voltage(family: Family, view: View) -> Finding:
    words = family.words
    readings: list[float] = []
    bad: list[str] = []
    for name, servo, table in view.rows:
        low, now, high = (
            view.value(servo, table, word)
            for word in (words.lowest_voltage, words.voltage, words.highest_voltage)
        )
        readings.append(now)
        if not low <= now <= high:
            bad.append(f"{name} {now:.1f} V ({low:.1f}..{high:.1f} V)")
    spread = f"{min(readings):.1f}..{max(readings):.1f} V"
    return judged("voltage", bad, spread, "check the supply and the servos' voltage variant")


def _temperature(family: Family, view: View) -> Finding:
    words = family.words
    readings: list[int] = []
    bad: list[str] = []
    for name, servo, table in view.rows:
        now = view.raw(servo, table, words.temperature)
        limit = view.raw(servo, table, words.highest_temperature)
        readings.append(now)
        if now >= limit:
            bad.append(f"{name} {now} degC (limit {limit})")
    return judged("temperature", bad, f"at most {max(readings)} degC", "let it cool")


def _torque(_: Family, view: View) -> Finding:
    on = [name for name, servo, table in view.rows if view.raw(servo, table, "torque_enable")]
    return Finding("torque", True, f"on: {', '.join(on)}" if on else "off")


def _firmware(family: Family, view: View) -> Finding:
    """Servos of one model with different firmware can behave differently."""
    versions: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, servo, table in view.rows:
        versions[table.model][name] = family.firmware(table, view.eeprom[servo])
    mixed = {model: who for model, who in versions.items() if len(set(who.values())) > 1}
    listed = [f"{name} {version}" for who in mixed.values() for name, version in who.items()]
    good = ", ".join(sorted({version for who in versions.values() for version in who.values()}))
    return judged("firmware", listed, good, "bring all servos of a model to one firmware")


def _return_delay(family: Family, view: View) -> Finding:
    word = family.words.return_delay
    delays = {
        name: view.value(servo, table, word) * 1e6
        for name, servo, table in view.rows
        if word in table
    }
    bad = [f"{name} {delay_us:.0f} us" for name, delay_us in delays.items() if delay_us]
    register = view.robot.servo[word].address
    remedy = (
        f"adds to every read; set register {register} to 0 with a set-up tool"
        " (this program never writes a servo's EEPROM by itself)"
    )
    return judged("return delay", bad, "0 us", remedy)
